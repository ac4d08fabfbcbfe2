"""A snapshot in the volume's place: one live volume at any moment, and the old one is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import fake_cloud
from tests.roles.plays import Outcome, Place, of, tags

NAME = "box"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path / "home")


def restore(place: Place, *options: str, **settings: Any) -> Outcome:
    given = {"cloudtop_restore_from": "good", **settings}
    return place.run("playbooks/restore.yml", *options, cloudtop_name=NAME, **given)


def provision(place: Place) -> Outcome:
    return place.run("playbooks/cloud.yml", cloudtop_name=NAME)


def take(place: Place) -> None:
    taken = place.run("playbooks/snapshot.yml", cloudtop_name=NAME, cloudtop_snapshot_label="good")
    assert taken.code == 0, taken.text


def volumes(place: Place, role: str) -> list[dict[str, Any]]:
    volumes = place.ec2.describe_volumes(Filters=of(NAME))["Volumes"]
    return [each for each in volumes if tags(each).get("cloudtop:role") == role]


def test_a_running_cloudtop_is_ended_and_its_volume_replaced(place: Place) -> None:
    assert provision(place).code == 0
    (old,) = place.volumes(NAME)
    place.ec2.create_tags(
        Resources=[old["VolumeId"]], Tags=[{"Key": "cloudtop:formatted", "Value": "ext4"}]
    )
    take(place)
    (snapshot,) = place.ec2.describe_snapshots(OwnerIds=["self"], Filters=of(NAME))["Snapshots"]
    before = place.mutating_calls()
    checked = restore(place, "--check")
    assert checked.code == 0, checked.text
    assert place.mutating_calls() == before
    done = restore(place)
    assert done.code == 0, done.text
    (new,) = place.volumes(NAME)
    assert (new["SnapshotId"], new["Encrypted"]) == (snapshot["SnapshotId"], True)
    assert (new["Size"], new["AvailabilityZone"]) == (old["Size"], old["AvailabilityZone"])
    new_tags = tags(new)
    assert new_tags["cloudtop:formatted"] == "ext4"
    assert new_tags["cloudtop:restored-from"] == snapshot["SnapshotId"]
    (kept,) = volumes(place, "replaced")
    assert (kept["VolumeId"], kept["State"]) == (old["VolumeId"], "available")
    assert tags(kept)["cloudtop:replaced-by"] == new["VolumeId"]
    assert tags(kept)["Name"] == "cloudtop-box-replaced"
    assert [each for each in place.requests(NAME) if each["State"] in {"open", "active"}] == []
    # Law 4: nothing is done twice
    again = restore(place)
    assert (again.code, again.changed) == (0, 0), again.text
    checked = restore(place, "--check")
    assert (checked.code, checked.changed) == (0, 0), checked.text
    # The next machine has the new one
    assert provision(place).code == 0
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [new["VolumeId"]]
    # A machine has had it, so the same snapshot is meant anew
    assert restore(place).code == 0
    (newest,) = place.volumes(NAME)
    assert newest["VolumeId"] not in {old["VolumeId"], new["VolumeId"]}
    assert len(volumes(place, "replaced")) == 2


def test_a_lost_volume_comes_back_and_a_free_one_is_replaced_once_more(place: Place) -> None:
    lost = place.make_volume(NAME, "us-east-1b")
    take(place)
    place.ec2.delete_volume(VolumeId=lost)
    done = restore(place, cloudtop_zone="us-east-1c")
    assert done.code == 0, done.text
    (new,) = place.volumes(NAME)
    assert (new["AvailabilityZone"], new["Encrypted"]) == ("us-east-1c", True)
    assert volumes(place, "replaced") == []
    again = restore(place, cloudtop_restore_again=True)
    assert again.code == 0, again.text
    (kept,) = volumes(place, "replaced")
    assert kept["VolumeId"] == new["VolumeId"]


def test_half_done_no_provision_makes_an_empty_volume_and_no_other_restore_begins(
    place: Place,
) -> None:
    old = place.make_volume(NAME)
    take(place)
    outcome = place.run(
        "playbooks/restore_prepare.yml", cloudtop_name=NAME, cloudtop_restore_from="good"
    )
    assert outcome.code == 0, outcome.text
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [old]
    (half,) = volumes(place, "restoring")
    snapshot = half["SnapshotId"]
    # As a run that was killed between the two tags leaves it
    replaced = {"cloudtop:role": "replaced", "cloudtop:replaced-by": half["VolumeId"]}
    marks = [{"Key": key, "Value": value} for key, value in replaced.items()]
    place.ec2.create_tags(Resources=[old], Tags=marks)
    refused = provision(place)
    assert refused.code != 0
    assert f"python runner.py restore {snapshot}" in refused.sentence
    assert place.volumes(NAME) == []
    copy = place.ec2.create_snapshot(
        VolumeId=old,
        TagSpecifications=[
            {
                "ResourceType": "snapshot",
                "Tags": [
                    *(
                        {"Key": f"cloudtop:{key}", "Value": value}
                        for key, value in (
                            ("name", NAME),
                            ("owner", "alice"),
                            ("role", "snapshot"),
                            ("label", "b"),
                        )
                    ),
                ],
            }
        ],
    )["SnapshotId"]
    place.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[copy], WaiterConfig={"Delay": 1})
    other = restore(place, cloudtop_restore_from="b")
    assert f"A restore of {snapshot} is half done" in other.sentence
    done = restore(place, cloudtop_restore_from=snapshot)
    assert done.code == 0, done.text
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [half["VolumeId"]]
    assert [each["VolumeId"] for each in volumes(place, "replaced")] == [old]


def test_refuses_what_is_not_there_and_a_volume_that_a_stranger_has(place: Place) -> None:
    volume = place.make_volume(NAME)
    nothing = restore(place)
    assert nothing.code != 0
    assert 'box has no snapshot "good"; run: python runner.py snapshot --list' in nothing.sentence
    take(place)
    ran = place.ec2.run_instances(
        ImageId=place.image(), InstanceType="m5d.4xlarge",
        Placement={"AvailabilityZone": "us-east-1a"}, MinCount=1, MaxCount=1,
    )  # fmt: skip
    stranger = ran["Instances"][0]["InstanceId"]
    place.ec2.get_waiter("instance_running").wait(InstanceIds=[stranger], WaiterConfig={"Delay": 1})
    place.ec2.attach_volume(VolumeId=volume, InstanceId=stranger, Device="/dev/xvdj")
    before = place.mutating_calls()
    held = restore(place)
    assert held.code != 0
    assert f"{volume} is attached to {stranger}, which is no machine of" in held.sentence
    assert place.mutating_calls() == before
