"""CreateImage: an image of an instance as it is, with the volumes that it has."""

from __future__ import annotations

from typing import Any

from tests.localcloud.lab import Lab, until

TAGS = [{"Key": "a", "Value": "b"}]


def mapping(image: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["DeviceName"]: one["Ebs"] for one in image["BlockDeviceMappings"]}


def capture(lab: Lab, instance: str, name: str, **params: Any) -> dict[str, Any]:
    """The image that CreateImage makes, once it is available."""
    ident = lab.ec2.create_image(InstanceId=instance, Name=name, **params)["ImageId"]
    return lab.image_becomes(ident, "available")


def test_created_image_has_every_attached_volume_but_those_left_out(lab: Lab) -> None:
    instance, kept, home = lab.run(), lab.volume(Encrypted=True), lab.volume()
    lab.attach(kept, instance, "/dev/sdf")
    lab.attach(home, instance, "/dev/xvdj")
    tags = [{"ResourceType": kind, "Tags": TAGS} for kind in ("image", "snapshot")]
    image = capture(
        lab, instance, "created", TagSpecifications=tags,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvdj", "NoDevice": ""},
            {"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}},
            {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 2}},
        ],
    )  # fmt: skip
    assert (image["SourceInstanceId"], image["SourceImageId"]) == (instance, lab.image)
    assert (image["Tags"], image["ImdsSupport"], image["EnaSupport"]) == (TAGS, "v2.0", True)
    mapped = mapping(image)
    assert mapped.keys() == {"/dev/sda1", "/dev/sdf", "/dev/sdg"}
    assert mapped["/dev/sdf"]["Encrypted"] is mapped["/dev/sdf"]["DeleteOnTermination"] is True
    ids = [mapped[name]["SnapshotId"] for name in ("/dev/sda1", "/dev/sdf")]
    snapshots = lab.ec2.describe_snapshots(SnapshotIds=ids, OwnerIds=["self"])["Snapshots"]
    assert [one["VolumeId"] for one in snapshots] == [lab.root(instance), kept]
    for one in snapshots:
        assert one["Tags"] == TAGS
        description = f"Created by CreateImage({instance}) for {image['ImageId']}"
        assert one["Description"] == description
    assert lab.becomes(lab.run(ImageId=image["ImageId"]), "running")


def test_creating_reboots_first_and_copies_while_the_guest_is_down(lab: Lab) -> None:
    instance = lab.run()
    image = capture(lab, instance, "at rest")
    copied = f"create_snapshot {mapping(image)['/dev/sda1']['SnapshotId']}"
    calls = lab.host.calls
    assert calls[calls.index(copied) - 1] == f"reboot {instance}"
    assert lab.host.machines[instance].boots == 2
    assert lab.instance(instance)["State"]["Name"] == "running"


def test_no_reboot_and_a_stopped_instance_need_none(lab: Lab) -> None:
    running, stopped = lab.run(), lab.run()
    lab.ec2.stop_instances(InstanceIds=[stopped])
    lab.becomes(stopped, "stopped")
    capture(lab, running, "running", NoReboot=True)
    capture(lab, stopped, "stopped")
    assert not {f"reboot {running}", f"reboot {stopped}"} & set(lab.host.calls)


def test_created_image_is_pending_until_its_snapshots_are_completed(lab: Lab) -> None:
    instance = lab.run()
    lab.host.copying.clear()
    ident = lab.ec2.create_image(InstanceId=instance, Name="pending")["ImageId"]
    assert lab.image_of(ident)["State"] == "pending"
    lab.host.copying.set()
    lab.image_becomes(ident, "available")


def test_created_image_fails_with_a_snapshot_and_says_why(lab: Lab) -> None:
    instance, volume = lab.run(), lab.volume()
    lab.attach(volume, instance)
    lab.host.broken.add(volume)
    ident = lab.ec2.create_image(InstanceId=instance, Name="failing", NoReboot=True)["ImageId"]
    assert "no space" in lab.image_becomes(ident, "failed")["StateReason"]["Message"]
    by_reason = [{"Name": "state-reason-code", "Values": ["Server.InternalError"]}]
    assert lab.ec2.describe_images(Filters=by_reason)["Images"][0]["ImageId"] == ident


def test_instance_goes_down_after_what_is_being_copied_of_it(lab: Lab) -> None:
    instance = lab.run()
    lab.host.copying.clear()
    ident = lab.ec2.create_image(InstanceId=instance, Name="terminated")["ImageId"]
    until("the reboot", lambda: f"reboot {instance}" in lab.host.calls)
    lab.ec2.terminate_instances(InstanceIds=[instance])
    assert lab.image_of(ident)["State"] == "pending"
    lab.host.copying.set()
    lab.becomes(instance, "terminated")
    lab.image_becomes(ident, "available")
