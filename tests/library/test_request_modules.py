"""How the ends of spot requests are reached and told apart, with EC2's answers made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.machine_programs.support import load

end = load.module("ec2_spot_request_end")
ours = load.module("ansible.module_utils.ec2_ours")
requests = load.module("ansible.module_utils.ec2_requests")
resources = load.module("ansible.module_utils.cloudtop_resources")
rules = load.module("ansible.module_utils.cloudtop_rules")

TAGS = {"cloudtop:name": "box", "cloudtop:owner": "alice"}


def tagged(resource: dict[str, Any], **more: str) -> dict[str, Any]:
    tags = {**TAGS, **{f"cloudtop:{key}": value for key, value in more.items()}}
    return {**resource, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


class MadeUpEC2:
    """Requests and instances, and what cancelling and terminating does to them."""

    def __init__(self) -> None:
        self.requests: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        # Launched by EC2 between a look and the cancelling
        self.fulfilled_meanwhile: str | None = None

    def request(self, key: str, state: str, instance: str = "", code: str = "fulfilled") -> None:
        self.requests[key] = tagged(
            {
                "SpotInstanceRequestId": key,
                "State": state,
                "Status": {"Code": code, "UpdateTime": datetime.now(UTC)},
            },
            generation="3",
        )
        if instance:
            self.requests[key]["InstanceId"] = instance

    def instance(self, key: str, request: str = "", state: str = "running") -> None:
        self.instances[key] = {
            "InstanceId": key,
            "SpotInstanceRequestId": request,
            "State": {"Name": state},
            "LaunchTime": datetime.now(UTC),
            "Placement": {"AvailabilityZone": "us-east-1a"},
        }

    def describe_requests(self, _client: Any, Filters: Any) -> list[dict[str, Any]]:
        return list(self.requests.values())

    def describe_instances(self, _client: Any, Filters: Any) -> list[dict[str, Any]]:
        return [{"Instances": list(self.instances.values())}]

    def cancel(self, _client: Any, ids: list[str]) -> None:
        self.calls.append(f"cancel {','.join(ids)}")
        for key in ids:
            self.requests[key]["State"] = "cancelled"
            if self.fulfilled_meanwhile:
                self.requests[key]["InstanceId"] = self.fulfilled_meanwhile
                self.requests[key]["Status"]["Code"] = "request-canceled-and-instance-running"

    def terminate(self, _client: Any, ids: list[str]) -> None:
        self.calls.append(f"terminate {','.join(ids)}")
        for key in ids:
            if key in self.instances:
                self.instances[key]["State"]["Name"] = "terminated"
        for request in self.requests.values():
            assert request["State"] not in rules.LIVE, "terminated before it was cancelled"


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> MadeUpEC2:
    ec2 = MadeUpEC2()
    monkeypatch.setattr(ours, "describe_spot_instance_requests", ec2.describe_requests)
    monkeypatch.setattr(ours, "describe_instances", ec2.describe_instances)
    monkeypatch.setattr(end, "cancel_spot_instance_requests", ec2.cancel)
    monkeypatch.setattr(end, "terminate_instances", ec2.terminate)
    return ec2


def finish() -> Any:
    ending = end.Ending(None, TAGS)
    for _ in range(5):
        if not ending.step():
            return ending
    raise AssertionError("it never ends")


@pytest.mark.parametrize("state", ["active", "disabled"])
def test_cancels_before_terminating(ec2: MadeUpEC2, state: str) -> None:
    ec2.request("sir-1", state, "i-1")
    ec2.instance("i-1", "sir-1", "stopped" if state == "disabled" else "running")
    finish()
    assert ec2.calls == ["cancel sir-1", "terminate i-1"]


def test_cancels_an_open_request_that_has_no_instance(ec2: MadeUpEC2) -> None:
    ec2.request("sir-1", "open", code="capacity-not-available")
    ending = finish()
    assert ec2.calls == ["cancel sir-1"]
    assert ending.generation == 3


def test_ends_an_instance_that_was_launched_during_the_cancelling(ec2: MadeUpEC2) -> None:
    ec2.request("sir-1", "open", code="pending-fulfillment")
    ec2.fulfilled_meanwhile = "i-new"
    ending = end.Ending(None, TAGS)
    assert ending.step()
    assert ending.step() == "the end of i-new", "not shown yet, and waited for all the same"
    ec2.instance("i-new", "sir-1")
    assert ending.step()
    assert ending.step() == ""
    assert ec2.instances["i-new"]["State"]["Name"] == "terminated"


def test_ends_what_a_killed_run_left_of_a_cancelled_request(ec2: MadeUpEC2) -> None:
    ec2.request("sir-1", "cancelled", "i-1", "request-canceled-and-instance-running")
    ec2.instance("i-1", "sir-1")
    finish()
    assert ec2.calls == ["terminate i-1"]


def test_has_nothing_to_do_after_an_end_long_past(ec2: MadeUpEC2) -> None:
    ec2.request("sir-1", "cancelled", "i-1", "request-canceled-and-instance-running")
    ec2.requests["sir-1"]["Status"]["UpdateTime"] = datetime.now(UTC) - timedelta(hours=2)
    finish()
    assert ec2.calls == []


def test_a_name_with_a_star_finds_only_itself(ec2: MadeUpEC2) -> None:
    ec2.request("sir-1", "active", "i-1")
    ec2.instance("i-1", "sir-1")
    assert ours.requests_of(None, {**TAGS, "cloudtop:name": "b*"}) == []
    assert ours.instances_of(None, {**TAGS, "cloudtop:name": "b*"}, []) == []


@pytest.mark.parametrize(
    ("state", "code", "instance", "verdict"),
    [
        ("active", "fulfilled", "running", "running"),
        ("active", "fulfilled", "pending", "waiting"),
        ("active", "fulfilled", "", "waiting"),
        ("active", "marked-for-termination", "running", "waiting"),
        ("open", "price-too-low", "", "waiting"),
        ("open", "capacity-not-available", "running", "waiting"),
        ("open", "a-code-of-next-year", "", "waiting"),
        ("open", "limit-exceeded", "", "refused"),
        ("failed", "bad-parameters", "", "refused"),
        ("closed", "bad-parameters", "", "refused"),
        ("closed", "system-error", "", "dead"),
        ("cancelled", "request-canceled-and-instance-running", "running", "dead"),
        ("disabled", "instance-stopped-by-user", "stopping", "waiting"),
        ("disabled", "instance-stopped-by-user", "stopped", "stopped-by-user"),
        ("disabled", "instance-stopped-no-capacity", "stopped", "waiting"),
    ],
)
def test_verdict_on_a_request(state: str, code: str, instance: str, verdict: str) -> None:
    request = resources.Request("sir-1", state=state, status_code=code)
    assert rules.verdict(request, instance) == verdict


@pytest.mark.parametrize(
    ("state", "code", "machine", "lacking"),
    [
        ("open", "capacity-not-available", "", True),
        ("open", "capacity-oversubscribed", "", True),
        ("open", "price-too-low", "", True),
        ("open", "pending-evaluation", "", False),
        ("open", "instance-terminated-no-capacity", "running", False),
        # It saves work in its last two minutes
        ("open", "capacity-not-available", "running", False),
        ("active", "fulfilled", "running", False),
        ("disabled", "instance-stopped-no-capacity", "stopped", False),
        ("cancelled", "price-too-low", "", False),
    ],
)
def test_which_request_wants_for_a_machine(
    ec2: MadeUpEC2, state: str, code: str, machine: str, lacking: bool
) -> None:
    ec2.request("sir-1", state, "" if state == "open" else "i-1", code=code)
    if machine:
        ec2.instance("i-1", "sir-1", machine)
    (seen,) = requests.look(None, TAGS).requests
    assert seen.lacking is lacking


def test_no_request_is_a_verdict_too() -> None:
    assert rules.verdict(None, "") == "none"


def test_a_reaped_instance_does_not_hide_its_replacement(ec2: MadeUpEC2) -> None:
    ec2.request("sir-1", "active", "i-new")
    ec2.instance("i-old", "sir-1")
    ec2.instance("i-new", "sir-1")
    seen = requests.look(None, TAGS)
    assert seen.requests[0].instance["id"] == "i-new"
    assert (seen.instances, seen.orphans) == (["i-old", "i-new"], [])


def test_an_instance_of_a_dead_request_is_an_orphan(ec2: MadeUpEC2) -> None:
    ec2.request("sir-1", "cancelled", "i-1")
    ec2.instance("i-1", "sir-1")
    ec2.instance("i-0", "sir-1", "terminated")
    assert [orphan["id"] for orphan in requests.look(None, TAGS).orphans] == ["i-1"]


class Asked:
    """EC2's answer to whoever asks what types there are."""

    def __init__(self, code: str) -> None:
        self.code = code

    def get_paginator(self, name: str) -> Asked:
        return self

    def paginate(self, **_params: Any) -> list[dict[str, Any]]:
        raise ClientError({"Error": {"Code": self.code}}, "DescribeInstanceTypes")


def test_b2_a_busy_ec2_is_not_taken_for_a_type_without_disks() -> None:
    assert ours.instance_store_disks(Asked("UnauthorizedOperation"), "c3.xlarge") == -1
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        ours.instance_store_disks(Asked("RequestLimitExceeded"), "c3.xlarge")
