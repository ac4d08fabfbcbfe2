"""Volumes and snapshots."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.ec2.filters import page
from localcloud.ec2.records.volume import VolumeAttachment
from localcloud.ec2.responses.base import BaseResponses


def _attachment(one: VolumeAttachment) -> dict[str, Any]:
    return {
        "VolumeId": one.volume_id,
        "InstanceId": one.instance_id,
        "Device": one.device,
        "State": one.state,
        "AttachTime": one.attach_time,
        "DeleteOnTermination": one.delete_on_termination,
    }


class StorageResponses(BaseResponses):
    def create_volume(self) -> ActionResult:
        return ActionResult(self.backend.make_volume(self.given))

    def delete_volume(self) -> ActionResult:
        self.backend.remove_volume(self.one("VolumeId") or "")
        return EmptyResult()

    def describe_volumes(self) -> ActionResult:
        volumes = self.backend.find_volumes(self.given)
        shown, token = page(volumes, self.given, ids="VolumeIds")
        return ActionResult({"Volumes": shown, "NextToken": token})

    def attach_volume(self) -> ActionResult:
        attachment = self.backend.attach(
            self.one("VolumeId") or "", self.one("InstanceId") or "", self.one("Device")
        )
        return ActionResult(_attachment(attachment))

    def detach_volume(self) -> ActionResult:
        """Force is taken and changes nothing: the guest is asked all the same."""
        attachment = self.backend.detach(
            self.one("VolumeId") or "", self.one("InstanceId"), self.one("Device")
        )
        return ActionResult(_attachment(attachment))

    def get_ebs_default_kms_key_id(self) -> ActionResult:
        return ActionResult({"KmsKeyId": self.backend.get_ebs_default_kms_key_id()})

    def modify_volume(self) -> ActionResult:
        return ActionResult({"VolumeModification": self.backend.change_volume(self.given)})

    def describe_volumes_modifications(self) -> ActionResult:
        shown, token = page(self.backend.find_changes(self.given), self.given, low=1)
        return ActionResult({"VolumesModifications": shown, "NextToken": token})

    def create_snapshot(self) -> ActionResult:
        return ActionResult(self.backend.make_snapshot(self.given))

    def create_snapshots(self) -> ActionResult:
        return ActionResult({"Snapshots": self.backend.make_snapshots(self.given)})

    def copy_snapshot(self) -> ActionResult:
        copied = self.backend.copy_snapshot_of(self.given)
        return ActionResult({"SnapshotId": copied.id, "Tags": copied.tags})

    def describe_snapshots(self) -> ActionResult:
        snapshots = self.backend.find_snapshots(self.given)
        shown, token = page(snapshots, self.given, ids="SnapshotIds")
        return ActionResult({"Snapshots": shown, "NextToken": token})

    def describe_snapshot_tier_status(self) -> ActionResult:
        snapshots = self.backend.find_snapshot_tiers(self.given)
        shown, token = page(snapshots, self.given)
        statuses = [
            {
                "SnapshotId": snapshot.id,
                "VolumeId": snapshot.volume_id,
                "Status": snapshot.status,
                "OwnerId": snapshot.owner_id,
                "Tags": snapshot.tags,
                "StorageTier": snapshot.storage_tier,
            }
            for snapshot in shown
        ]
        return ActionResult({"SnapshotTierStatuses": statuses, "NextToken": token})

    def delete_snapshot(self) -> ActionResult:
        self.backend.remove_snapshot(self.one("SnapshotId") or "")
        return EmptyResult()
