"""Volumes have EC2's states and refusals; the host's files follow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from tests.cloud import client
from tests.localcloud.lab import ZONE, Lab, until

UNKNOWN = "vol-0123456789abcdef0"


def test_is_creating_then_available(lab: Lab) -> None:
    answer = lab.ec2.create_volume(
        AvailabilityZone=ZONE, Size=5, VolumeType="gp3", Encrypted=True,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}],
    )  # fmt: skip
    assert answer["State"] == "creating"
    volume = lab.volume_becomes(answer["VolumeId"], "available")
    assert lab.host.volumes[volume["VolumeId"]] == 5
    assert (volume["Iops"], volume["Throughput"], volume["Encrypted"]) == (3000, 125, True)
    assert volume["KmsKeyId"].startswith("arn:aws:kms:us-east-1:")
    assert volume["Tags"] == [{"Key": "a", "Value": "b"}]
    # amazon.aws reads these without looking whether they are there
    assert (volume["SnapshotId"], volume["MultiAttachEnabled"]) == ("", False)


def test_that_cannot_be_made_is_in_error(lab: Lab) -> None:
    lab.host.broken.add("*")
    ident = lab.ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    lab.volume_becomes(ident, "error")
    lab.ec2.delete_volume(VolumeId=ident)
    lab.refused("InvalidVolume.NotFound", lab.ec2.describe_volumes, VolumeIds=[ident])


def test_attaches_and_detaches_through_the_machine(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    answer = lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/xvdj")
    assert answer["State"] == "attaching"
    facts = lab.volume_becomes(volume, "in-use", "attached")
    assert volume in lab.host.machines[instance].volumes
    attachment = facts["Attachments"][0]
    assert attachment["InstanceId"] == instance
    assert attachment["DeleteOnTermination"] is False
    mapped = {m["DeviceName"]: m["Ebs"] for m in lab.instance(instance)["BlockDeviceMappings"]}
    assert mapped["/dev/xvdj"]["VolumeId"] == volume
    assert lab.ec2.detach_volume(VolumeId=volume)["State"] == "detaching"
    lab.volume_becomes(volume, "available")
    assert volume not in lab.host.machines[instance].volumes


def test_that_cannot_be_attached_is_available_again(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    lab.host.broken.add(volume)
    lab.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/xvdj")
    lab.volume_becomes(volume, "available")


def test_guest_that_does_not_let_go_keeps_it_busy(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    lab.attach(volume, instance)
    lab.host.stuck.add(volume)
    lab.ec2.detach_volume(VolumeId=volume, InstanceId=instance)
    lab.volume_becomes(volume, "in-use", "busy")
    lab.refused(
        "VolumeInUse", lab.ec2.attach_volume, VolumeId=volume, InstanceId=instance, Device="sdk"
    )
    lab.host.stuck.clear()
    lab.volume_becomes(volume, "available")


def test_to_a_stopped_instance_is_there_at_its_start(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    lab.ec2.stop_instances(InstanceIds=[instance])
    lab.becomes(instance, "stopped")
    lab.attach(volume, instance)
    lab.ec2.start_instances(InstanceIds=[instance])
    lab.becomes(instance, "running")
    assert volume in lab.host.machines[instance].spec.volumes


def test_survives_its_instance_unless_told_otherwise(lab: Lab) -> None:
    kept, dropped, instance = lab.volume(), lab.volume(), lab.run()
    lab.attach(kept, instance, "/dev/sdf")
    lab.attach(dropped, instance, "/dev/sdg")
    lab.ec2.modify_instance_attribute(
        InstanceId=instance,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdg", "Ebs": {"DeleteOnTermination": True}}],
    )
    root = lab.host.machines[instance].spec.root_volume
    lab.ec2.terminate_instances(InstanceIds=[instance])
    lab.becomes(instance, "terminated")
    lab.volume_becomes(kept, "available")
    for gone in (dropped, root):
        lab.refused("InvalidVolume.NotFound", lab.ec2.describe_volumes, VolumeIds=[gone])
    until("their files gone", lambda: not lab.host.volumes.keys() & {dropped, root})
    assert kept in lab.host.volumes


def test_is_held_until_the_machine_is_really_gone(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    lab.attach(volume, instance)
    lab.ec2.terminate_instances(InstanceIds=[instance])
    lab.volume_becomes(volume, "available")
    assert instance not in lab.host.running()


def test_one_of_eight_racers_gets_it(lab: Lab) -> None:
    volume = lab.volume()
    instances = [lab.run() for _ in range(2)]

    def attach(number: int) -> str:
        try:
            client(lab.endpoint).attach_volume(
                VolumeId=volume, InstanceId=instances[number % 2], Device="/dev/xvdj"
            )
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "won"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(attach, range(8))) == ["VolumeInUse"] * 7 + ["won"]


def test_attach_refusals(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    elsewhere = lab.volume(AvailabilityZone="us-east-1c")
    call = lab.ec2.attach_volume
    given: dict[str, Any] = {"VolumeId": volume, "InstanceId": instance, "Device": "/dev/xvdj"}
    lab.refused("InvalidVolume.NotFound", call, **{**given, "VolumeId": UNKNOWN})
    lab.refused(
        "InvalidInstanceID.NotFound", call, **{**given, "InstanceId": "i-0123456789abcdef0"}
    )
    message = lab.refused("InvalidVolume.ZoneMismatch", call, **{**given, "VolumeId": elsewhere})
    assert "us-east-1c" in message
    lab.refused("InvalidParameterValue", call, **{**given, "Device": "/dev/nvme1n1"})
    lab.refused("InvalidParameterValue", call, **{**given, "Device": "/dev/sda1"})
    lab.attach(volume, instance)
    lab.refused("VolumeInUse", call, **given)
    second = lab.volume()
    # One name on the machine, whichever way it is spelled
    lab.refused("InvalidParameterValue", call, **{**given, "VolumeId": second})
    lab.refused("InvalidParameterValue", call, **{**given, "VolumeId": second, "Device": "sdj"})
    lab.ec2.terminate_instances(InstanceIds=[instance])
    lab.refused("IncorrectState", call, **{**given, "VolumeId": second, "Device": "/dev/sdk"})


def test_detach_and_delete_refusals(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    lab.refused("IncorrectState", lab.ec2.detach_volume, VolumeId=volume)
    lab.attach(volume, instance)
    lab.refused(
        "InvalidAttachment.NotFound", lab.ec2.detach_volume, VolumeId=volume, Device="/dev/sdz"
    )
    root = lab.host.machines[instance].spec.root_volume
    lab.refused("OperationNotPermitted", lab.ec2.detach_volume, VolumeId=root)
    message = lab.refused("VolumeInUse", lab.ec2.delete_volume, VolumeId=volume)
    assert instance in message
    lab.refused("InvalidVolume.NotFound", lab.ec2.delete_volume, VolumeId=UNKNOWN)
