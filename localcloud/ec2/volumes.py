"""EBS volumes: records with real states; what the host does to their files follows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from moto.core.utils import utcnow
from moto.ec2.models.elastic_block_store import Volume as MotoVolume
from moto.ec2.utils import random_volume_id

from localcloud.ec2.base import tags_for
from localcloud.ec2.errors import invalid, missing, refusal
from localcloud.ec2.filters import by_ids, select
from localcloud.ec2.images import Images

if TYPE_CHECKING:
    from localcloud.ec2.instance import Instance

# GiB, lowest and highest (EC2 User Guide, ebs-volume-types)
SIZES = {
    "gp2": (1, 16384), "gp3": (1, 65536), "io1": (4, 16384), "io2": (4, 65536),
    "st1": (125, 16384), "sc1": (125, 16384), "standard": (1, 1024),
}  # fmt: skip
PROVISIONED = ("io1", "io2")
# EC2 User Guide, device_naming; xvdj and the like work as well
DEVICE = re.compile(r"(/dev/)?(sd[a-z]|sda1|xvda|xvd[a-z]{1,2})\d{0,2}")

FILTERS = {
    "attachment.attach-time": lambda v: [a.attach_time for a in v.attachments],
    "attachment.delete-on-termination": lambda v: [a.delete_on_termination for a in v.attachments],
    "attachment.device": lambda v: [a.device for a in v.attachments],
    "attachment.instance-id": lambda v: [a.instance_id for a in v.attachments],
    "attachment.status": lambda v: [a.state for a in v.attachments],
    "availability-zone": lambda v: v.availability_zone,
    "create-time": lambda v: v.create_time,
    "encrypted": lambda v: v.encrypted,
    "fast-restored": lambda v: False,
    "multi-attach-enabled": lambda v: v.multi_attach_enabled,
    "size": lambda v: v.size,
    "snapshot-id": lambda v: v.snapshot_id,
    "status": lambda v: v.status,
    "volume-id": lambda v: v.id,
    "volume-type": lambda v: v.volume_type,
}


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
        self.made = False
        self.failure = ""
        # Whether it is known what boots it: a root volume, or made of a snapshot of one
        self.bootable = False

    @property
    def status(self) -> str:
        if self.failure:
            return "error"
        if self.attachment:
            return "in-use"
        return "available" if self.made else "creating"


def require_sane(kind: str, size: int, iops: int | None, throughput: int | None) -> None:
    if kind not in SIZES:
        raise invalid(f"Invalid value '{kind}' for VolumeType. Valid: {', '.join(SIZES)}.")
    low, high = SIZES[kind]
    if not low <= size <= high:
        word, limit = ("small; minimum", low) if size < low else ("large; maximum", high)
        raise invalid(f"Volume of {size}GiB is too {word} is {limit}GiB.")
    if kind in PROVISIONED and not iops:
        raise missing("iops")
    if iops and kind not in (*PROVISIONED, "gp3"):
        raise refusal(
            "InvalidParameterCombination",
            f"The parameter iops is not supported for {kind} volumes.",
        )
    if kind == "gp3" and iops and not 3000 <= iops <= 80000:
        raise invalid(f"Volume iops of {iops} is invalid; gp3 has from 3000 to 80000.")
    if throughput and kind != "gp3":
        raise refusal(
            "InvalidParameterCombination",
            f"The parameter throughput is not supported for {kind} volumes.",
        )


def default_iops(kind: str, size: int) -> int | None:
    """EC2 User Guide, ebs-volume-types: 3 a GiB, from 100 to 16000, for gp2."""
    return {"gp3": 3000, "gp2": min(max(100, 3 * size), 16000)}.get(kind)


class Volumes(Images):
    volumes: dict[str, Volume]  # type: ignore[assignment]

    def volume(self, volume_id: str) -> Volume:
        return by_ids(self.volumes, [volume_id], "InvalidVolume.NotFound", "volume")[0]

    def find_volumes(self, params: Mapping[str, Any]) -> list[Volume]:
        ids = params.get("VolumeIds", [])
        found = by_ids(self.volumes, ids, "InvalidVolume.NotFound", "volume")
        return select(found, params.get("Filters", []), FILTERS)

    def volume_facts(self, ebs: Mapping[str, Any]) -> dict[str, Any]:
        """``ebs`` has the names of EbsBlockDevice or CreateVolume. Raises EC2's errors."""
        kind, size = ebs.get("VolumeType") or "gp2", ebs.get("VolumeSize") or ebs.get("Size")
        encrypted, snapshot_id = bool(ebs.get("Encrypted")), ebs.get("SnapshotId")
        if snapshot_id:
            origin = by_ids(self.snapshots, [snapshot_id], "InvalidSnapshot.NotFound", "snapshot")[
                0
            ]
            least = origin.volume_size
            size = size or least
            encrypted = encrypted or bool(origin.encrypted)
            if size < least:
                raise invalid(
                    f"The size {size} is smaller than snapshot '{snapshot_id}', {least} GiB."
                )
            if origin.status != "completed":
                raise refusal("IncorrectState", f"Snapshot is in '{origin.status}' state")
        if size is None:
            raise missing("size/snapshot")
        if ebs.get("MultiAttachEnabled"):
            raise refusal(
                "UnsupportedOperation", "The rehearsal cloud does not support Multi-Attach volumes."
            )
        iops, throughput = ebs.get("Iops"), ebs.get("Throughput")
        require_sane(kind, size, iops, throughput)
        kms_key = ebs.get("KmsKeyId")
        if kms_key and not encrypted:
            raise refusal(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            )
        if encrypted and not kms_key:
            kms_key = self._create_default_encryption_key()
        return {
            "size": size,
            "snapshot_id": snapshot_id,
            "encrypted": encrypted,
            "kms_key_id": kms_key,
            "volume_type": kind,
            "iops": iops or default_iops(kind, size),
            "throughput": throughput or (125 if kind == "gp3" else None),
        }

    def new_volume(self, ebs: Mapping[str, Any], zone: str) -> Volume:
        """A record in state creating."""
        facts = self.volume_facts(ebs)
        volume = Volume(self, zone=self.zone(zone), **facts)  # type: ignore[abstract]
        origin = self.snapshots.get(facts["snapshot_id"])
        volume.bootable = origin is not None and origin.bootable  # type: ignore[attr-defined]
        self.volumes[volume.id] = volume
        self.touch()
        return volume

    def zone(self, name: str) -> Any:
        found = self.get_zone_by_name(name)
        if found is None:
            raise invalid(f"Invalid availability zone: [{name}]")
        return found

    def make_volume(self, params: Mapping[str, Any]) -> Volume:
        """CreateVolume."""
        token = params.get("ClientToken")
        for made in self.made_before("CreateVolume", token, params):
            if made in self.volumes:
                return self.volumes[made]
        tags = tags_for(params, allowed=("volume",))["volume"]
        volume = self.new_volume(params, params.get("AvailabilityZone") or _no_zone())
        self.set_tags(volume.id, tags)
        self.remember("CreateVolume", token, params, [volume.id])
        return volume

    def remove_volume(self, volume_id: str) -> None:
        """DeleteVolume."""
        volume = self.volume(volume_id)
        if volume.attachment:
            raise refusal(
                "VolumeInUse",
                f"Volume {volume_id} is currently attached to {volume.attachment.instance_id}",
            )
        if not volume.made and not volume.failure:
            raise refusal("IncorrectState", f"The volume '{volume_id}' is 'creating'")
        del self.volumes[volume_id]
        self.discard(volume_id)


def _no_zone() -> str:
    raise missing("AvailabilityZone")
