"""Refusals to launch, change or delete images that exist, or do not exist any more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.lab import ZONE, Lab

UNKNOWN = "ami-0123456789abcdef0"
ROOT = "/dev/sda1"


def test_unknown_malformed_and_deregistered_ids(lab: Lab, snapshot: str) -> None:
    gone = lab.baked("deregistered", snapshot=snapshot)
    lab.ec2.deregister_image(ImageId=gone)
    for code, ident, message in (
        ("InvalidAMIID.NotFound", UNKNOWN, f"The image id '[{UNKNOWN}]' does not exist"),
        ("InvalidAMIID.Malformed", "ami-mine", 'Invalid id: "ami-mine" (expecting "ami-...")'),
        ("InvalidAMIID.Unavailable", gone, f"The image id '[{gone}]' is no longer available"),
    ):
        assert lab.refused(code, lab.ec2.deregister_image, ImageId=ident) == message
        modify = lab.ec2.modify_image_attribute
        assert lab.refused(code, modify, ImageId=ident, Description={"Value": "x"}) == message
        if ident != "ami-mine":
            tag = {"Resources": [ident], "Tags": [{"Key": "a", "Value": "b"}]}
            assert lab.refused(code, lab.ec2.create_tags, **tag) == message
    lab.refused("InvalidAMIID.Malformed", lab.ec2.describe_images, ImageIds=["ami-mine"])
    for code, ident in (
        ("InvalidAMIID.NotFound", gone),
        ("InvalidAMIID.NotFound", UNKNOWN),
        ("InvalidAMIID.Malformed", "mine"),
    ):
        assert ident in lab.refused(code, lab.run, ImageId=ident)


def test_snapshot_that_an_image_has_cannot_be_deleted(lab: Lab, snapshot: str) -> None:
    ident = lab.baked("user", snapshot=snapshot)
    for other in lab.ec2.describe_images(Owners=["self"])["Images"]:
        if other["ImageId"] != ident:
            lab.ec2.deregister_image(ImageId=other["ImageId"])
    message = lab.refused("InvalidSnapshot.InUse", lab.ec2.delete_snapshot, SnapshotId=snapshot)
    assert message == f"The snapshot {snapshot} is currently in use by {ident}"


def test_pending_image_cannot_be_run_or_changed(lab: Lab) -> None:
    instance = lab.run()
    lab.host.copying.clear()
    ident = lab.ec2.create_image(InstanceId=instance, Name="unfinished")["ImageId"]
    message = f"AMI '{ident}' is pending, and cannot be run"
    assert lab.refused("InvalidAMIID.Unavailable", lab.run, ImageId=ident) == message
    assert lab.refused("InvalidAMIID.Unavailable", lab.ask, spec=lab.spec(ImageId=ident)) == message
    change = {"ImageId": ident, "Description": {"Value": "x"}}
    lab.refused("InvalidAMIID.Unavailable", lab.ec2.modify_image_attribute, **change)
    lab.host.copying.set()
    lab.image_becomes(ident, "available")


def test_launch_mapping_refusals(lab: Lab, snapshot: str) -> None:
    ident = lab.baked("mapped", snapshot=snapshot)
    other = lab.snapshot(lab.root(lab.run()))
    small = {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": other, "VolumeSize": 1}}
    for mapped in (
        {"DeviceName": ROOT, "Ebs": {"VolumeSize": 5}},
        {"DeviceName": ROOT, "Ebs": {"SnapshotId": other}},
        {"DeviceName": ROOT, "NoDevice": ""},
        small,
    ):
        given = {"ImageId": ident, "BlockDeviceMappings": [mapped]}
        lab.refused("InvalidBlockDeviceMapping", lab.run, **given)


def test_types_that_need_ena_refuse_an_image_without_it(lab: Lab, snapshot: str) -> None:
    plain = lab.baked("plain", snapshot=snapshot, EnaSupport=None)
    enhanced = lab.baked("enhanced", snapshot=snapshot)
    given = {"InstanceType": "c5.large", "Placement": {"AvailabilityZone": ZONE}}
    message = lab.refused("InvalidParameterCombination", lab.run, ImageId=plain, **given)
    assert "(ENA) is required for the 'c5.large'" in message
    lab.run(ImageId=enhanced, **given)


def test_image_whose_files_are_gone_is_unavailable(lab: Lab, snapshot: str) -> None:
    ident = lab.baked("emptied", snapshot=snapshot)
    kept = lab.host.boots.pop(snapshot)
    assert ident in lab.refused("InvalidAMIID.Unavailable", lab.run, ImageId=ident)
    lab.host.boots[snapshot] = kept


def test_base_image_belongs_to_somebody_else(lab: Lab) -> None:
    for call, params in (
        (lab.ec2.deregister_image, {}),
        (lab.ec2.modify_image_attribute, {"Description": {"Value": "mine"}}),
        (lab.ec2.describe_image_attribute, {"Attribute": "launchPermission"}),
    ):
        message = lab.refused("AuthFailure", call, ImageId=lab.image, **params)
        assert message == f"Not authorized for image:{lab.image}"


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("MissingParameter", {}),
        ("UnsupportedOperation", {"Attribute": "bootMode", "Value": "uefi"}),
        ("InvalidParameterValue", {"ImdsSupport": {"Value": "v1.0"}}),
        ("InvalidAMIAttributeItemValue", {"LaunchPermission": {"Add": [{"UserId": "alice"}]}}),
        ("InvalidAMIAttributeItemValue", {"LaunchPermission": {"Add": [{"Group": "some"}]}}),
        ("UnsupportedOperation", {"LaunchPermission": {"Add": [{"OrganizationArn": "arn:x"}]}}),
    ],
)
def test_modify_refusals(lab: Lab, snapshot: str, code: str, params: dict[str, Any]) -> None:
    images = lab.ec2.describe_images(Filters=[{"Name": "name", "Values": ["modified"]}])["Images"]
    ident = images[0]["ImageId"] if images else lab.baked("modified", snapshot=snapshot)
    before = lab.image_of(ident)
    lab.refused(code, lab.ec2.modify_image_attribute, ImageId=ident, **params)
    assert lab.image_of(ident) == before


def test_attributes_that_are_not_here_say_so(lab: Lab, snapshot: str) -> None:
    ident = lab.baked("asked", snapshot=snapshot)
    for name in ("uefiData", "blockDeviceMapping"):
        message = lab.refused(
            "UnsupportedOperation", lab.ec2.describe_image_attribute, ImageId=ident, Attribute=name
        )
        assert name in message
