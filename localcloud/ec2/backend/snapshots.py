"""Snapshots of volumes, and volumes that grow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.volumes import (
    PROVISIONED,
    Volumes,
    default_throughput,
    modified_iops,
    require_sane,
)
from localcloud.ec2.errors import invalid, refusal
from localcloud.ec2.filters import by_ids, select
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.snapshot import Snapshot
from localcloud.ec2.records.volume import Volume, VolumeModification

SNAPSHOT_FILTERS = {
    "description": lambda s: s.description,
    "encrypted": lambda s: s.encrypted,
    "owner-alias": lambda s: None,
    "owner-id": lambda s: s.owner_id,
    "progress": lambda s: s.progress,
    "snapshot-id": lambda s: s.id,
    "start-time": lambda s: s.start_time,
    "status": lambda s: s.status,
    "storage-tier": lambda s: s.storage_tier,
    "transfer-type": lambda s: None,
    "volume-id": lambda s: s.volume_id,
    "volume-size": lambda s: s.volume_size,
}
# Nothing here was ever archived, as ModifySnapshotTier is not rehearsed
TIER_FILTERS = {
    "last-tiering-operation": lambda s: None,
    "snapshot-id": lambda s: s.id,
    "volume-id": lambda s: s.volume_id,
}
# How often a volume is modified in 24 hours
MOST_CHANGES, WINDOW = 4, timedelta(hours=24)
CHANGE_FILTERS = {
    "modification-state": lambda m: m.modification_state,
    "original-iops": lambda m: m.original_iops,
    "original-volume-type": lambda m: m.original_volume_type,
    "start-time": lambda m: m.start_time,
    "target-iops": lambda m: m.target_iops,
    "target-volume-type": lambda m: m.target_volume_type,
    "original-size": lambda m: m.original_size,
    "target-size": lambda m: m.target_size,
    "volume-id": lambda m: m.volume_id,
}


class Snapshots(Volumes):
    def make_snapshot(self, params: Mapping[str, Any]) -> Snapshot:
        refuse_unknown("CreateSnapshot", params)
        volume = self.volume(params.get("VolumeId", ""))
        tags = tags_for(params, allowed=("snapshot",))["snapshot"]
        if volume.status not in ("available", "in-use"):
            raise refusal(
                "IncorrectState", f"The volume '{volume.id}' is '{volume.status}', not available."
            )
        snapshot = self.new_snapshot(volume, params.get("Description") or "")
        self.set_tags(snapshot.id, tags)
        return snapshot

    def new_snapshot(self, volume: Volume, description: str, at_rest_in: str = "") -> Snapshot:
        snapshot = Snapshot(self, volume, description, at_rest_in)
        self.snapshots[snapshot.id] = snapshot
        self.touch()
        return snapshot

    def find_snapshots(self, params: Mapping[str, Any]) -> list[Snapshot]:
        ids = params.get("SnapshotIds", [])
        snapshots = by_ids(self.snapshots, ids, "InvalidSnapshot.NotFound", "snapshot")
        owners = {self.account_id if o == "self" else o for o in params.get("OwnerIds", [])}
        if owners:
            snapshots = [snapshot for snapshot in snapshots if snapshot.owner_id in owners]
        return select(snapshots, params.get("Filters", []), SNAPSHOT_FILTERS)

    def find_snapshot_tiers(self, params: Mapping[str, Any]) -> list[Snapshot]:
        """One's own; there are no others."""
        return select(self.snapshots.values(), params.get("Filters", []), TIER_FILTERS)

    def user_of_snapshot(self, snapshot_id: str) -> str:
        """Id of an image that has it, or of a volume that is not made of it yet, or empty."""
        images = [i.id for i in self.amis.values() if snapshot_id in i.snapshot_ids]
        unmade = [
            v.id for v in self.volumes.values() if v.snapshot_id == snapshot_id and not v.has_disk
        ]
        return next(iter([*images, *unmade]), "")

    def remove_snapshot(self, snapshot_id: str) -> None:
        by_ids(self.snapshots, [snapshot_id], "InvalidSnapshot.NotFound", "snapshot")
        if user := self.user_of_snapshot(snapshot_id):
            raise refusal(
                "InvalidSnapshot.InUse",
                f"The snapshot {snapshot_id} is currently in use by {user}",
            )
        del self.snapshots[snapshot_id]
        self.discard(snapshot_id)

    def change_volume(self, params: Mapping[str, Any]) -> VolumeModification:
        """ModifyVolume: size, type and performance; a volume never shrinks."""
        refuse_unknown("ModifyVolume", params)
        volume = self.volume(params.get("VolumeId", ""))
        if not any(params.get(name) for name in ("Size", "VolumeType", "Iops", "Throughput")):
            raise invalid(
                "Invalid input: specify one or more of Size, VolumeType, Iops and Throughput."
            )
        size, kind = params.get("Size") or volume.size, params.get("VolumeType")
        kept = not kind or kind == volume.volume_type
        kind = kind or volume.volume_type
        target: dict[str, Any] = {
            "size": size,
            "volume_type": kind,
            "iops": params.get("Iops") or modified_iops(volume, kind, size),
            "throughput": params.get("Throughput")
            or (volume.throughput if kept else default_throughput(kind)),
        }
        if volume.status not in ("available", "in-use"):
            raise refusal(
                "IncorrectModificationState", f"Volume '{volume.id}' is '{volume.status}'."
            )
        if target["size"] < volume.size:
            raise invalid("New size cannot be smaller than existing size")
        latest = volume.modifications[-1] if volume.modifications else None
        if latest and latest.modification_state in ("modifying", "optimizing"):
            raise refusal(
                "IncorrectModificationState",
                f"Volume '{volume.id}' is '{latest.modification_state}' already; wait for that.",
            )
        _require_rare(volume, self.now())
        iops = target["iops"] if kind in PROVISIONED else params.get("Iops")
        require_sane(kind, size, iops, params.get("Throughput"))
        change = VolumeModification(volume, target)
        volume.modifications.append(change)  # type: ignore[arg-type]
        self.touch()
        return change

    def find_changes(self, params: Mapping[str, Any]) -> list[Any]:
        ids = params.get("VolumeIds", [])
        volumes = by_ids(self.volumes, ids, "InvalidVolume.NotFound", "volume")
        changes = [volume.modifications[-1] for volume in volumes if volume.modifications]
        return select(changes, params.get("Filters", []), CHANGE_FILTERS)


def _require_rare(volume: Volume, now: datetime) -> None:
    """EC2 User Guide, ebs-modify-volume, "Limitations"."""
    recent = [one for one in volume.modifications if now - _began(one) < WINDOW]
    if len(recent) >= MOST_CHANGES:
        raise refusal(
            "VolumeModificationRateExceeded",
            f"The volume '{volume.id}' was modified {MOST_CHANGES} times in the last 24 hours,"
            " which is the most. Wait until the first of these is 24 hours old.",
        )


def _began(change: Any) -> datetime:
    began: datetime = change.start_time
    return began
