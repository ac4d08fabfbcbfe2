"""CopySnapshot and CopyImage, within a region and from another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.cloud import KEY, SECRET
from tests.localcloud.ec2.backend.test_refused_calls import everything
from tests.localcloud.lab import Lab, until

HERE, THERE = "us-east-1", "eu-west-1"


@pytest.fixture(autouse=True)
def default_account(lab: Lab) -> Iterator[None]:
    yield
    lab.host.copying.set()
    lab.own("account", {"default": True})


@pytest.fixture
def there(lab: Lab) -> Any:
    """EC2 of another region."""
    return boto3.client(
        "ec2", endpoint_url=lab.endpoint, region_name=THERE, aws_access_key_id=KEY,
        aws_secret_access_key=SECRET, config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


def completed(ec2: Any, ident: str) -> dict[str, Any]:
    def done() -> Any:
        (one,) = ec2.describe_snapshots(SnapshotIds=[ident])["Snapshots"]
        return one if one["State"] != "pending" else None

    return dict(until(f"{ident} completed", done))


def test_a_snapshot_is_copied_from_another_region(lab: Lab, there: Any, snapshot: str) -> None:
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "k", "Value": "v"}]}]
    answer = there.copy_snapshot(
        SourceRegion=HERE, SourceSnapshotId=snapshot, Description="a copy", TagSpecifications=tags
    )
    assert answer["Tags"] == tags[0]["Tags"]
    one = completed(there, answer["SnapshotId"])
    assert (one["State"], one["VolumeId"], one["Description"]) == (
        "completed", "vol-ffffffff", "a copy",
    )  # fmt: skip
    assert (one["VolumeSize"], one["Encrypted"]) == (8, False)
    assert answer["SnapshotId"] in lab.host.snapshots
    lab.refused(
        "InvalidSnapshot.NotFound", lab.ec2.describe_snapshots, SnapshotIds=[one["SnapshotId"]]
    )
    volume = there.create_volume(SnapshotId=one["SnapshotId"], AvailabilityZone="eu-west-1a")
    assert volume["Size"] == 8


def test_a_copy_may_be_encrypted_and_an_encrypted_one_stays_so(lab: Lab, snapshot: str) -> None:
    copy = lab.ec2.copy_snapshot
    given = {"SourceRegion": HERE, "SourceSnapshotId": snapshot}
    first = completed(lab.ec2, copy(**given, Encrypted=True)["SnapshotId"])
    assert first["Encrypted"] is True
    assert first["KmsKeyId"] == lab.ec2.get_ebs_default_kms_key_id()["KmsKeyId"]
    again = {**given, "SourceSnapshotId": first["SnapshotId"]}
    assert completed(lab.ec2, copy(**again)["SnapshotId"])["Encrypted"] is True
    lab.refused("InvalidParameterCombination", copy, **again, Encrypted=False)
    lab.refused("InvalidParameterDependency", copy, **given, KmsKeyId="alias/aws/ebs")


def test_a_key_that_is_not_there_fails_the_copy_late(lab: Lab, snapshot: str) -> None:
    answer = lab.ec2.copy_snapshot(
        SourceRegion=HERE, SourceSnapshotId=snapshot, Encrypted=True, KmsKeyId="alias/mine"
    )
    one = completed(lab.ec2, answer["SnapshotId"])
    assert (one["State"], one["StateMessage"]) == ("error", "Given key ID is not accessible")


def test_the_source_stays_until_its_copy_is_done(lab: Lab, there: Any, snapshot: str) -> None:
    source = completed(
        lab.ec2, lab.ec2.copy_snapshot(SourceRegion=HERE, SourceSnapshotId=snapshot)["SnapshotId"]
    )["SnapshotId"]
    lab.host.copying.clear()
    copied = there.copy_snapshot(SourceRegion=HERE, SourceSnapshotId=source)["SnapshotId"]
    lab.refused("InvalidSnapshot.InUse", lab.ec2.delete_snapshot, SnapshotId=source)
    lab.refused(
        "IncorrectState", lab.ec2.copy_snapshot, SourceRegion=THERE, SourceSnapshotId=copied
    )
    lab.host.copying.set()
    completed(there, copied)
    lab.ec2.delete_snapshot(SnapshotId=source)


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("MissingParameter", {"SourceRegion": ""}),
        ("InvalidParameterValue", {"SourceRegion": "mars-1"}),
        ("InvalidSnapshot.NotFound", {"SourceSnapshotId": "snap-0123456789abcdef0"}),
        ("InvalidSnapshot.NotFound", {"SourceRegion": THERE}),
        ("UnsupportedOperation", {"CompletionDurationMinutes": 15}),
        (
            "InvalidParameterValue",
            {"TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "k"}]}]},
        ),
    ],
)
def test_a_copy_that_cannot_be_makes_nothing(
    lab: Lab, snapshot: str, code: str, params: Any
) -> None:
    before = everything(lab)
    given = {"SourceRegion": HERE, "SourceSnapshotId": snapshot, **params}
    lab.refused(code, lab.ec2.copy_snapshot, **given)
    assert everything(lab) == before


def test_an_image_is_copied_with_its_snapshots_and_boots(
    lab: Lab, there: Any, snapshot: str
) -> None:
    source = lab.baked("to-copy", snapshot=snapshot, Description="first")
    lab.ec2.create_tags(Resources=[source], Tags=[{"Key": "from", "Value": "source"}])
    given = {
        "Name": "copied", "SourceImageId": source, "SourceRegion": HERE, "CopyImageTags": True,
        "ClientToken": "one-copy",
    }  # fmt: skip
    ident = there.copy_image(**given)["ImageId"]
    assert there.copy_image(**given)["ImageId"] == ident

    def available() -> Any:
        (one,) = there.describe_images(ImageIds=[ident])["Images"]
        return one if one["State"] == "available" else None

    image = until(f"{ident} available", available)
    assert (image["SourceImageId"], image["SourceImageRegion"]) == (source, HERE)
    assert image["Tags"] == [{"Key": "from", "Value": "source"}]
    assert image["EnaSupport"] is True
    (mapped,) = image["BlockDeviceMappings"]
    assert mapped["Ebs"]["SnapshotId"] != snapshot
    machine = there.run_instances(ImageId=ident, InstanceType="m5d.large", MinCount=1, MaxCount=1)[
        "Instances"
    ][0]["InstanceId"]

    def running() -> bool:
        answer = there.describe_instances(InstanceIds=[machine])
        return bool(answer["Reservations"][0]["Instances"][0]["State"]["Name"] == "running")

    until(f"{machine} running", running)
    there.terminate_instances(InstanceIds=[machine])


def test_a_copy_of_an_image_may_be_encrypted(lab: Lab, snapshot: str) -> None:
    source = lab.baked("to-encrypt", snapshot=snapshot)
    ident = lab.ec2.copy_image(
        Name="encrypted", SourceImageId=source, SourceRegion=HERE, Encrypted=True
    )["ImageId"]
    (mapped,) = lab.image_becomes(ident, "available")["BlockDeviceMappings"]
    assert mapped["Ebs"]["Encrypted"] is True
    one = completed(lab.ec2, mapped["Ebs"]["SnapshotId"])
    assert one["Description"].startswith(f"Copied for DestinationAmi {ident} from SourceAmi")


def test_the_base_image_and_a_taken_name_are_refused(lab: Lab, snapshot: str) -> None:
    copy, given = lab.ec2.copy_image, {"Name": "new-name", "SourceRegion": HERE}
    lab.refused("UnsupportedOperation", copy, **given, SourceImageId=lab.image)
    source = lab.baked("taken", snapshot=snapshot)
    before = everything(lab)
    taken = {**given, "Name": "taken", "SourceImageId": source}
    lab.refused("InvalidAMIName.Duplicate", copy, **taken)
    lab.refused(
        "InvalidAMIID.NotFound", copy, **{**given, "SourceImageId": "ami-0123456789abcdef0"}
    )
    assert everything(lab) == before
