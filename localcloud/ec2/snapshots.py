"""Snapshots of volumes, and volumes that grow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from moto.ec2.utils import random_snapshot_id

from localcloud.ec2.base import tags_for
from localcloud.ec2.errors import invalid, refusal
from localcloud.ec2.filters import by_ids, select, tags_of
from localcloud.ec2.volumes import Volume, Volumes, default_iops, require_sane

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
CHANGE_FILTERS = {
    "modification-state": lambda m: m.modification_state,
    "original-size": lambda m: m.original_size,
    "target-size": lambda m: m.target_size,
    "volume-id": lambda m: m.volume_id,
}


class Snapshot:
    """pending until the host has copied the bytes, then completed, or error.

    ``bootable``: it is of a root volume, or of what was made from a snapshot of one.
    ``at_rest_in`` is the instance that is to be rebooted for it, or empty.
    """

    def __init__(
        self, backend: Any, volume: Volume, description: str, at_rest_in: str = ""
    ) -> None:
        self.ec2_backend = backend
        self.id = random_snapshot_id()
        self.volume_id = volume.id
        self.volume_size = volume.size
        self.description = description
        self.encrypted = volume.encrypted
        self.bootable = volume.bootable
        self.at_rest_in = at_rest_in
        self.kms_key_id = volume.kms_key_id
        self.owner_id = backend.account_id
        self.start_time: datetime = backend.now()
        self.completion_time: datetime | None = None
        self.status = "pending"
        self.state_message = ""
        self.storage_tier = "standard"
        # Private, as EC2 makes them; moto's own calls read and change these two
        self.create_volume_permission_groups: set[str] = set()
        self.create_volume_permission_userids: set[str] = set()

    @property
    def snapshot_id(self) -> str:
        return self.id

    @property
    def state(self) -> str:
        return self.status

    @property
    def progress(self) -> str:
        return "100%" if self.status == "completed" else "0%"

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in tags_of(self).items()]


class VolumeModification:
    """modifying until the host has grown the file, optimizing for a moment, completed."""

    def __init__(self, volume: Volume, target: Mapping[str, Any]) -> None:
        self.volume_id = volume.id
        self.modification_state = "modifying"
        self.status_message = ""
        self.start_time: datetime = volume.ec2_backend.now()
        self.end_time: datetime | None = None
        for name in ("size", "iops", "throughput", "volume_type"):
            setattr(self, f"original_{name}", getattr(volume, name))
            setattr(self, f"target_{name}", target[name])
        self.original_multi_attach_enabled = self.target_multi_attach_enabled = False

    @property
    def progress(self) -> int:
        return {"modifying": 0, "optimizing": 50}.get(self.modification_state, 100)


class Snapshots(Volumes):
    snapshots: dict[str, Snapshot]  # type: ignore[assignment]

    def make_snapshot(self, params: Mapping[str, Any]) -> Snapshot:
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
        found = by_ids(self.snapshots, ids, "InvalidSnapshot.NotFound", "snapshot")
        owners = {self.account_id if o == "self" else o for o in params.get("OwnerIds", [])}
        if owners:
            found = [snapshot for snapshot in found if snapshot.owner_id in owners]
        return select(found, params.get("Filters", []), SNAPSHOT_FILTERS)

    def user_of_snapshot(self, snapshot_id: str) -> str:
        """Id of an image that has it, or of a volume that is not made of it yet, or empty."""
        images = [i.id for i in self.amis.values() if snapshot_id in i.snapshot_ids]
        unmade = [
            v.id for v in self.volumes.values() if v.snapshot_id == snapshot_id and not v.made
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
        volume = self.volume(params.get("VolumeId", ""))
        size, kind = params.get("Size") or volume.size, params.get("VolumeType")
        kept = not kind or kind == volume.volume_type
        kind = kind or volume.volume_type
        target: dict[str, Any] = {
            "size": size,
            "volume_type": kind,
            "iops": params.get("Iops") or (volume.iops if kept else default_iops(kind, size)),
            "throughput": params.get("Throughput") or (volume.throughput if kept else None),
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
        require_sane(
            target["volume_type"], target["size"], params.get("Iops"), params.get("Throughput")
        )
        change = VolumeModification(volume, target)
        volume.modifications.append(change)  # type: ignore[arg-type]
        self.touch()
        return change

    def find_changes(self, params: Mapping[str, Any]) -> list[Any]:
        ids = params.get("VolumeIds", [])
        found = by_ids(self.volumes, ids, "InvalidVolume.NotFound", "volume")
        changes = [volume.modifications[-1] for volume in found if volume.modifications]
        return select(changes, params.get("Filters", []), CHANGE_FILTERS)
