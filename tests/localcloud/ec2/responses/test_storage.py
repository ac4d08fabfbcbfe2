"""The calls about volumes: refusals, tokens, filters and pages; growing; snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.lab import ZONE, Lab, until


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("InvalidParameterValue", {"AvailabilityZone": "us-east-1z"}),
        ("InvalidParameterValue", {"Size": 0}),
        ("InvalidParameterValue", {"Size": 100000}),
        ("InvalidParameterValue", {"VolumeType": "floppy"}),
        ("MissingParameter", {"Size": None}),
        ("MissingParameter", {"AvailabilityZone": None}),
        ("MissingParameter", {"VolumeType": "io2"}),
        ("InvalidParameterCombination", {"VolumeType": "gp2", "Iops": 3000}),
        ("InvalidParameterDependency", {"KmsKeyId": "alias/mine"}),
        ("InvalidSnapshot.NotFound", {"SnapshotId": "snap-0123456789abcdef0"}),
        ("UnsupportedOperation", {"VolumeType": "io2", "Iops": 100, "MultiAttachEnabled": True}),
        ("DryRunOperation", {"DryRun": True}),
    ],
)
def test_create_refusals(lab: Lab, code: str, params: dict[str, Any]) -> None:
    given = {"AvailabilityZone": ZONE, "Size": 5, **params}
    before = len(lab.ec2.describe_volumes()["Volumes"])
    lab.refused(code, lab.ec2.create_volume, **{k: v for k, v in given.items() if v is not None})
    assert len(lab.ec2.describe_volumes()["Volumes"]) == before


def test_same_token_same_volume(lab: Lab) -> None:
    first = lab.volume(ClientToken="volume-a")
    assert lab.volume(ClientToken="volume-a") == first
    lab.refused(
        "IdempotentParameterMismatch",
        lab.ec2.create_volume, AvailabilityZone=ZONE, Size=6, VolumeType="gp3",
        ClientToken="volume-a",
    )  # fmt: skip


def test_grows_also_while_attached(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    lab.attach(volume, instance)
    change = lab.ec2.modify_volume(VolumeId=volume, Size=9, Iops=4000)["VolumeModification"]
    assert (change["ModificationState"], change["OriginalSize"]) == ("modifying", 5)

    def completed() -> bool:
        changes = lab.ec2.describe_volumes_modifications(VolumeIds=[volume])
        return bool(changes["VolumesModifications"][0]["ModificationState"] == "completed")

    until("the modification", completed)
    facts = lab.volume_of(volume)
    assert (facts["Size"], facts["Iops"], lab.host.volumes[volume]) == (9, 4000, 9)
    lab.refused("InvalidParameterValue", lab.ec2.modify_volume, VolumeId=volume, Size=5)


def test_snapshots_make_volumes(lab: Lab) -> None:
    volume = lab.volume(Encrypted=True)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]
    snapshot = lab.ec2.create_snapshot(VolumeId=volume, Description="x", TagSpecifications=tags)
    assert (snapshot["State"], snapshot["VolumeSize"]) == ("pending", 5)
    ident = snapshot["SnapshotId"]

    def find(**params: Any) -> list[dict[str, Any]]:
        return list(lab.ec2.describe_snapshots(**params)["Snapshots"])

    done = until("the copy", lambda: find(Filters=[{"Name": "status", "Values": ["completed"]}]))
    assert done[0]["SnapshotId"] == ident
    assert find(Filters=[{"Name": "tag:a", "Values": ["b"]}])[0]["Progress"] == "100%"
    lab.ec2.delete_volume(VolumeId=volume)
    again = lab.volume(SnapshotId=ident, Size=None)
    assert (lab.volume_of(again)["Size"], lab.volume_of(again)["Encrypted"]) == (5, True)
    lab.refused(
        "InvalidParameterValue",
        lab.ec2.create_volume, AvailabilityZone=ZONE, Size=2, SnapshotId=ident,
    )  # fmt: skip
    lab.ec2.delete_snapshot(SnapshotId=ident)
    lab.refused("InvalidSnapshot.NotFound", lab.ec2.describe_snapshots, SnapshotIds=[ident])
    until("its file gone", lambda: ident not in lab.host.snapshots)


def test_filters_and_pages(lab: Lab) -> None:
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "filter", "Value": "me"}]}]
    volume, instance = lab.volume(TagSpecifications=tags), lab.run()
    lab.attach(volume, instance)
    for name, value in (
        ("tag:filter", "me"), ("attachment.device", "/dev/xvdj"), ("volume-id", volume),
    ):  # fmt: skip
        volumes = lab.ec2.describe_volumes(
            Filters=[
                {"Name": name, "Values": [value]},
                {"Name": "attachment.instance-id", "Values": [instance]},
                {"Name": "status", "Values": ["in-use"]},
                {"Name": "availability-zone", "Values": [ZONE]},
            ]
        )["Volumes"]
        assert [one["VolumeId"] for one in volumes] == [volume], name
    for _ in range(6):
        lab.volume()
    pages = list(
        lab.ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5})
    )
    assert len(pages) > 1
    lab.refused(
        "InvalidParameterCombination", lab.ec2.describe_volumes, VolumeIds=[volume], MaxResults=5
    )
