"""RegisterImage and CreateImage: their refusals, in EC2's words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.lab import Lab

NO_SNAPSHOT = "snap-0123456789abcdef0"
ROOT = "/dev/sda1"


def images(lab: Lab) -> int:
    return len(lab.ec2.describe_images()["Images"])


def test_names_are_unique_to_their_owner(lab: Lab, snapshot: str) -> None:
    ident = lab.baked("taken", snapshot=snapshot)
    for call, params in (
        (lab.baked, {"name": "taken", "snapshot": snapshot}),
        (lab.ec2.create_image, {"InstanceId": lab.run(), "Name": "taken"}),
    ):
        message = lab.refused("InvalidAMIName.Duplicate", call, **params)
        assert message == f"AMI name taken is already in use by AMI {ident}"
    lab.ec2.deregister_image(ImageId=ident)
    lab.baked("taken", snapshot=snapshot)


@pytest.mark.parametrize("name", ["ab", "x" * 129, "what?", "a:b:c", "tëst"])
def test_names_have_a_form(lab: Lab, snapshot: str, name: str) -> None:
    message = lab.refused("InvalidAMIName.Malformed", lab.baked, name=name, snapshot=snapshot)
    assert "between 3 and 128 characters" in message


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("MissingParameter", {"Name": None}),
        ("MissingParameter", {"RootDeviceName": None}),
        ("UnsupportedOperation", {"Architecture": "i386"}),
        ("UnsupportedOperation", {"Architecture": None}),
        ("UnsupportedOperation", {"VirtualizationType": None}),
        ("UnsupportedOperation", {"KernelId": "aki-00000000"}),
        ("UnsupportedOperation", {"ImageLocation": "bucket/manifest.xml"}),
        ("InvalidParameterValue", {"BootMode": "floppy"}),
        ("InvalidParameterValue", {"ImdsSupport": "v1.0"}),
        ("InvalidParameterValue", {"TagSpecifications": [{"ResourceType": "snapshot"}]}),
        ("InvalidBlockDeviceMapping", {"RootDeviceName": "/dev/xvda"}),
        ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": []}),
        ("DryRunOperation", {"DryRun": True}),
    ],
)
def test_register_refusals(lab: Lab, snapshot: str, code: str, params: dict[str, Any]) -> None:
    before = images(lab)
    lab.refused(code, lab.baked, name="refused", snapshot=snapshot, **params)
    assert images(lab) == before


@pytest.mark.parametrize(
    ("code", "ebs", "message"),
    [
        ("InvalidSnapshot.NotFound", {"SnapshotId": NO_SNAPSHOT}, NO_SNAPSHOT),
        ("InvalidBlockDeviceMapping", {"VolumeSize": 7}, "expect size >= 8GB"),
        ("InvalidBlockDeviceMapping", {"Encrypted": False}, "the encrypted flag cannot be"),
        ("InvalidBlockDeviceMapping", {"KmsKeyId": "alias/mine"}, "KmsKeyId"),
        ("InvalidBlockDeviceMapping", {"SnapshotId": None, "VolumeSize": 9}, "No root snapshot"),
        ("InvalidBlockDeviceMapping", {"SnapshotId": None}, "Either snapshot ID or volume size"),
    ],
)
def test_root_mapping_refusals(
    lab: Lab, snapshot: str, code: str, ebs: dict[str, Any], message: str
) -> None:
    merged = {"SnapshotId": snapshot, **ebs}
    mapped = {
        "DeviceName": ROOT,
        "Ebs": {key: value for key, value in merged.items() if value is not None},
    }
    refusal = lab.refused(
        code, lab.baked, name="refused", snapshot=snapshot, BlockDeviceMappings=[mapped]
    )
    assert message in refusal


def test_snapshot_of_a_data_volume_boots_nothing(lab: Lab) -> None:
    snapshot = lab.snapshot(lab.volume())
    message = lab.refused("UnsupportedOperation", lab.baked, name="data only", snapshot=snapshot)
    assert snapshot in message
    assert "no kernel boots" in message


def test_snapshot_has_to_be_completed(lab: Lab) -> None:
    root = lab.root(lab.run())
    lab.host.copying.clear()
    pending = lab.ec2.create_snapshot(VolumeId=root)["SnapshotId"]
    lab.refused("IncorrectState", lab.baked, name="too early", snapshot=pending)


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("InvalidInstanceID.NotFound", {"InstanceId": "i-0123456789abcdef0"}),
        ("MissingParameter", {"Name": None}),
        ("InvalidParameterValue", {"TagSpecifications": [{"ResourceType": "volume"}]}),
        ("UnsupportedOperation", {"BootModeOverride": "uefi"}),
        ("InvalidBlockDeviceMapping", {"DeviceName": ROOT, "NoDevice": ""}),
        ("InvalidBlockDeviceMapping", {"DeviceName": ROOT, "Ebs": {"VolumeSize": 20}}),
        ("InvalidBlockDeviceMapping", {"DeviceName": ROOT, "Ebs": {"Encrypted": True}}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/sdb", "Ebs": {}}),
        ("InvalidBlockDeviceMapping", {"DeviceName": "/dev/nvme1n1", "Ebs": {"VolumeSize": 1}}),
    ],
)
def test_create_refusals(lab: Lab, code: str, params: dict[str, Any]) -> None:
    given: dict[str, Any] = {"InstanceId": lab.run(), "Name": "refused", **params}
    if "DeviceName" in params:
        given = {"InstanceId": given["InstanceId"], "Name": "refused"}
        given["BlockDeviceMappings"] = [params]
    given = {key: value for key, value in given.items() if value is not None}
    before, copies = images(lab), len(lab.ec2.describe_snapshots()["Snapshots"])
    lab.refused(code, lab.ec2.create_image, **given)
    assert (images(lab), len(lab.ec2.describe_snapshots()["Snapshots"])) == (before, copies)


def test_create_needs_an_instance_that_is_there(lab: Lab) -> None:
    instance = lab.run()
    lab.ec2.terminate_instances(InstanceIds=[instance])
    message = lab.refused(
        "InvalidParameterValue", lab.ec2.create_image, InstanceId=instance, Name="late"
    )
    assert "not in state 'running' or 'stopping' or 'stopped'" in message


def test_create_needs_a_root_volume_that_boots(lab: Lab) -> None:
    instance, data = lab.run(), lab.volume(Size=8)
    root = lab.root(instance)
    lab.ec2.stop_instances(InstanceIds=[instance])
    lab.becomes(instance, "stopped")
    lab.ec2.detach_volume(VolumeId=root)
    lab.volume_becomes(root, "available")
    given = {"InstanceId": instance, "Name": "rootless"}
    lab.refused("IncorrectInstanceState", lab.ec2.create_image, **given)
    lab.attach(data, instance, ROOT)
    lab.refused("UnsupportedOperation", lab.ec2.create_image, **given)
