"""Lifecycle policies act by themselves at their times, on the cloud's own clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from localcloud.dlm.models import POLICY_TAG, SCHEDULE_TAG
from tests.localcloud.clock import Clock
from tests.localcloud.lab import Lab, until
from tests.localcloud.lifecycle import create_policy, details

SAVED = [{"ResourceType": "volume", "Tags": [{"Key": "saved", "Value": "yes"}]}]


@pytest.fixture
def clock(lab: Lab, clock: Clock) -> Clock:
    """At midnight, when nothing is due."""
    dlm = lab.client("dlm")
    for policy in dlm.get_lifecycle_policies()["Policies"]:
        dlm.delete_lifecycle_policy(PolicyId=policy["PolicyId"])
    clock.now = clock.now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    return clock


def taken(lab: Lab, volume: str) -> list[dict[str, Any]]:
    """Newest first, each with its tags as a mapping, once all of them are whole."""

    def whole() -> list[dict[str, Any]] | None:
        by_volume = [{"Name": "volume-id", "Values": [volume]}]
        snapshots = lab.ec2.describe_snapshots(Filters=by_volume)["Snapshots"]
        return [snapshots] if all(each["State"] == "completed" for each in snapshots) else None

    (snapshots,) = until("whole snapshots", whole)
    for each in snapshots:
        each["Tags"] = {tag["Key"]: tag["Value"] for tag in each["Tags"]}
    return sorted(snapshots, key=lambda each: str(each["StartTime"]), reverse=True)


def test_takes_one_at_each_time_and_keeps_the_newest(lab: Lab, clock: Clock) -> None:
    volume, other = lab.volume(TagSpecifications=SAVED), lab.volume()
    by_hand = lab.snapshot(volume)
    policy = create_policy(lab)
    clock.skip(minutes=29)
    assert len(taken(lab, volume)) == 1
    clock.skip(minutes=1)
    first = taken(lab, volume)[0]
    assert first["Tags"] == {
        "saved": "yes",
        "role": "snapshot",
        POLICY_TAG: policy,
        SCHEDULE_TAG: "now and then",
        "dlm:managed": "true",
    }
    assert sum(first["SnapshotId"] in call for call in lab.host.calls) == 1
    ids = [first["SnapshotId"]]
    for _ in range(3):
        clock.skip(hours=4)
        clock.look()
        ids.insert(0, taken(lab, volume)[0]["SnapshotId"])
    assert len(set(ids)) == 4
    assert [each["SnapshotId"] for each in taken(lab, volume)] == [*ids[:2], by_hand]
    assert taken(lab, other) == []


def test_what_was_missed_is_not_made_up_for(lab: Lab, clock: Clock) -> None:
    volume = lab.volume(TagSpecifications=SAVED)
    create_policy(lab, PolicyDetails=details(keep=9))
    clock.skip(days=2)
    assert len(taken(lab, volume)) == 1


def test_a_disabled_policy_and_a_volume_without_the_tag_rest(lab: Lab, clock: Clock) -> None:
    volume = lab.volume(TagSpecifications=SAVED)
    policy = create_policy(lab, State="DISABLED")
    clock.skip(hours=8)
    assert taken(lab, volume) == []
    lab.client("dlm").update_lifecycle_policy(PolicyId=policy, State="ENABLED")
    clock.look()
    assert taken(lab, volume) == []
    clock.skip(hours=4)
    assert len(taken(lab, volume)) == 1
    lab.ec2.delete_tags(Resources=[volume], Tags=[{"Key": "saved"}])
    clock.skip(hours=20)
    assert len(taken(lab, volume)) == 1


def test_a_deleted_policy_leaves_its_snapshots(lab: Lab, clock: Clock) -> None:
    volume = lab.volume(TagSpecifications=SAVED)
    policy = create_policy(lab)
    clock.skip(hours=1)
    lab.client("dlm").delete_lifecycle_policy(PolicyId=policy)
    clock.skip(hours=8)
    assert [each["Tags"][POLICY_TAG] for each in taken(lab, volume)] == [policy]


def test_without_its_role_a_policy_is_in_error_until_it_is_enabled_again(
    lab: Lab, clock: Clock
) -> None:
    volume = lab.volume(TagSpecifications=SAVED)
    policy, dlm, iam = create_policy(lab), lab.client("dlm"), lab.client("iam")
    iam.delete_role(RoleName="for-dlm")
    clock.skip(hours=1)
    facts = dlm.get_lifecycle_policy(PolicyId=policy)["Policy"]
    assert facts["State"] == "ERROR"
    assert "cannot be assumed" in facts["StatusMessage"]
    assert taken(lab, volume) == []
    lab.refused(
        "InvalidRequestException", dlm.update_lifecycle_policy, PolicyId=policy, State="ENABLED"
    )


def test_one_that_an_image_is_made_of_stays(lab: Lab, clock: Clock) -> None:
    root = lab.root(lab.run())
    lab.ec2.create_tags(Resources=[root], Tags=SAVED[0]["Tags"])
    create_policy(lab, PolicyDetails=details(keep=1))
    clock.skip(hours=1)
    used = taken(lab, root)[0]["SnapshotId"]
    lab.baked("of a schedule", snapshot=used)
    for _ in range(2):
        clock.skip(hours=4)
        newest = taken(lab, root)[0]["SnapshotId"]
    assert [each["SnapshotId"] for each in taken(lab, root)] == [newest, used]
