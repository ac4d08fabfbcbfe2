"""Another type, bid, image or zone with the same data, and what is refused beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.machines.fake import FakeHost
from tests.cloud import fake_cloud
from tests.roles.plays import Outcome, Place, of, tags, tags_for

NAME = "box"
ZONE = "us-east-1b"


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def place(tmp_path: Path, host: FakeHost) -> Iterator[Place]:
    with fake_cloud(tmp_path / "cloud", host) as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path / "home")


def provision(place: Place, **settings: Any) -> Outcome:
    return place.run("playbooks/cloud.yml", cloudtop_name=NAME, **settings)


def move(place: Place, *options: str, zone: str = ZONE, **settings: Any) -> Outcome:
    return place.run(
        "playbooks/switch_zone.yml",
        *options,
        cloudtop_name=NAME,
        cloudtop_switch_zone=zone,
        **settings,
    )


def live(place: Place) -> dict[str, Any]:
    (one,) = [each for each in place.requests(NAME) if each["State"] in {"open", "active"}]
    return one


def volumes(place: Place, role: str) -> list[dict[str, Any]]:
    volumes = place.ec2.describe_volumes(Filters=of(NAME))["Volumes"]
    return [each for each in volumes if tags(each).get("cloudtop:role") == role]


def labels(place: Place) -> list[str]:
    snapshots = place.ec2.describe_snapshots(OwnerIds=["self"], Filters=of(NAME))["Snapshots"]
    return [tags(each)["cloudtop:label"] for each in snapshots]


def test_another_type_and_bid_are_another_request_with_the_same_volume(place: Place) -> None:
    assert provision(place).code == 0
    before, (volume,) = live(place), place.volumes(NAME)
    wanted = {"cloudtop_instance_type": "c3.xlarge", "cloudtop_bid": 0.09}
    kept = provision(place, **wanted)
    assert (kept.code, kept.changed) == (0, 0), kept.text
    for words in ("its type is m5d.4xlarge, not c3.xlarge", "its bid is 0.65, not 0.09"):
        assert words in kept.text
    assert "python runner.py switch" in kept.text
    calls = place.mutating_calls()
    checked = provision(place, cloudtop_switch=True, **wanted)
    assert checked.code == 0, checked.text
    after = live(place)
    assert after["SpotInstanceRequestId"] != before["SpotInstanceRequestId"]
    assert after["LaunchSpecification"]["InstanceType"] == "c3.xlarge"
    assert float(after["SpotPrice"]) == 0.09
    assert place.instances(before["SpotInstanceRequestId"]) == []
    assert [each["InstanceType"] for each in place.instances(after["SpotInstanceRequestId"])] == [
        "c3.xlarge"
    ]
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [volume["VolumeId"]]
    calls = place.mutating_calls()
    again = provision(place, cloudtop_switch=True, **wanted)
    assert (again.code, again.changed) == (0, 0), again.text
    assert place.mutating_calls() == calls


def test_what_can_not_be_had_ends_no_machine(place: Place) -> None:
    assert provision(place, cloudtop_zone=ZONE).code == 0
    before = live(place)
    (instance,) = place.instances(before["SpotInstanceRequestId"])
    calls = place.mutating_calls()
    for wanted, words in (
        ({"cloudtop_image": "ami-0123456789abcdef0"}, "There is no image ami-0123456789abcdef0"),
        ({"cloudtop_instance_type": "g7e.2xlarge"}, "g7e.2xlarge can't be had in us-east-1b"),
    ):
        refused = provision(place, cloudtop_switch=True, **wanted)
        assert refused.code != 0
        assert words in refused.sentence
    nowhere = place.run(
        "playbooks/switch_prepare.yml", cloudtop_name=NAME, cloudtop_switch_zone="us-east-1z"
    )
    assert "m5d.4xlarge can't be had in us-east-1z: us-east-1 offers it in" in nowhere.sentence
    unnamed = place.run("playbooks/switch_zone.yml", cloudtop_name=NAME)
    assert "No zone is named to take the volume to, so nothing was ended" in unnamed.sentence
    assert place.mutating_calls() == calls
    assert live(place)["SpotInstanceRequestId"] == before["SpotInstanceRequestId"]
    assert place.instances(before["SpotInstanceRequestId"])[0]["State"] == instance["State"]


def test_another_zone_has_all_the_volume_had_and_the_old_one_is_kept(place: Place) -> None:
    assert provision(place, cloudtop_zone="us-east-1a").code == 0
    (old,) = place.volumes(NAME)
    request = live(place)["SpotInstanceRequestId"]
    (machine,) = place.instances(request)
    place.ec2.attach_volume(
        VolumeId=old["VolumeId"], InstanceId=machine["InstanceId"], Device="/dev/xvdj"
    )
    formatted = [{"Key": "cloudtop:formatted", "Value": "ext4"}]
    place.ec2.create_tags(Resources=[old["VolumeId"]], Tags=formatted)
    prepared = place.run(
        "playbooks/switch_prepare.yml", cloudtop_name=NAME, cloudtop_switch_zone=ZONE
    )
    assert prepared.code == 0, prepared.text
    assert labels(place) == [f"early-{ZONE}"]
    assert place.instances(request) != []
    done = move(place)
    assert done.code == 0, done.text
    assert place.instances(request) == []
    (new,) = place.volumes(NAME)
    assert (new["AvailabilityZone"], new["Encrypted"], new["Size"]) == (ZONE, True, old["Size"])
    assert tags(new)["cloudtop:formatted"] == "ext4"
    assert "cloudtop:at-rest" not in tags(new)
    (kept,) = volumes(place, "replaced")
    assert kept["VolumeId"] == old["VolumeId"]
    assert tags(kept)["cloudtop:replaced-by"] == new["VolumeId"]
    (label,) = labels(place)
    assert label.startswith("before-switch-")
    for options in ([], ["--check"]):
        again = move(place, *options)
        assert (again.code, again.changed) == (0, 0), again.text
    assert provision(place, cloudtop_zone=ZONE).code == 0
    assert live(place)["LaunchSpecification"]["Placement"]["AvailabilityZone"] == ZONE
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [new["VolumeId"]]


def test_a_machine_in_between_makes_the_snapshot_old(place: Place, host: FakeHost) -> None:
    volume = place.make_volume(NAME)
    host.copying.clear()
    try:
        cut = move(place, volume_snapshot_deadline=5)
        assert cut.code != 0
        assert "is pending" in cut.sentence
    finally:
        host.copying.set()
    (marked,) = place.volumes(NAME)
    (first,) = labels(place)
    assert tags(marked)["cloudtop:at-rest"] == first
    assert provision(place).code == 0
    (used,) = place.volumes(NAME)
    assert "cloudtop:at-rest" not in tags(used)
    done = move(place)
    assert done.code == 0, done.text
    (new,) = place.volumes(NAME)
    (origin,) = place.ec2.describe_snapshots(SnapshotIds=[new["SnapshotId"]])["Snapshots"]
    assert tags(origin)["cloudtop:label"] != first
    assert [each["VolumeId"] for each in volumes(place, "replaced")] == [volume]


def test_a_request_that_was_made_meanwhile_keeps_its_volume(place: Place) -> None:
    volume = place.make_volume(NAME)
    spec = {
        "ImageId": place.image(),
        "InstanceType": "m5d.4xlarge",
        "Placement": {"AvailabilityZone": "us-east-1a"},
    }
    request = place.make_request(
        LaunchSpecification=spec, TagSpecifications=tags_for("spot-instances-request", NAME)
    )
    refused = place.run("tests/playbooks/move.yml", cloudtop_name=NAME, cloudtop_switch_zone=ZONE)
    assert f"the request {request} was made while it was being copied" in refused.sentence
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [volume]
    assert volumes(place, "replaced") == []


def mark(place: Place, resource: str, **named: str) -> None:
    pairs = {f"cloudtop:{key.replace('_', '-')}": value for key, value in named.items()}
    new_tags = [{"Key": key, "Value": value} for key, value in pairs.items()]
    place.ec2.create_tags(Resources=[resource], Tags=new_tags)


def half_moved(place: Place, volume: str, zone: str) -> str:
    """As a switch to that zone leaves it that is killed before its last two tags."""
    label = "before-switch-20260102-030405"
    mark(place, volume, at_rest=label)
    taken = place.ec2.create_snapshot(
        VolumeId=volume, TagSpecifications=tags_for("snapshot", NAME)
    )["SnapshotId"]
    mark(place, taken, role="snapshot", label=label)
    waiter = place.ec2.get_waiter("snapshot_completed")
    waiter.wait(SnapshotIds=[taken], WaiterConfig={"Delay": 1})
    half = place.ec2.create_volume(
        AvailabilityZone=zone,
        SnapshotId=taken,
        Encrypted=True,
        TagSpecifications=tags_for("volume", NAME),
    )["VolumeId"]
    mark(place, half, role="restoring", restored_from=taken, moved_from="us-east-1a")
    place.ec2.get_waiter("volume_available").wait(VolumeIds=[half], WaiterConfig={"Delay": 1})
    return str(half)


def test_a_half_made_volume_of_another_zone_is_set_aside_and_none_is_deleted(
    place: Place,
) -> None:
    volume = place.make_volume(NAME)
    # A snapshot with a label like ours is not ours to delete
    named = {"cloudtop_snapshot_label": f"early-{ZONE}"}
    assert place.run("playbooks/snapshot.yml", cloudtop_name=NAME, **named).code == 0
    aside = half_moved(place, volume, "us-east-1c")
    done = move(place)
    assert done.code == 0, done.text
    (new,) = place.volumes(NAME)
    assert (new["AvailabilityZone"], new["VolumeId"] != aside) == (ZONE, True)
    assert {each["VolumeId"] for each in volumes(place, "replaced")} == {volume, aside}
    # The same volume was at rest all the while
    assert set(labels(place)) == {"before-switch-20260102-030405", f"early-{ZONE}"}
    back = move(place, zone="us-east-1c")
    assert back.code == 0, back.text
    (newest,) = place.volumes(NAME)
    assert newest["AvailabilityZone"] == "us-east-1c"
    assert newest["VolumeId"] not in {volume, aside, new["VolumeId"]}


def test_half_done_each_other_command_names_the_one_that_goes_on(place: Place) -> None:
    old = place.make_volume(NAME)
    half = half_moved(place, old, ZONE)
    label = "before-switch-20260102-030405"
    restored = place.run(
        "playbooks/restore_prepare.yml", cloudtop_name=NAME, cloudtop_restore_from=label
    )
    assert f"A switch of the zone is half done: {half} is its volume" in restored.sentence
    assert f"python runner.py switch --zone {ZONE}" in restored.sentence
    # As it is when it is killed between the two tags
    mark(place, old, role="replaced", replaced_by=half)
    refused = provision(place)
    assert "A switch of the zone of the cloudtop box is half done" in refused.sentence
    assert refused.sentence.endswith(f"python runner.py switch --zone {ZONE}")
    assert place.volumes(NAME) == []
    done = move(place)
    assert done.code == 0, done.text
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [half]
    nothing = place.run(
        "playbooks/switch_zone.yml", cloudtop_name="nobody", cloudtop_switch_zone=ZONE
    )
    assert "The cloudtop nobody has no volume in us-east-1" in nothing.sentence
