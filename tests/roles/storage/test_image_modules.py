"""The modules with which an image is baked work against the rehearsal cloud unchanged."""

from __future__ import annotations

import pytest

from tests.machine_programs.support import load
from tests.roles.plays import Place

image_of_snapshot = load.module("ec2_image_of_snapshot")


def test_modules_bake_change_and_remove_an_image(place: Place) -> None:
    ran = place.ec2.run_instances(ImageId=place.image(), MinCount=1, MaxCount=1)
    instance = ran["Instances"][0]["InstanceId"]
    place.ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig={"Delay": 1})
    outcome = place.run("tests/playbooks/images.yml", instance=instance)
    assert outcome.code == 0, outcome.text
    assert place.ec2.describe_images(Owners=["self"])["Images"] == []
    assert place.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


@pytest.mark.parametrize(
    ("instance_type", "stores"),
    [
        ("c3.xlarge", [("/dev/sdb", "ephemeral0"), ("/dev/sdc", "ephemeral1")]),
        ("i3.4xlarge", []),
        ("m5.large", []),
    ],
)
def test_b2_the_image_maps_the_disks_of_the_machine_that_it_is_of(
    place: Place, instance_type: str, stores: list[tuple[str, str]]
) -> None:
    instance = {"InstanceType": instance_type, "RootDeviceName": "/dev/sda1"}
    params = {"name": "x", "description": "", "snapshot": "snap-1", "no_device": [], "tags": {}}
    mapped = image_of_snapshot.mapped_stores(place.ec2, instance)
    _, *entries = image_of_snapshot.registration(params, instance, mapped)["BlockDeviceMappings"]
    assert [(each["DeviceName"], each["VirtualName"]) for each in entries] == stores
