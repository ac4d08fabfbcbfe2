"""Instance store of types that run on Xen: their disks are there only if the launch maps them."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.machines.interface import InstanceStoreDisk
from tests.localcloud.lab import Lab

MAPPED = [
    {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"},
    # More than c3.xlarge has: EC2 ignores it
    {"DeviceName": "/dev/sdd", "VirtualName": "ephemeral2"},
]


def disks(lab: Lab, ident: str) -> tuple[InstanceStoreDisk, ...]:
    return lab.host.machines[ident].spec.instance_store


def mapped(lab: Lab, ident: str) -> dict[str, Any]:
    names = lab.metadata(ident, "block-device-mapping")
    return {name: device for name, device in names.items() if name.startswith("ephemeral")}


def test_b2_disks_that_no_launch_mapped_are_not_there(lab: Lab) -> None:
    ident = lab.run(InstanceType="c3.xlarge")
    assert disks(lab, ident) == ()
    assert mapped(lab, ident) == {}


def test_b2_mapped_disks_have_names_of_xen_and_no_serial(lab: Lab) -> None:
    _, ident = lab.spot_instance(lab.spec(InstanceType="c3.xlarge", BlockDeviceMappings=MAPPED))
    assert [disk.device for disk in disks(lab, ident)] == ["xvdb", "xvdc"]
    # The first comes formatted, as cloud-init's mount of ephemeral0 expects
    assert [disk.filesystem for disk in disks(lab, ident)] == ["ext3", ""]
    assert mapped(lab, ident) == {"ephemeral0": "sdb", "ephemeral1": "sdc"}
    assert lab.metadata(ident, "system") == "xen"


def test_b2_nvme_disks_are_there_whatever_is_mapped(lab: Lab) -> None:
    ident = lab.run(BlockDeviceMappings=MAPPED)
    assert [disk.device for disk in disks(lab, ident)] == ["", ""]
    assert mapped(lab, ident) == {}


def test_b2_an_image_maps_them_too_save_for_m3(lab: Lab, snapshot: str) -> None:
    devices = [*MAPPED, {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
    image = lab.baked("mapping", snapshot=snapshot, BlockDeviceMappings=devices)
    ident = lab.run(ImageId=image, InstanceType="c3.xlarge")
    assert mapped(lab, ident) == {"ephemeral0": "sdb", "ephemeral1": "sdc"}
    less = [{"DeviceName": "/dev/sdb", "NoDevice": ""}]
    ident = lab.run(ImageId=image, InstanceType="c3.xlarge", BlockDeviceMappings=less)
    assert mapped(lab, ident) == {"ephemeral1": "sdc"}
    assert mapped(lab, lab.run(ImageId=image, InstanceType="m3.xlarge")) == {}
    ident = lab.run(ImageId=image, InstanceType="m3.xlarge", BlockDeviceMappings=MAPPED)
    assert mapped(lab, ident) == {"ephemeral0": "sdb", "ephemeral1": "sdc"}


def test_b2_an_image_of_the_machine_has_its_mapping(lab: Lab) -> None:
    ident = lab.run(InstanceType="c3.xlarge", BlockDeviceMappings=MAPPED)
    image = lab.ec2.create_image(InstanceId=ident, Name="of c3", NoReboot=True)["ImageId"]
    (shown,) = lab.ec2.describe_images(ImageIds=[image])["Images"]
    names = {one["DeviceName"]: one.get("VirtualName") for one in shown["BlockDeviceMappings"]}
    assert names == {"/dev/sda1": None, "/dev/sdb": "ephemeral0", "/dev/sdc": "ephemeral1"}


def test_b2_no_volume_gets_the_name_of_such_a_disk(lab: Lab) -> None:
    ident = lab.run(InstanceType="c3.xlarge", BlockDeviceMappings=MAPPED)
    for device in ("/dev/sdb", "/dev/xvdc"):
        message = lab.refused(
            "InvalidParameterValue",
            lab.ec2.attach_volume,
            VolumeId=lab.volume(),
            InstanceId=ident,
            Device=device,
        )
        assert "already in use" in message


@pytest.mark.parametrize("name", ["ephemeral24", "ephemeral", "disk0"])
def test_b2_a_virtual_name_that_is_none_is_refused(lab: Lab, name: str) -> None:
    mapping = [{"DeviceName": "/dev/sdb", "VirtualName": name}]
    message = lab.refused(
        "InvalidBlockDeviceMapping",
        lab.ec2.request_spot_instances,
        LaunchSpecification=lab.spec(BlockDeviceMappings=mapping),
    )
    assert f"'{name}'" in message
