"""A bake at EC2: one image of it, no parts beside it, and the request that changes over to it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles.plays import Outcome, Place, of, tags

NAME = "box"
WHOLE = ["copy", "seal"]


def bake(place: Place, steps: list[str], **settings: Any) -> Outcome:
    return place.run("tests/playbooks/bake.yml", cloudtop_name=NAME, steps=steps, **settings)


def provision(place: Place, **settings: Any) -> Outcome:
    return place.run("playbooks/cloud.yml", cloudtop_name=NAME, **settings)


def images(place: Place) -> list[dict[str, Any]]:
    """Newest first."""
    images = place.ec2.describe_images(Owners=["self"], Filters=of(NAME))["Images"]
    return sorted(images, key=lambda image: str(image["CreationDate"]), reverse=True)


def live(place: Place) -> dict[str, Any]:
    (only,) = [each for each in place.requests(NAME) if each["State"] in {"open", "active"}]
    return only


def parts(place: Place) -> set[str]:
    """Copies and snapshots of the cloudtop that no image is made of."""
    used = {each["Ebs"]["SnapshotId"] for i in images(place) for each in i["BlockDeviceMappings"]}
    snapshots = place.ec2.describe_snapshots(OwnerIds=["self"], Filters=of(NAME))["Snapshots"]
    snapshots = {each["SnapshotId"] for each in snapshots} - used
    volumes = place.ec2.describe_volumes(Filters=of(NAME))["Volumes"]
    copies = {each["VolumeId"] for each in volumes if tags(each).get("cloudtop:role") == "copy"}
    return snapshots | copies


@pytest.fixture(scope="module")
def baked(place: Place) -> Outcome:
    """A cloudtop with one image; the tests below go on from it, in their order."""
    outcome = provision(place)
    assert outcome.code == 0, outcome.text
    outcome = bake(place, WHOLE)
    assert outcome.code == 0, outcome.text
    return outcome


def test_a_bake_leaves_one_image_and_no_parts(place: Place, baked: Outcome) -> None:
    (image,) = images(place)
    assert tags(image)["cloudtop:owner"] == "alice"
    assert image["ImdsSupport"] == "v2.0"
    assert image["Public"] is False
    assert parts(place) == set()


def test_the_persistent_volume_is_in_no_image(place: Place, baked: Outcome) -> None:
    (image,) = images(place)
    (root,) = image["BlockDeviceMappings"]
    assert root["DeviceName"] == image["RootDeviceName"]
    assert root["Ebs"]["Encrypted"] is True
    (volume,) = place.volumes(NAME)
    snapshot = place.ec2.describe_snapshots(SnapshotIds=[root["Ebs"]["SnapshotId"]])["Snapshots"][0]
    assert snapshot["VolumeId"] != volume["VolumeId"]


def test_a_live_request_keeps_its_image_until_a_renewal(place: Place, baked: Outcome) -> None:
    before = live(place)
    outcome = provision(place)
    assert (outcome.code, outcome.changed) == (0, 0), outcome.text
    assert "To have it, with the same volume: python runner.py provision -e" in outcome.text
    assert live(place)["SpotInstanceRequestId"] == before["SpotInstanceRequestId"]


def test_a_renewed_request_launches_the_image_with_the_same_volume(
    place: Place, baked: Outcome
) -> None:
    before, (volume,) = live(place), place.volumes(NAME)
    outcome = provision(place, cloudtop_renew=True)
    assert outcome.code == 0, outcome.text
    after = live(place)
    assert after["SpotInstanceRequestId"] != before["SpotInstanceRequestId"]
    (image,) = images(place)
    assert after["LaunchSpecification"]["ImageId"] == image["ImageId"]
    assert place.instances(before["SpotInstanceRequestId"]) == []
    (instance,) = place.instances(after["SpotInstanceRequestId"])
    assert instance["ImageId"] == image["ImageId"]
    assert [each["VolumeId"] for each in place.volumes(NAME)] == [volume["VolumeId"]]
    again = provision(place, cloudtop_renew=True)
    assert (again.code, again.changed) == (0, 0), again.text


def test_a_bake_that_was_cut_off_is_cleared_away(place: Place, baked: Outcome) -> None:
    cut = bake(place, ["copy"])
    assert cut.code == 0, cut.text
    assert len(parts(place)) == 2
    outcome = bake(place, ["clear"])
    assert outcome.code == 0, outcome.text
    assert parts(place) == set()
    assert len(images(place)) == 1


def test_a_reap_during_the_bake_takes_the_copy_too(place: Place, baked: Outcome) -> None:
    cut = bake(place, ["copy"])
    assert cut.code == 0, cut.text
    (instance,) = place.instances(live(place)["SpotInstanceRequestId"])
    place.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    place.ec2.get_waiter("instance_terminated").wait(
        InstanceIds=[instance["InstanceId"]], WaiterConfig={"Delay": 1}
    )
    (left,) = parts(place)
    assert left.startswith("snap-")
    assert provision(place).code == 0
    outcome = bake(place, WHOLE)
    assert outcome.code == 0, outcome.text
    assert (len(images(place)), parts(place)) == (2, set())


def test_keeps_the_newest_and_the_one_that_a_request_names(place: Place, baked: Outcome) -> None:
    pinned = live(place)["LaunchSpecification"]["ImageId"]
    for _ in range(2):
        outcome = bake(place, WHOLE, cloudtop_images_kept=1)
        assert outcome.code == 0, outcome.text
    kept = [image["ImageId"] for image in images(place)]
    assert len(kept) == 2
    assert kept[-1] == pinned
    assert parts(place) == set()


def test_destroy_keeps_images_unless_the_volume_goes_too(place: Place, baked: Outcome) -> None:
    kept = [image["ImageId"] for image in images(place)]
    assert place.run("playbooks/destroy.yml", cloudtop_name=NAME).code == 0
    assert [image["ImageId"] for image in images(place)] == kept
    gone = place.run("playbooks/destroy.yml", cloudtop_name=NAME, cloudtop_delete_volume=NAME)
    assert gone.code == 0, gone.text
    assert (images(place), parts(place), place.volumes(NAME)) == ([], set(), [])
