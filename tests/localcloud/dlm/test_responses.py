"""Lifecycle policies: what the API takes and refuses, as boto3 and the aws command line see it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.dlm.policy import last_due
from tests.cloud import aws
from tests.localcloud.lab import Lab
from tests.localcloud.lifecycle import changed, create_policy, details, role


@pytest.fixture
def dlm(lab: Lab) -> Any:
    client = lab.client("dlm")
    for policy in client.get_lifecycle_policies()["Policies"]:
        client.delete_lifecycle_policy(PolicyId=policy["PolicyId"])
    return client


def test_a_policy_is_shown_as_it_was_made(lab: Lab, dlm: Any) -> None:
    arn = role(lab)
    ident = create_policy(lab, Tags={"cloudtop:name": "box"})
    (short,) = dlm.get_lifecycle_policies()["Policies"]
    assert short == {
        "PolicyId": ident,
        "Description": "every few hours",
        "State": "ENABLED",
        "Tags": {"cloudtop:name": "box"},
        "PolicyType": "EBS_SNAPSHOT_MANAGEMENT",
        "DefaultPolicy": False,
    }
    whole = dlm.get_lifecycle_policy(PolicyId=ident)["Policy"]
    assert whole["ExecutionRoleArn"] == arn
    assert whole["PolicyArn"].endswith(f":policy/{ident}")
    assert whole["PolicyArn"].startswith("arn:aws:dlm:us-east-1:")
    (schedule,) = whole["PolicyDetails"]["Schedules"]
    assert schedule["CreateRule"]["Times"] == ["00:30"]
    assert schedule["RetainRule"] == {"Count": 2}
    assert whole["DateCreated"] == whole["DateModified"]


def test_policies_are_found_by_what_they_target(lab: Lab, dlm: Any) -> None:
    one = create_policy(lab)
    other = create_policy(lab, State="DISABLED", PolicyDetails=details(tag="other"))
    both = dlm.get_lifecycle_policies

    def ids(**asked: Any) -> set[str]:
        return {each["PolicyId"] for each in both(**asked)["Policies"]}

    assert ids(State="ENABLED") == {one}
    assert ids(TargetTags=["saved=other"]) == {other}
    assert ids(TagsToAdd=["role=snapshot"]) == {one, other}
    assert ids(ResourceTypes=["INSTANCE"]) == set()
    assert ids(PolicyIds=[other]) == {other}


def test_a_policy_changes_and_goes(lab: Lab, dlm: Any) -> None:
    ident = create_policy(lab)
    dlm.update_lifecycle_policy(PolicyId=ident, State="DISABLED", PolicyDetails=details(hours=12))
    policy = dlm.get_lifecycle_policy(PolicyId=ident)["Policy"]
    assert (policy["State"], policy["Description"]) == ("DISABLED", "every few hours")
    assert policy["PolicyDetails"]["Schedules"][0]["CreateRule"]["Interval"] == 12
    dlm.delete_lifecycle_policy(PolicyId=ident)
    for call in (dlm.get_lifecycle_policy, dlm.delete_lifecycle_policy):
        assert ident in lab.refused("ResourceNotFoundException", call, PolicyId=ident)
    assert dlm.get_lifecycle_policies()["Policies"] == []


def test_tags_of_a_policy(lab: Lab, dlm: Any) -> None:
    ident = create_policy(lab, Tags={"a": "1"})
    arn = dlm.get_lifecycle_policy(PolicyId=ident)["Policy"]["PolicyArn"]
    dlm.tag_resource(ResourceArn=arn, Tags={"b": "2"})
    assert dlm.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"a": "1", "b": "2"}
    dlm.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert dlm.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"b": "2"}
    lab.refused(
        "InvalidRequestException", dlm.tag_resource, ResourceArn=arn, Tags={"aws:mine": "x"}
    )
    lab.refused("ResourceNotFoundException", dlm.list_tags_for_resource, ResourceArn=f"{arn}0")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("CreateRule.Interval", 5, "it has to be one of 1, 2, 3, 4, 6, 8, 12, 24"),
        ("CreateRule.IntervalUnit", "DAYS", "has to be one of [HOURS]"),
        ("CreateRule.IntervalUnit", None, "needs an IntervalUnit"),
        ("CreateRule.Times", ["24:00"], "regular expression"),
        ("CreateRule.Times", ["9:00"], "at least 5"),
        ("CreateRule.Times", ["09:00", "10:00"], "at most 1"),
        ("CreateRule.CronExpression", "cron(0 12 * * ? *)", "does not support CronExpression"),
        ("RetainRule", None, "a Count of 1 to 1000"),
        ("RetainRule.Count", 0, "a Count of 1 to 1000"),
        ("RetainRule.Count", 1001, "at most 1000"),
        ("RetainRule", {"Interval": 1, "IntervalUnit": "DAYS"}, "does not support retention"),
        ("TagsToAdd", [{"Key": "aws:a", "Value": "b"}], "aws:a is reserved"),
        ("TagsToAdd", [{"Key": "a", "Value": "b"}] * 2, "TagsToAdd has the same one twice"),
        ("TagsToAdd", [{"Key": "a"}], "must not be null"),
        ("VariableTags", [{"Key": "a", "Value": "$(timestamp)"}], "target instances"),
        ("Name", None, "Schedule.Name"),
        ("Name", "a/b", "regular expression"),
        ("FastRestoreRule", {"AvailabilityZones": ["us-east-1a"]}, "does not support FastRestore"),
    ],
)
def test_refuses_a_schedule(lab: Lab, dlm: Any, path: str, value: Any, message: str) -> None:
    wanted = details()
    changed(wanted["Schedules"][0], path, value)
    assert message in _refused(lab, dlm, PolicyDetails=wanted)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TargetTags", None, "missing: {TargetTags}"),
        ("TargetTags", [], "at least 1"),
        ("TargetTags", [{"Key": "a", "Value": "b"}] * 2, "TargetTags has the same one twice"),
        ("Schedules", None, "missing: {Schedules}"),
        ("Schedules", [details()["Schedules"][0]] * 2, "Schedules has the same one twice"),
        ("ResourceTypes", ["INSTANCE"], "does not support"),
        ("ResourceTypes", ["SNAPSHOT"], "has to be one of [VOLUME, INSTANCE]"),
        ("PolicyType", "IMAGE_MANAGEMENT", "does not support"),
        ("Parameters", {"ExcludeBootVolume": True}, "target instances"),
    ],
)
def test_refuses_details(lab: Lab, dlm: Any, name: str, value: Any, message: str) -> None:
    assert message in _refused(lab, dlm, PolicyDetails=changed(details(), name, value))


def test_refuses_what_is_round_the_details(lab: Lab, dlm: Any) -> None:
    assert "'description' must not be null" in _refused(lab, dlm, Description=None)
    assert "regular expression" in _refused(lab, dlm, Description="näh")
    assert "[ENABLED, DISABLED]" in _refused(lab, dlm, State="ERROR")
    assert "{PolicyDetails}" in _refused(lab, dlm, PolicyDetails=None)
    nobody = "arn:aws:iam::123456789012:role/nobody"
    assert "does not exist" in _refused(lab, dlm, ExecutionRoleArn=nobody)
    assert "cannot be assumed" in _refused(lab, dlm, ExecutionRoleArn=role(lab, "ec2"))
    both = _refused(lab, dlm, Description=None, State=None)
    assert both.startswith("2 validation errors")


def test_a_target_tag_is_one_policys(lab: Lab, dlm: Any) -> None:
    first = create_policy(lab)
    assert f"in use by the policy {first}" in _refused(lab, dlm)
    second = create_policy(lab, PolicyDetails=details(tag="other"))
    update = dlm.update_lifecycle_policy
    lab.refused("InvalidRequestException", update, PolicyId=second, PolicyDetails=details())
    update(PolicyId=first, PolicyDetails=details(keep=3))


def test_a_policy_keeps_its_kind(lab: Lab, dlm: Any) -> None:
    ident = create_policy(lab)
    for name, value in (("ResourceTypes", ["INSTANCE"]), ("PolicyType", "IMAGE_MANAGEMENT")):
        message = lab.refused(
            "InvalidRequestException",
            dlm.update_lifecycle_policy,
            PolicyId=ident,
            PolicyDetails={name: value},
        )
        assert f"{name} of a policy cannot be changed" in message


def test_a_region_has_a_hundred_policies(lab: Lab, dlm: Any) -> None:
    for number in range(100):
        create_policy(lab, PolicyDetails=details(tag=f"number-{number}"))
    lab.refused("LimitExceededException", create_policy, lab=lab, PolicyDetails=details(tag="more"))


def _refused(lab: Lab, dlm: Any, **changes: Any) -> str:
    message = lab.refused("InvalidRequestException", create_policy, lab=lab, **changes)
    assert "InvalidRequest" not in message
    return message


def test_the_aws_command_line_reaches_it(lab: Lab, dlm: Any, tmp_path: Path) -> None:
    arn = role(lab)
    given = tmp_path / "details.json"
    given.write_text(json.dumps(details()))
    answer = aws(
        lab.endpoint, "dlm", "create-lifecycle-policy", "--description", "mine", "--state",
        "ENABLED", "--execution-role-arn", arn, "--policy-details", f"file://{given}",
    )  # fmt: skip
    (policy,) = aws(lab.endpoint, "dlm", "get-lifecycle-policies")["Policies"]
    assert policy["PolicyId"] == answer["PolicyId"]


def test_calls_are_counted_apart(lab: Lab, dlm: Any) -> None:
    lab.own("calls/reset", {})
    create_policy(lab)
    dlm.get_lifecycle_policies()
    actions = lab.own("calls")["actions"]
    assert actions["mutating"]["dlm:CreateLifecyclePolicy"] == 1
    assert actions["reading"]["dlm:GetLifecyclePolicies"] == 1


@pytest.mark.parametrize(
    ("hours", "after", "now", "due"),
    [
        (4, "00:00", "00:29", None),
        (4, "00:00", "00:30", "00:30"),
        (4, "00:30", "04:29", None),
        (4, "00:30", "23:59", "20:30"),
        (24, "00:30", "23:59", None),
        (1, "07:00", "07:31", "07:30"),
    ],
)
def test_times_are_those_of_every_day(hours: int, after: str, now: str, due: str | None) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-03-04T{text}:00")

    rule = {"Interval": hours, "Times": ["00:30"]}
    assert last_due(rule, at(after), at(now)) == (at(due) if due else None)
