"""The calls about volumes: refusals, tokens, filters and pages; growing; snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.lab import ZONE, Lab, until


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("InvalidZone.NotFound", {"AvailabilityZone": "us-east-1z"}),
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


@pytest.mark.parametrize("kind", ["io1", "io2", "gp3"])
def test_fault_11_another_type_begins_with_3000_iops(lab: Lab, kind: str) -> None:
    volume = lab.volume(VolumeType="gp2", Size=100)
    change = lab.ec2.modify_volume(VolumeId=volume, VolumeType=kind)["VolumeModification"]
    assert (change["OriginalIops"], change["TargetIops"]) == (300, 3000)


def test_fault_11_provisioned_iops_stay_as_the_volume_grows(lab: Lab) -> None:
    volume = lab.volume(VolumeType="io2", Size=10, Iops=400)
    change = lab.ec2.modify_volume(VolumeId=volume, Size=20)["VolumeModification"]
    assert (change["TargetSize"], change["TargetIops"]) == (20, 400)


def test_fault_12_throughput_and_iops_go_by_type_and_size(lab: Lab) -> None:
    volume = lab.volume(VolumeType="gp2", Size=100)
    change = lab.ec2.modify_volume(VolumeId=volume, VolumeType="gp3")["VolumeModification"]
    assert (change["TargetThroughput"], change["TargetIops"]) == (125, 3000)
    volume = lab.volume(VolumeType="gp2", Size=100)
    change = lab.ec2.modify_volume(VolumeId=volume, Size=2000)["VolumeModification"]
    assert change["TargetIops"] == 6000
    assert "TargetThroughput" not in change
    volume = lab.volume(VolumeType="gp3", Throughput=200, Iops=4000, Size=10)
    change = lab.ec2.modify_volume(VolumeId=volume, Size=20)["VolumeModification"]
    assert (change["TargetThroughput"], change["TargetIops"]) == (200, 4000)


def test_fault_13_no_snapshot_is_archived(lab: Lab) -> None:
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]
    volume = lab.volume()
    snapshot = lab.ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)["SnapshotId"]
    lab.snapshot(volume)
    wanted = [{"Name": "snapshot-id", "Values": [snapshot]}]
    (tier,) = lab.ec2.describe_snapshot_tier_status(Filters=wanted)["SnapshotTierStatuses"]
    assert (tier["SnapshotId"], tier["VolumeId"], tier["StorageTier"]) == (
        snapshot, volume, "standard",
    )  # fmt: skip
    assert tier["Tags"] == [{"Key": "a", "Value": "b"}]
    archived = [{"Name": "last-tiering-operation", "Values": ["archival-completed"]}]
    assert lab.ec2.describe_snapshot_tier_status(Filters=archived)["SnapshotTierStatuses"] == []
