"""CreateSnapshots: a snapshot of each volume of an instance."""

from __future__ import annotations

from typing import Any

from tests.localcloud.ec2.refusals.world import GONE
from tests.localcloud.lab import Lab
from tests.localcloud.roles import Roles, allow


def with_volume(lab: Lab) -> tuple[str, str, str]:
    """Ids of a machine, of its root volume and of another volume of it."""
    machine = lab.run()
    volume = lab.volume()
    lab.attach(volume, machine)
    return machine, lab.root(machine), volume


def taken(lab: Lab, machine: str, **params: Any) -> dict[str, Any]:
    """The snapshots by the volume that each is of, once they are there."""
    instance = {"InstanceId": machine, **params.pop("InstanceSpecification", {})}
    answer = lab.ec2.create_snapshots(InstanceSpecification=instance, **params)
    for one in answer["Snapshots"]:
        lab.snapshot_becomes(one["SnapshotId"], "completed")
    return {one["VolumeId"]: one for one in answer["Snapshots"]}


def snapshots(lab: Lab) -> int:
    return len(lab.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])


def test_each_volume_gets_its_snapshot(lab: Lab) -> None:
    machine, root, volume = with_volume(lab)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "set", "Value": "1"}]}]
    every = taken(lab, machine, Description="all", TagSpecifications=tags)
    assert every.keys() == {root, volume}
    for one in every.values():
        assert one["Description"] == "all"
        assert one["Tags"] == tags[0]["Tags"]
        assert one["SnapshotId"] in lab.host.snapshots
    assert every[volume]["VolumeSize"] == 5
    assert every[volume]["Encrypted"] is False


def test_volumes_are_left_out_by_id_and_the_root_volume_by_its_own_word(lab: Lab) -> None:
    machine, root, volume = with_volume(lab)
    without_root = taken(lab, machine, InstanceSpecification={"ExcludeBootVolume": True})
    assert without_root.keys() == {volume}
    without_data = taken(lab, machine, InstanceSpecification={"ExcludeDataVolumeIds": [volume]})
    assert without_data.keys() == {root}


def test_the_volumes_tags_are_copied_and_the_calls_own_win(lab: Lab) -> None:
    machine, root, volume = with_volume(lab)
    lab.ec2.create_tags(
        Resources=[volume], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}]
    )
    own = [{"ResourceType": "snapshot", "Tags": [{"Key": "b", "Value": "2"}]}]
    every = taken(lab, machine, CopyTagsFromSource="volume", TagSpecifications=own)
    tags = {one["Key"]: one["Value"] for one in every[volume]["Tags"]}
    assert tags == {"a": "1", "b": "2"}
    assert every[root]["Tags"] == own[0]["Tags"]


def test_what_is_wrong_makes_no_snapshot(lab: Lab) -> None:
    machine, root, volume = with_volume(lab)
    loose = lab.volume()
    before = snapshots(lab)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "aws:x", "Value": ""}]}]

    def refused(code: str, instance: dict[str, Any], **more: Any) -> None:
        given = {"InstanceSpecification": instance, **more}
        lab.refused(code, lab.ec2.create_snapshots, **given)

    one = {"InstanceId": machine}
    refused("InvalidInstanceID.NotFound", {"InstanceId": GONE["instance"]})
    refused("InvalidInstanceID.Malformed", {"InstanceId": "i-x"})
    refused("InvalidVolume.NotFound", {**one, "ExcludeDataVolumeIds": [GONE["volume"]]})
    refused("InvalidParameterValue", {**one, "ExcludeDataVolumeIds": [root]})
    refused("InvalidParameterValue", {**one, "ExcludeDataVolumeIds": [loose]})
    refused("InvalidParameterValue", {**one, "ExcludeDataVolumeIds": [volume] * 41})
    nothing = {**one, "ExcludeBootVolume": True, "ExcludeDataVolumeIds": [volume]}
    refused("InvalidParameterValue", nothing)
    refused("InvalidParameterValue", one, TagSpecifications=tags)
    refused("InvalidParameterValue", one, CopyTagsFromSource="instance")
    refused("UnsupportedOperation", one, Location="local")
    refused("DryRunOperation", one, DryRun=True)
    assert snapshots(lab) == before


def test_a_policy_has_to_permit_each_volume(roles: Roles) -> None:
    machine = roles.machine()
    here = "arn:aws:ec2:us-east-1:123456789012"
    given = {"InstanceSpecification": {"InstanceId": machine}, "DryRun": True}
    some = [
        allow("ec2:CreateSnapshots", "arn:aws:ec2:us-east-1::snapshot/*"),
        allow("ec2:CreateSnapshots", f"{here}:instance/{machine}"),
    ]
    roles.may(*some)
    message = roles.lab.refused(
        "UnauthorizedOperation", roles.of(machine).create_snapshots, **given
    )
    volume = f"{here}:volume/{roles.lab.root(machine)}"
    assert f"on resource: {volume} because" in message
    roles.may(*some, allow("ec2:CreateSnapshots", volume))
    roles.lab.refused("DryRunOperation", roles.of(machine).create_snapshots, **given)
