"""Images that an owner bakes: what they hold, and that a relaunch boots them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cloud import aws
from tests.localcloud.lab import Lab, until

TAGS = [{"Key": "a", "Value": "b"}]


def filtered(lab: Lab, name: str, value: str) -> list[str]:
    given = [{"Name": name, "Values": [value]}]
    return [one["ImageId"] for one in lab.ec2.describe_images(Filters=given)["Images"]]


def mapping(image: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["DeviceName"]: one["Ebs"] for one in image["BlockDeviceMappings"]}


def test_registered_image_is_shown_as_ec2_does(lab: Lab, snapshot: str) -> None:
    ident = lab.baked(
        "shown", snapshot=snapshot, Description="x", EnaSupport=True, ImdsSupport="v2.0",
        BootMode="uefi-preferred", TagSpecifications=[{"ResourceType": "image", "Tags": TAGS}],
    )  # fmt: skip
    image = lab.image_of(ident)
    assert image["CreationDate"].endswith(".000Z")
    assert image.pop("CreationDate")[:2] == "20"
    assert image == {
        "ImageId": ident, "Name": "shown", "Description": "x", "State": "available",
        "OwnerId": "123456789012", "ImageLocation": "123456789012/shown", "Public": False,
        "Architecture": "x86_64", "VirtualizationType": "hvm", "Hypervisor": "xen",
        "ImageType": "machine", "PlatformDetails": "Linux/UNIX", "UsageOperation": "RunInstances",
        "RootDeviceName": "/dev/sda1", "RootDeviceType": "ebs", "EnaSupport": True,
        "ImdsSupport": "v2.0", "BootMode": "uefi-preferred", "ProductCodes": [], "Tags": TAGS,
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {
                    "SnapshotId": snapshot, "VolumeSize": 8, "VolumeType": "gp2",
                    "DeleteOnTermination": True, "Encrypted": False,
                },
            }
        ],
    }  # fmt: skip


def test_owners_and_filters_find_it(lab: Lab) -> None:
    snapshot = lab.snapshot(lab.root(lab.run()))
    tags = [{"ResourceType": "image", "Tags": [{"Key": "found", "Value": "by tag"}]}]
    ident = lab.baked("found", snapshot=snapshot, TagSpecifications=tags)
    owned = [one["ImageId"] for one in lab.ec2.describe_images(Owners=["self"])["Images"]]
    assert ident in owned
    assert lab.image not in owned
    for name, value in (
        ("name", "fou*"), ("tag:found", "by tag"), ("tag-key", "found"),
        ("block-device-mapping.snapshot-id", snapshot), ("image-id", ident),
    ):  # fmt: skip
        assert filtered(lab, name, value) == [ident], name
    assert ident in filtered(lab, "is-public", "false")
    assert ident in filtered(lab, "state", "available")
    assert ident in filtered(lab, "creation-date", lab.image_of(ident)["CreationDate"])
    # The base image, one for each architecture
    public = filtered(lab, "is-public", "true")
    assert lab.image in public and ident not in public
    assert lab.ec2.describe_images(ExecutableUsers=["all"])["Images"][0]["ImageId"] == lab.image


def test_relaunch_boots_the_baked_image(lab: Lab, snapshot: str) -> None:
    ident = lab.baked("booted", snapshot=snapshot)
    sir, first = lab.spot_instance(lab.spec(ImageId=ident))
    lab.ec2.terminate_instances(InstanceIds=[first])
    second = lab.relaunched(sir, first)
    for instance in (first, second):
        assert lab.host.machines[instance].spec.image.root == Path(f"{snapshot}.qcow2")
    assert lab.host.boots[lab.root(second)].root == Path(f"{snapshot}.qcow2")
    assert lab.volume_of(lab.root(second))["SnapshotId"] == snapshot
    assert lab.instance(second)["ImageId"] == ident


def test_base_image_is_still_booted_and_names_no_snapshot(lab: Lab) -> None:
    root = lab.root(lab.run())
    assert lab.host.boots[root] == lab.host.base_image()
    assert lab.volume_of(root)["SnapshotId"] == ""


def test_lineage_goes_through_volumes_made_from_snapshots(lab: Lab) -> None:
    volume = lab.volume(SnapshotId=lab.snapshot(lab.root(lab.run())), Size=None)
    ident = lab.baked("grandchild", snapshot=lab.snapshot(volume))
    assert lab.becomes(lab.run(ImageId=ident), "running")["ImageId"] == ident


def test_root_may_be_larger_and_is_as_encrypted_as_its_snapshot(lab: Lab) -> None:
    devices = [{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True}}]
    ident = lab.baked(
        "encrypted", snapshot=lab.snapshot(lab.root(lab.run(BlockDeviceMappings=devices)))
    )
    assert mapping(lab.image_of(ident))["/dev/sda1"]["Encrypted"] is True
    larger = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3"}}]
    root = lab.root(lab.run(ImageId=ident, BlockDeviceMappings=larger))
    volume = lab.volume_of(root)
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (20, "gp3", True)
    assert lab.host.volumes[root] == 20


def test_its_data_volumes_come_from_their_snapshots_unless_left_out(lab: Lab) -> None:
    data = lab.snapshot(lab.volume())
    root = lab.snapshot(lab.root(lab.run()))
    devices = [
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": data, "VolumeSize": 7}},
        {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 3, "Encrypted": True}},
        {"DeviceName": "/dev/sdh", "NoDevice": ""},
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": root}},
    ]
    ident = lab.baked("data", snapshot=root, BlockDeviceMappings=devices)
    whole, less = (
        lab.instance(lab.run(ImageId=ident, BlockDeviceMappings=given))
        for given in ([], [{"DeviceName": "/dev/sdf", "NoDevice": ""}])
    )
    attached = {one: ebs["VolumeId"] for one, ebs in mapping(whole).items()}
    assert attached.keys() == {"/dev/sda1", "/dev/sdf", "/dev/sdg"}
    copied, blank = (lab.volume_of(attached[name]) for name in ("/dev/sdf", "/dev/sdg"))
    assert (copied["SnapshotId"], copied["Size"], copied["Encrypted"]) == (data, 7, False)
    assert (blank["SnapshotId"], blank["Size"], blank["Encrypted"]) == ("", 3, True)
    assert mapping(less).keys() == {"/dev/sda1", "/dev/sdg"}


def test_metadata_needs_tokens_where_the_image_says_so(lab: Lab, snapshot: str) -> None:
    for name, given, tokens in (("any", None, "optional"), ("hardened", "v2.0", "required")):
        ident = lab.baked(name, snapshot=snapshot, ImdsSupport=given)
        instance = lab.instance(lab.run(ImageId=ident))
        assert instance["MetadataOptions"]["HttpTokens"] == tokens


def test_deregistered_leaves_snapshots_and_instances(lab: Lab) -> None:
    snapshot = lab.snapshot(lab.root(lab.run()))
    ident = lab.baked("gone", snapshot=snapshot)
    instance = lab.run(ImageId=ident)
    lab.ec2.deregister_image(ImageId=ident)
    assert lab.ec2.describe_images(ImageIds=[ident])["Images"] == []
    lab.snapshot_becomes(snapshot, "completed")
    lab.ec2.delete_snapshot(SnapshotId=snapshot)
    until("its file gone", lambda: snapshot not in lab.host.snapshots)
    # Neither the image nor the snapshot is needed to start it again
    lab.ec2.stop_instances(InstanceIds=[instance])
    lab.becomes(instance, "stopped")
    lab.ec2.start_instances(InstanceIds=[instance])
    lab.becomes(instance, "running")


def test_deregistering_deletes_snapshots_that_no_other_image_has(lab: Lab) -> None:
    shared, own = lab.snapshot(lab.root(lab.run())), lab.snapshot(lab.volume())
    lab.baked("other", snapshot=shared)
    devices = [
        {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": shared}},
        {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": own}},
    ]
    ident = lab.baked("both", snapshot=shared, BlockDeviceMappings=devices)
    answer = lab.ec2.deregister_image(ImageId=ident, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [
        {"SnapshotId": shared, "ReturnCode": "skipped"},
        {"SnapshotId": own, "ReturnCode": "success"},
    ]
    lab.snapshot_becomes(shared, "completed")
    lab.refused("InvalidSnapshot.NotFound", lab.ec2.describe_snapshots, SnapshotIds=[own])


def test_relaunch_of_a_deregistered_image_is_bad_parameters_and_names_it(lab: Lab) -> None:
    ident = lab.baked("pinned")
    sir, instance = lab.spot_instance(lab.spec(ImageId=ident))
    lab.ec2.deregister_image(ImageId=ident)
    assert lab.instance(instance)["State"]["Name"] == "running"
    lab.ec2.terminate_instances(InstanceIds=[instance])
    request = lab.reaches(sir, "failed", "bad-parameters")
    message = f"The image id '[{ident}]' does not exist"
    assert message in request["Status"]["Message"]
    assert request["Fault"] == {"Code": "InvalidAMIID.NotFound", "Message": message}


def test_attributes_can_be_changed_and_tags_too(lab: Lab) -> None:
    ident = lab.baked("changed")
    change, ask = lab.ec2.modify_image_attribute, lab.ec2.describe_image_attribute
    change(ImageId=ident, Attribute="description", Value="later")
    change(ImageId=ident, ImdsSupport={"Value": "v2.0"})
    change(ImageId=ident, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    image = lab.image_of(ident)
    assert (image["Description"], image["ImdsSupport"], image["Public"]) == ("later", "v2.0", False)
    shown = ask(ImageId=ident, Attribute="launchPermission")["LaunchPermissions"]
    assert shown == [{"UserId": "111122223333"}]
    group = {"Attribute": "launchPermission", "UserGroups": ["all"]}
    change(ImageId=ident, OperationType="add", **group)
    assert lab.image_of(ident)["Public"] is True
    change(ImageId=ident, OperationType="remove", **group)
    assert lab.image_of(ident)["Public"] is False
    assert ask(ImageId=ident, Attribute="description")["Description"] == {"Value": "later"}
    lab.ec2.create_tags(Resources=[ident], Tags=TAGS)
    assert lab.image_of(ident)["Tags"] == TAGS


def test_aws_command_line_makes_and_ends_images(lab: Lab, snapshot: str) -> None:
    mapped = f"DeviceName=/dev/sda1,Ebs={{SnapshotId={snapshot}}}"
    ident = aws(
        lab.endpoint, "ec2", "register-image", "--name", "by hand", "--root-device-name",
        "/dev/sda1", "--architecture", "x86_64", "--virtualization-type", "hvm", "--ena-support",
        "--block-device-mappings", mapped,
    )["ImageId"]  # fmt: skip
    created = aws(
        lab.endpoint, "ec2", "create-image", "--instance-id", lab.run(), "--name", "captured",
        "--no-reboot", "--block-device-mappings", "DeviceName=/dev/xvdj,NoDevice=''",
    )["ImageId"]  # fmt: skip
    aws(lab.endpoint, "ec2", "wait", "image-available", "--image-ids", ident)
    images = aws(lab.endpoint, "ec2", "describe-images", "--owners", "self")["Images"]
    assert {ident, created} <= {one["ImageId"] for one in images}
    aws(lab.endpoint, "ec2", "deregister-image", "--image-id", ident)
    assert aws(lab.endpoint, "ec2", "describe-images", "--image-ids", ident)["Images"] == []
