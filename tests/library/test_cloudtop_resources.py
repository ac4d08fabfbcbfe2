"""EC2's dictionaries as typed values: what it says, and what it leaves out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from module_utils.cloudtop_resources import (
    Address,
    Attachment,
    Disks,
    Image,
    InstanceType,
    Machine,
    Request,
    Snapshot,
    Volume,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)
TAGS = [{"Key": "cloudtop:name", "Value": "box"}, {"Key": "cloudtop:label", "Value": "good"}]
NAMED = {"cloudtop:name": "box", "cloudtop:label": "good"}


def test_a_request_has_its_status_and_launch_specification() -> None:
    description = {
        "SpotInstanceRequestId": "sir-1",
        "State": "active",
        "Status": {"Code": "fulfilled", "Message": "It is fulfilled.", "UpdateTime": AT},
        "Type": "persistent",
        "SpotPrice": "0.200000",
        "InstanceInterruptionBehavior": "stop",
        "InstanceId": "i-1",
        "LaunchSpecification": {
            "InstanceType": "i3.4xlarge",
            "ImageId": "ami-1",
            "KeyName": "box",
            "SecurityGroups": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}],
            "Placement": {"AvailabilityZone": "us-east-1a"},
        },
        "CreateTime": AT,
        "ValidUntil": AT,
        "Tags": TAGS,
    }
    assert Request.from_ec2(description) == Request(
        "sir-1",
        state="active",
        status_code="fulfilled",
        status_message="It is fulfilled.",
        status_update_time=AT,
        type="persistent",
        spot_price=0.2,
        instance_interruption_behavior="stop",
        instance_id="i-1",
        instance_type="i3.4xlarge",
        image_id="ami-1",
        key_name="box",
        security_group_ids=("sg-2", "sg-1"),
        availability_zone="us-east-1a",
        create_time=AT,
        valid_until=AT,
        tags=NAMED,
    )


def test_a_machine_has_the_volume_at_its_root_device() -> None:
    description = {
        "InstanceId": "i-1",
        "InstanceType": "i3.4xlarge",
        "State": {"Code": 16, "Name": "running"},
        "Placement": {"AvailabilityZone": "us-east-1a"},
        "PublicIpAddress": "192.0.2.1",
        "LaunchTime": AT,
        "SpotInstanceRequestId": "sir-1",
        "ImageId": "ami-1",
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvdj", "Ebs": {"VolumeId": "vol-1"}},
            {"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": "vol-root"}},
        ],
        "Tags": TAGS,
    }
    assert Machine.from_ec2(description) == Machine(
        "i-1",
        instance_type="i3.4xlarge",
        state="running",
        availability_zone="us-east-1a",
        public_ip_address="192.0.2.1",
        launch_time=AT,
        spot_instance_request_id="sir-1",
        root_volume_id="vol-root",
        image_id="ami-1",
        tags=NAMED,
    )


def test_a_volume_has_its_attachments() -> None:
    description = {
        "VolumeId": "vol-1",
        "State": "in-use",
        "Size": 50,
        "AvailabilityZone": "us-east-1a",
        "VolumeType": "gp3",
        "Encrypted": True,
        "SnapshotId": "snap-1",
        "CreateTime": AT,
        "Attachments": [{"InstanceId": "i-1", "DeleteOnTermination": True}, {"InstanceId": "i-2"}],
        "Tags": TAGS,
    }
    volume = Volume.from_ec2(description)
    assert volume == Volume(
        "vol-1",
        state="in-use",
        size=50,
        availability_zone="us-east-1a",
        volume_type="gp3",
        encrypted=True,
        snapshot_id="snap-1",
        create_time=AT,
        attachments=(Attachment("i-1", delete_on_termination=True), Attachment("i-2")),
        tags=NAMED,
    )
    assert volume.instance_ids == ["i-1", "i-2"]


def test_a_snapshot_has_its_label_and_an_address_its_association() -> None:
    description = {
        "SnapshotId": "snap-1",
        "VolumeId": "vol-1",
        "VolumeSize": 50,
        "State": "pending",
        "Progress": "40%",
        "StartTime": AT,
        "Encrypted": True,
        "Tags": TAGS,
    }
    snapshot = Snapshot.from_ec2(description)
    assert snapshot == Snapshot("snap-1", "vol-1", 50, "pending", "40%", AT, True, NAMED)
    assert snapshot.label == "good"
    address = {
        "AllocationId": "eipalloc-1",
        "PublicIp": "192.0.2.1",
        "AssociationId": "eipassoc-1",
        "InstanceId": "i-1",
        "Tags": TAGS,
    }
    assert Address.from_ec2(address) == Address(
        "eipalloc-1", "192.0.2.1", "eipassoc-1", "i-1", NAMED
    )


def test_an_image_has_its_disks_and_no_others() -> None:
    description = {
        "ImageId": "ami-1",
        "Name": "box-1",
        "CreationDate": "2026-03-04T05:06:07.000Z",
        "State": "available",
        "Architecture": "arm64",
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 8}},
            {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 4}},
        ],
        "Tags": TAGS,
    }
    assert Image.from_ec2(description) == Image(
        "ami-1",
        "box-1",
        "2026-03-04T05:06:07.000Z",
        size=12,
        state="available",
        snapshot_ids=("snap-1",),
        tags=NAMED,
        architecture="arm64",
        root_device_name="/dev/sda1",
        root_size=8,
        devices=("/dev/sda1", "/dev/sdf"),
    )


def test_a_type_has_its_own_disks() -> None:
    description = {
        "InstanceType": "c3.xlarge",
        "VCpuInfo": {"DefaultVCpus": 4},
        "MemoryInfo": {"SizeInMiB": 7680},
        "ProcessorInfo": {"SupportedArchitectures": ["i386", "x86_64"]},
        "InstanceStorageInfo": {
            "Disks": [{"Count": 2, "SizeInGB": 40}, {"Count": 1, "SizeInGB": 80}],
            "NvmeSupport": "unsupported",
        },
        "SupportedUsageClasses": ["on-demand", "spot"],
    }
    kind = InstanceType.from_ec2(description)
    assert kind == InstanceType(
        "c3.xlarge",
        vcpus=4,
        memory_mib=7680,
        architectures=("i386", "x86_64"),
        disks=(Disks(2, 40), Disks(1, 80)),
        nvme_support="unsupported",
        usage_classes=("on-demand", "spot"),
    )
    assert (kind.store_disks, kind.store_is_mapped) == (3, True)


@pytest.mark.parametrize("support", ["required", "supported", ""])
def test_disks_that_are_nvme_need_no_mapping(support: str) -> None:
    assert not InstanceType("i3.large", disks=(Disks(1),), nvme_support=support).store_is_mapped


def test_what_ec2_leaves_out_is_empty() -> None:
    assert Image.from_ec2({"ImageId": "ami-1"}) == Image("ami-1")
    assert InstanceType.from_ec2({"InstanceType": "t3.nano"}) == InstanceType("t3.nano")
    assert Request.from_ec2({"SpotInstanceRequestId": "sir-1"}) == Request("sir-1")
    assert Request("sir-1").instance_interruption_behavior == "terminate"
    assert Machine.from_ec2({"InstanceId": "i-1"}) == Machine("i-1")
    assert Volume.from_ec2({"VolumeId": "vol-1", "SnapshotId": ""}) == Volume("vol-1")
    assert Snapshot.from_ec2({"SnapshotId": "snap-1"}) == Snapshot("snap-1")
    assert Address.from_ec2({"AllocationId": "eipalloc-1"}) == Address("eipalloc-1")
