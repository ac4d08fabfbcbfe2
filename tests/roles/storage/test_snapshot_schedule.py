"""Snapshots on a schedule: one policy that AWS runs, and what it took is the cloudtop's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.daemon.server import Server
from tests.cloud import fake_cloud
from tests.localcloud.clock import Clock, standing
from tests.roles.plays import Outcome, Place, of, tags

NAME = "box"
MARK = "cloudtop:scheduled"
POLICY = "aws:dlm:lifecycle-policy-id"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Server]]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as (endpoint, server, _host):
        yield Place(endpoint, tmp_path_factory.mktemp("home")), server


@pytest.fixture(scope="module")
def place(running: tuple[Place, Server]) -> Place:
    return running[0]


def provision(place: Place, *options: str, hours: int = 6, keep: int = 2) -> Outcome:
    given = {"cloudtop_snapshot_hours": hours, "cloudtop_snapshot_keep": keep}
    return place.run("playbooks/cloud.yml", *options, cloudtop_name=NAME, **given)


def policies(place: Place) -> list[dict[str, Any]]:
    client: Any = place.client("dlm")
    policies = client.get_lifecycle_policies()["Policies"]
    return [client.get_lifecycle_policy(PolicyId=each["PolicyId"])["Policy"] for each in policies]


def roles(place: Place) -> list[str]:
    return [
        each["RoleName"]
        for each in place.iam.list_roles()["Roles"]
        if "dlm.amazonaws.com" in str(each["AssumeRolePolicyDocument"])
    ]


def marked(place: Place) -> list[str]:
    by_mark = [{"Name": f"tag:{MARK}", "Values": ["*"]}]
    return [each["VolumeId"] for each in place.ec2.describe_volumes(Filters=by_mark)["Volumes"]]


def snapshots(place: Place) -> list[dict[str, Any]]:
    """Newest first, once all are whole."""
    ids = [
        each["SnapshotId"] for each in place.ec2.describe_snapshots(Filters=of(NAME))["Snapshots"]
    ]
    if ids:
        waiter = place.ec2.get_waiter("snapshot_completed")
        waiter.wait(SnapshotIds=ids, WaiterConfig={"Delay": 1})
    listing = place.ec2.describe_snapshots(Filters=of(NAME))["Snapshots"]
    return sorted(listing, key=lambda each: str(each["StartTime"]), reverse=True)


def scheduled(place: Place) -> list[dict[str, Any]]:
    return [each for each in snapshots(place) if POLICY in tags(each)]


def take(place: Place, label: str) -> None:
    given = {"cloudtop_snapshot_label": label, "cloudtop_snapshot_keep": 2}
    taken = place.run("playbooks/snapshot.yml", cloudtop_name=NAME, **given)
    assert taken.code == 0, taken.text


def later(server: Server, times: int, place: Place) -> None:
    """So many times of a six-hour schedule pass, one by one."""
    with standing(server) as clock:
        clock.now = _midnight(clock) + timedelta(days=_Days.gone)
        for _ in range(times):
            clock.skip(hours=6)
            snapshots(place)
        _Days.gone += 1 + times // 4


class _Days:
    """Time never goes back, not even between two tests."""

    gone = 1


def _midnight(clock: Clock) -> Any:
    return clock.now.replace(hour=0, minute=0, second=0)


@pytest.fixture(scope="module")
def first(place: Place) -> Outcome:
    outcome = provision(place)
    assert outcome.code == 0, outcome.text
    return outcome


def test_check_mode_changes_nothing(place: Place) -> None:
    before = place.mutating_calls()
    outcome = provision(place, "--check")
    assert outcome.code == 0, outcome.text
    assert (place.mutating_calls(), policies(place)) == (before, [])


def test_one_policy_targets_the_live_volume_alone(place: Place, first: Outcome) -> None:
    (policy,) = policies(place)
    assert policy["State"] == "ENABLED"
    assert policy["Tags"] == {"cloudtop:name": NAME, "cloudtop:owner": "alice"}
    assert policy["PolicyDetails"]["TargetTags"] == [{"Key": MARK, "Value": "alice/box"}]
    (schedule,) = policy["PolicyDetails"]["Schedules"]
    assert schedule["CreateRule"]["Interval"] == 6
    assert schedule["CreateRule"]["Times"] == ["03:00"]
    assert schedule["RetainRule"] == {"Count": 2}
    (volume,) = place.volumes(NAME)
    assert marked(place) == [volume["VolumeId"]]
    (role,) = roles(place)
    assert policy["ExecutionRoleArn"].endswith(f"/{role}")
    rights = place.iam.get_role_policy(RoleName=role, PolicyName="take-snapshots")["PolicyDocument"]
    mine = {
        "aws:ResourceTag/cloudtop:name": NAME,
        "aws:ResourceTag/cloudtop:owner": "alice",
    }
    given = {each["Sid"]: each for each in rights["Statement"]}
    for sid, kind in (("TakeOfThisVolume", ":*:volume/*"), ("DeleteItsOwn", "::snapshot/*")):
        assert given[sid]["Resource"] == f"arn:aws:ec2:us-east-1{kind}"
        assert given[sid]["Condition"] == {"StringEquals": mine}


def test_twice_is_once_and_a_change_is_one_change(place: Place, first: Outcome) -> None:
    before = place.mutating_calls()
    again = provision(place)
    assert (again.code, again.changed) == (0, 0), again.text
    assert place.mutating_calls() == before
    (old,) = policies(place)
    assert provision(place, hours=12, keep=3).changed == 1
    (new,) = policies(place)
    assert new["PolicyId"] == old["PolicyId"]
    assert new["PolicyDetails"]["Schedules"][0]["CreateRule"]["Interval"] == 12
    assert provision(place).changed == 1


def test_scheduled_snapshots_come_and_go_and_others_stay(
    running: tuple[Place, Server], place: Place, first: Outcome
) -> None:
    for label in ("one", "two"):
        take(place, label)
    later(running[1], 4, place)
    (volume,) = place.volumes(NAME)
    (policy,) = policies(place)
    assert len(scheduled(place)) == 2
    newest = scheduled(place)[0]
    assert newest["VolumeId"] == volume["VolumeId"]
    own = tags(newest)
    assert (own["cloudtop:role"], own["cloudtop:owner"]) == ("snapshot", "alice")
    assert own[POLICY] == policy["PolicyId"]
    # Those taken by hand are pruned among themselves, and none of the schedule's with them
    take(place, "three")
    labels = [tags(each).get("cloudtop:label") for each in snapshots(place)]
    assert sorted(filter(None, labels)) == ["three", "two"]
    assert len(scheduled(place)) == 2


def test_a_snapshot_is_restored_by_its_id_and_the_mark_follows(
    running: tuple[Place, Server], place: Place, first: Outcome
) -> None:
    ident = scheduled(place)[0]["SnapshotId"]
    (old,) = place.volumes(NAME)
    done = place.run("playbooks/restore.yml", cloudtop_name=NAME, cloudtop_restore_from=ident)
    assert done.code == 0, done.text
    (new,) = place.volumes(NAME)
    assert (new["SnapshotId"], new["VolumeId"] != old["VolumeId"]) == (ident, True)
    assert marked(place) == [new["VolumeId"]]
    assert provision(place).code == 0
    later(running[1], 1, place)
    assert scheduled(place)[0]["VolumeId"] == new["VolumeId"]
    # Nobody manages those of the old volume any more, so as many of them are kept
    assert [each["VolumeId"] for each in scheduled(place)[1:]] == [old["VolumeId"]] * 2
    assert provision(place, keep=1).code == 0
    assert [each["VolumeId"] for each in scheduled(place)] == [new["VolumeId"], old["VolumeId"]]


def test_no_hours_end_the_schedule_and_snapshots_stay(place: Place, first: Outcome) -> None:
    before = [each["SnapshotId"] for each in snapshots(place)]
    off = provision(place, hours=0)
    assert off.code == 0, off.text
    assert (policies(place), roles(place), marked(place)) == ([], [], [])
    assert [each["SnapshotId"] for each in snapshots(place)] == before
    again = provision(place, hours=0)
    assert (again.code, again.changed) == (0, 0), again.text


def test_destroy_ends_the_schedule(place: Place, first: Outcome) -> None:
    assert provision(place).code == 0
    assert len(policies(place)) == 1
    outcome = place.run("playbooks/destroy.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    assert (policies(place), roles(place), marked(place)) == ([], [], [])
    assert len(place.volumes(NAME)) == 1
    again = place.run("playbooks/destroy.yml", cloudtop_name=NAME)
    assert (again.code, again.changed) == (0, 0), again.text


def test_a_schedule_keeps_a_number(place: Place) -> None:
    refused = provision(place, keep=0)
    assert "cloudtop_snapshot_keep is 0, and a schedule keeps 1 to 1000" in refused.sentence


def test_another_cloudtops_policy_is_left_alone(place: Place, tmp_path: Path) -> None:
    given = {"cloudtop_snapshot_hours": 24, "cloudtop_snapshot_keep": 3}
    other = place.run("playbooks/cloud.yml", cloudtop_name="other", **given)
    assert other.code == 0, other.text
    assert place.run("playbooks/destroy.yml", cloudtop_name=NAME).code == 0
    (policy,) = policies(place)
    assert policy["Tags"]["cloudtop:name"] == "other"
