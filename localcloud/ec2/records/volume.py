"""One volume, its attachment, and its growth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.elastic_block_store import Volume as MotoVolume
from moto.ec2.utils import random_volume_id

from localcloud.ec2.records.instance import Instance


class VolumeAttachment:
    """attaching, attached, detaching, or busy when the guest does not let go."""

    def __init__(
        self, volume: Volume, instance: Instance, device: str, *, delete: bool = False
    ) -> None:
        self.volume = volume
        self.instance = instance
        self.device = device
        self.delete_on_termination = delete
        self.state = "attaching"
        self.attach_time: datetime = utcnow()

    @property
    def volume_id(self) -> str:
        return self.volume.id

    @property
    def instance_id(self) -> str:
        return self.instance.id


class Volume(MotoVolume):
    """creating, available, in-use or error; deleted ones vanish at once."""

    attachment: VolumeAttachment | None  # type: ignore[assignment]

    def __init__(self, backend: Any, **facts: Any) -> None:
        super().__init__(backend, random_volume_id(), **facts)
        # amazon.aws reads these two without looking whether they are there
        self.snapshot_id = facts.get("snapshot_id") or ""
        self.multi_attach_enabled = False
        self.has_disk = False
        self.failure = ""
        # Whether it has a kernel that boots it: it is a root volume, or made of a snapshot of one
        self.bootable = False

    @property
    def status(self) -> str:
        if self.failure:
            return "error"
        if self.attachment:
            return "in-use"
        return "available" if self.has_disk else "creating"


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
