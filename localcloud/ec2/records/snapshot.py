"""One snapshot of a volume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.ec2.utils import random_snapshot_id

from localcloud.ec2.filters import tags_of
from localcloud.ec2.records.volume import Volume


@dataclass(frozen=True)
class Copied:
    """The origin of a copy's bytes, in the place of a volume.

    EC2 shows this id, which is no volume's (API Reference, CopySnapshot).
    """

    size: int
    encrypted: bool
    kms_key_id: str | None
    bootable: bool
    id: str = "vol-ffffffff"


class Snapshot:
    """pending until the host has copied the bytes, then completed, or error.

    ``bootable``: it is of a root volume, or of what was made from a snapshot of one.
    ``copy_of`` is the snapshot, of any region, whose bytes it gets, or empty for its volume's.
    ``at_rest_in`` is the instance that is to be rebooted for it, or empty.
    """

    def __init__(
        self, backend: Any, volume: Volume | Copied, description: str, at_rest_in: str = ""
    ) -> None:
        self.ec2_backend = backend
        self.id = random_snapshot_id()
        self.volume_id = volume.id
        self.volume_size = volume.size
        self.description = description
        self.encrypted = volume.encrypted
        self.bootable = volume.bootable
        self.at_rest_in = at_rest_in
        self.copy_of = ""
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

    def of_copy(self, encrypted: bool, kms_key_id: str | None) -> Copied:
        return Copied(self.volume_size, encrypted, kms_key_id, self.bootable)

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
