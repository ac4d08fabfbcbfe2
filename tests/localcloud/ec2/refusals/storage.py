"""Calls about volumes, snapshots and images that EC2 refuses."""

from __future__ import annotations

from typing import Any

from tests.localcloud.ec2.refusals.machines import Row
from tests.localcloud.ec2.refusals.world import GONE, HERE, World


def volume(**given: Any) -> dict[str, Any]:
    base = {"AvailabilityZone": HERE, "Size": 10, **given}
    return {key: value for key, value in base.items() if value is not None}


def at(w: World, ident: str, instance: str = "", device: str = "/dev/sdm") -> dict[str, Any]:
    return {"VolumeId": ident, "InstanceId": instance or w.running, "Device": device}


VOLUMES: list[Row] = [
    ("MissingParameter", "create_volume", lambda _: volume(Size=None)),
    ("MissingParameter", "create_volume", lambda _: volume(VolumeType="io1")),
    ("MissingParameter", "create_volume", lambda _: volume(VolumeType="io2")),
    ("InvalidZone.NotFound", "create_volume", lambda _: volume(AvailabilityZone="mars-1a")),
    ("InvalidParameterValue", "create_volume", lambda _: volume(Size=70000, VolumeType="gp3")),
    ("InvalidParameterValue", "create_volume", lambda _: volume(Size=17000, VolumeType="gp2")),
    ("InvalidParameterValue", "create_volume", lambda _: volume(Size=10, VolumeType="st1")),
    ("InvalidParameterValue", "create_volume", lambda _: volume(VolumeType="io1", Iops=501)),
    ("InvalidParameterValue", "create_volume", lambda _: volume(VolumeType="gp3", Iops=100)),
    ("InvalidParameterValue", "create_volume", lambda _: volume(VolumeType="gp3", Throughput=50)),
    ("InvalidParameterValue", "create_volume", lambda _: volume(VolumeType="gp3", Throughput=900)),
    ("InvalidParameterCombination", "create_volume", lambda _: volume(VolumeType="gp2", Iops=100)),
    (
        "InvalidParameterCombination",
        "create_volume",
        lambda _: volume(VolumeType="gp2", Throughput=125),
    ),
    ("InvalidParameterDependency", "create_volume", lambda _: volume(KmsKeyId="alias/aws/ebs")),
    ("InvalidSnapshot.NotFound", "create_volume", lambda _: volume(SnapshotId=GONE["snapshot"])),
    ("InvalidSnapshotID.Malformed", "create_volume", lambda _: volume(SnapshotId="snap-x")),
    ("InvalidParameterValue", "create_volume", lambda w: volume(Size=1, SnapshotId=w.snapshot)),
    ("InvalidParameterValue", "create_volume", lambda _: volume(ClientToken="x" * 65)),
    ("DryRunOperation", "create_volume", lambda _: volume(DryRun=True)),
    ("InvalidVolume.NotFound", "describe_volumes", lambda _: {"VolumeIds": [GONE["volume"]]}),
    ("InvalidParameterValue", "describe_volumes", lambda _: {"VolumeIds": ["vol-x"]}),
    (
        "InvalidParameterValue",
        "describe_volumes",
        lambda _: {"Filters": [{"Name": "colour", "Values": ["red"]}]},
    ),
    ("InvalidVolume.NotFound", "delete_volume", lambda _: {"VolumeId": GONE["volume"]}),
    ("InvalidParameterValue", "delete_volume", lambda _: {"VolumeId": "vol-x"}),
    ("MissingParameter", "delete_volume", lambda _: {}),
    ("VolumeInUse", "delete_volume", lambda w: {"VolumeId": w.attached}),
    ("InvalidVolume.NotFound", "attach_volume", lambda w: at(w, GONE["volume"])),
    ("InvalidInstanceID.NotFound", "attach_volume", lambda w: at(w, w.volume, GONE["instance"])),
    ("InvalidVolume.ZoneMismatch", "attach_volume", lambda w: at(w, w.elsewhere)),
    ("VolumeInUse", "attach_volume", lambda w: at(w, w.attached, w.stopped)),
    ("InvalidParameterValue", "attach_volume", lambda w: at(w, w.volume, device="/dev/sda1")),
    ("InvalidParameterValue", "attach_volume", lambda w: at(w, w.volume, device="C:")),
    ("InvalidVolume.NotFound", "detach_volume", lambda _: {"VolumeId": GONE["volume"]}),
    ("IncorrectState", "detach_volume", lambda w: {"VolumeId": w.volume}),
    ("OperationNotPermitted", "detach_volume", lambda w: {"VolumeId": w.root}),
    (
        "InvalidAttachment.NotFound",
        "detach_volume",
        lambda w: {"VolumeId": w.attached, "InstanceId": w.stopped},
    ),
    ("InvalidVolume.NotFound", "modify_volume", lambda _: {"VolumeId": GONE["volume"], "Size": 9}),
    ("InvalidParameterValue", "modify_volume", lambda w: {"VolumeId": w.volume, "Size": 1}),
    ("InvalidParameterValue", "modify_volume", lambda w: {"VolumeId": w.volume}),
    (
        "InvalidVolume.NotFound",
        "describe_volumes_modifications",
        lambda _: {"VolumeIds": [GONE["volume"]]},
    ),
]

SNAPSHOTS: list[Row] = [
    ("InvalidVolume.NotFound", "create_snapshot", lambda _: {"VolumeId": GONE["volume"]}),
    ("MissingParameter", "create_snapshot", lambda _: {}),
    (
        "InvalidSnapshot.NotFound",
        "describe_snapshots",
        lambda _: {"SnapshotIds": [GONE["snapshot"]]},
    ),
    (
        "InvalidSnapshotID.Malformed",
        "describe_snapshots",
        lambda _: {"SnapshotIds": ["snap-x"]},
    ),
    ("InvalidSnapshot.NotFound", "delete_snapshot", lambda _: {"SnapshotId": GONE["snapshot"]}),
    ("InvalidSnapshotID.Malformed", "delete_snapshot", lambda _: {"SnapshotId": "snap-x"}),
    ("MissingParameter", "delete_snapshot", lambda _: {}),
    ("InvalidSnapshot.InUse", "delete_snapshot", lambda w: {"SnapshotId": w.snapshot}),
    (
        "InvalidSnapshot.NotFound",
        "copy_snapshot",
        lambda _: {"SourceRegion": "us-east-1", "SourceSnapshotId": GONE["snapshot"]},
    ),
]

IMAGES: list[Row] = [
    ("InvalidAMIID.NotFound", "describe_images", lambda _: {"ImageIds": [GONE["image"]]}),
    ("InvalidAMIID.Malformed", "describe_images", lambda _: {"ImageIds": ["ami-x"]}),
    ("InvalidAMIID.NotFound", "deregister_image", lambda _: {"ImageId": GONE["image"]}),
    ("InvalidAMIID.Malformed", "deregister_image", lambda _: {"ImageId": "ami-x"}),
    (
        "InvalidAMIName.Duplicate",
        "create_image",
        lambda w: {"InstanceId": w.running, "Name": "twice"},
    ),
    (
        "InvalidAMIName.Malformed",
        "create_image",
        lambda w: {"InstanceId": w.running, "Name": "a"},
    ),
    (
        "InvalidAMIID.NotFound",
        "describe_image_attribute",
        lambda _: {"ImageId": GONE["image"], "Attribute": "launchPermission"},
    ),
    (
        "InvalidAMIID.NotFound",
        "copy_image",
        lambda _: {"Name": "c", "SourceRegion": "us-east-1", "SourceImageId": GONE["image"]},
    ),
]
