"""Snapshots of the volume: one for a label however often it is asked for, and the old ones go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.machines.fake import FakeHost
from tests.cloud import fake_cloud
from tests.roles.plays import Outcome, Place, of, tags, tags_for

NAME = "box"
PLAYBOOK = "playbooks/snapshot.yml"


@pytest.fixture(scope="module")
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, host: FakeHost) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("home")
    with fake_cloud(tmp_path_factory.mktemp("cloud"), host) as (endpoint, _server, _host):
        place = Place(endpoint, home)
        volume = place.make_volume(NAME)
        formatted = [{"Key": "cloudtop:formatted", "Value": "ext4"}]
        place.ec2.create_tags(Resources=[volume], Tags=formatted)
        yield place


def take(place: Place, label: str, *options: str, **settings: Any) -> Outcome:
    return place.run(
        PLAYBOOK, *options, cloudtop_name=NAME, cloudtop_snapshot_label=label, **settings
    )


def snapshots(place: Place) -> list[dict[str, Any]]:
    """Newest first."""
    snapshots = place.ec2.describe_snapshots(OwnerIds=["self"], Filters=of(NAME))["Snapshots"]
    ours = [each for each in snapshots if tags(each).get("cloudtop:role") == "snapshot"]
    return sorted(ours, key=lambda each: str(each["StartTime"]), reverse=True)


def labels(place: Place) -> list[str]:
    return [tags(each)["cloudtop:label"] for each in snapshots(place)]


def begin(place: Place, label: str, role: str = "snapshot") -> str:
    """A snapshot made by hand, as one that a killed run began."""
    more = {"cloudtop:label": label, "cloudtop:role": role}
    (spec,) = tags_for("snapshot", NAME)
    spec["Tags"] += [{"Key": key, "Value": value} for key, value in more.items()]
    (volume,) = place.volumes(NAME)
    snapshot = place.ec2.create_snapshot(VolumeId=volume["VolumeId"], TagSpecifications=[spec])
    return str(snapshot["SnapshotId"])


def done(place: Place, snapshot: str) -> str:
    place.ec2.get_waiter("snapshot_completed").wait(
        SnapshotIds=[snapshot], WaiterConfig={"Delay": 1}
    )
    return snapshot


def test_check_mode_takes_none(place: Place) -> None:
    before = place.mutating_calls()
    outcome = take(place, "first", "--check")
    assert outcome.code == 0, outcome.text
    assert (place.mutating_calls(), snapshots(place)) == (before, [])


def test_takes_a_snapshot_once_with_all_its_tags(place: Place) -> None:
    outcome = take(place, "first")
    assert (outcome.code, outcome.changed) == (0, 1), outcome.text
    (one,) = snapshots(place)
    assert one["State"] == "completed"
    assert tags(one) == {
        "Name": "cloudtop-box-first",
        "cloudtop:name": "box",
        "cloudtop:owner": "alice",
        "cloudtop:role": "snapshot",
        "cloudtop:label": "first",
        "cloudtop:formatted": "ext4",
    }
    for options in ([], ["--check"]):
        again = take(place, "first", *options)
        assert (again.code, again.changed) == (0, 0), again.text
    assert [each["SnapshotId"] for each in snapshots(place)] == [one["SnapshotId"]]


def test_awaits_the_snapshot_of_a_killed_run(place: Place, host: FakeHost) -> None:
    host.copying.clear()
    try:
        begun = [begin(place, "second"), begin(place, "20260102-030405")]
        before = place.mutating_calls()
        for asked, label in (("second", "second"), ("", "20260102-030405")):
            waited = take(place, asked, volume_snapshot_deadline=5)
            assert waited.code != 0
            assert f"({label}) is pending" in waited.sentence
            assert f"run again: python runner.py snapshot {label}" in waited.sentence
        assert place.mutating_calls() == before
    finally:
        host.copying.set()
    outcome = take(place, "second")
    assert (outcome.code, outcome.changed) == (0, 0), outcome.text
    assert {done(place, each) for each in begun} <= {s["SnapshotId"] for s in snapshots(place)}
    assert labels(place).count("second") == 1


def test_the_newest_are_kept_and_those_of_images_and_of_other_roles(place: Place) -> None:
    (volume,) = place.volumes(NAME)
    used = done(place, begin(place, "used"))
    image = place.ec2.register_image(
        Name="by hand",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/sda1",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": root(place)}},
            {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": used}},
        ],
    )
    assert image["ImageId"]
    other = done(place, begin(place, "other", role="copy"))
    strangers = done(place, place.ec2.create_snapshot(VolumeId=volume["VolumeId"])["SnapshotId"])
    done(place, begin(place, "third"))
    outcome = take(place, "fourth", cloudtop_snapshot_keep=2)
    assert outcome.code == 0, outcome.text
    assert labels(place) == ["fourth", "third", "used"]
    left = place.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert {other, strangers} <= {each["SnapshotId"] for each in left}
    again = take(place, "fourth", cloudtop_snapshot_keep=2)
    assert (again.code, again.changed) == (0, 0), again.text
    assert take(place, "fifth", cloudtop_snapshot_keep=0).code == 0
    assert labels(place) == ["fifth", "fourth", "third", "used"]


def root(place: Place) -> str:
    """A snapshot that an image can boot from."""
    ran = place.ec2.run_instances(ImageId=place.image(), MinCount=1, MaxCount=1)
    machine = ran["Instances"][0]["InstanceId"]
    place.ec2.get_waiter("instance_running").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1})
    by_machine = [{"Name": "attachment.instance-id", "Values": [machine]}]
    (volume,) = place.ec2.describe_volumes(Filters=by_machine)["Volumes"]
    snapshot = place.ec2.create_snapshot(VolumeId=volume["VolumeId"])
    return done(place, snapshot["SnapshotId"])


def test_refuses_a_bad_label_and_a_missing_volume(place: Place) -> None:
    nothing = place.run(PLAYBOOK, cloudtop_name="nobody")
    assert nothing.code != 0
    assert "The cloudtop nobody has no volume in us-east-1" in nothing.sentence
    bad = take(place, "snap-1")
    assert bad.code != 0
    assert '"snap-1" can\'t be' in bad.sentence
    assert "python runner.py snapshot" in bad.sentence


def test_names_a_failed_snapshot_and_clears_up_the_next_time(place: Place, host: FakeHost) -> None:
    (volume,) = place.volumes(NAME)
    host.broken.add(volume["VolumeId"])
    outcome = take(place, "broken")
    assert outcome.code != 0
    assert "is error" in outcome.sentence
    host.broken.clear()
    assert take(place, "broken").code == 0
    assert labels(place).count("broken") == 1
