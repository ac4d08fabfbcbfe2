"""EBS volumes: records with real states; what the host does to their files follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.ec2.backend.account import Accounts
from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.errors import invalid, missing, refusal
from localcloud.ec2.filters import by_ids, select
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.volume import Volume

# GiB, lowest and highest (EC2 User Guide, ebs-volume-types)
SIZES = {
    "gp2": (1, 16384), "gp3": (1, 65536), "io1": (4, 16384), "io2": (4, 65536),
    "st1": (125, 16384), "sc1": (125, 16384), "standard": (1, 1024),
}  # fmt: skip
# IOPS, lowest and highest, and the most a GiB (same page); gp3 has its 3000 at any size
IOPS = {"gp3": (3000, 80000), "io1": (100, 64000), "io2": (100, 256000)}
RATIO, LEAST_IOPS = {"gp3": 500, "io1": 50, "io2": 1000}, {"gp3": 3000}
# MiB/s of gp3, lowest and highest, and the most for each of its IOPS
THROUGHPUT, MOST_PER_IOPS = (125, 2000), 0.25
PROVISIONED = ("io1", "io2")

FILTERS = {
    "attachment.attach-time": lambda v: [a.attach_time for a in v.attachments],
    "attachment.delete-on-termination": lambda v: [a.delete_on_termination for a in v.attachments],
    "attachment.device": lambda v: [a.device for a in v.attachments],
    "attachment.instance-id": lambda v: [a.instance_id for a in v.attachments],
    "attachment.status": lambda v: [a.state for a in v.attachments],
    "availability-zone": lambda v: v.availability_zone,
    "operator.managed": lambda v: False,
    "operator.principal": lambda v: None,
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
    if iops and not IOPS[kind][0] <= iops <= IOPS[kind][1]:
        low, high = IOPS[kind]
        word, limit = ("low; minimum", low) if iops < low else ("high; maximum", high)
        raise invalid(f"Volume iops of {iops} is too {word} is {limit}.")
    if iops and iops > max(RATIO[kind] * size, LEAST_IOPS.get(kind, 0)):
        raise invalid(
            f"Iops to volume size ratio of {iops / size:.6f} is too high; maximum is"
            f" {RATIO[kind]:.6f}."
        )
    if throughput and kind != "gp3":
        raise refusal(
            "InvalidParameterCombination",
            f"The parameter throughput is not supported for {kind} volumes.",
        )
    if throughput:
        _require_throughput(throughput, iops or 3000)


def _require_throughput(throughput: int, iops: int) -> None:
    """Refuse a throughput that no gp3 volume has."""
    low, high = THROUGHPUT
    if not low <= throughput <= high:
        word, limit = ("low; minimum", low) if throughput < low else ("high; maximum", high)
        raise invalid(f"Throughput (MiBps) of {throughput} is too {word} is {limit}.")
    if throughput > MOST_PER_IOPS * iops:
        raise invalid(
            f"Throughput (MiBps) to iops ratio of {throughput / iops:.6f} is too high; maximum is"
            f" {MOST_PER_IOPS:.6f} MiBps per iops."
        )


def default_iops(kind: str, size: int) -> int | None:
    """EC2 User Guide, ebs-volume-types: 3 a GiB, from 100 to 16000, for gp2."""
    return {"gp3": 3000, "gp2": min(max(100, 3 * size), 16000)}.get(kind)


def default_throughput(kind: str) -> int | None:
    """MiB/s; only gp3 has one of its own."""
    return 125 if kind == "gp3" else None


def modified_iops(volume: Volume, kind: str, size: int) -> int | None:
    """The IOPS after a ModifyVolume that names none (API Reference, ModifyVolume): a kept type
    keeps them, another begins with 3000. Those of gp2 go by its size."""
    if kind == volume.volume_type and kind != "gp2":
        return int(volume.iops) if volume.iops else None
    return 3000 if kind in PROVISIONED else default_iops(kind, size)


class Volumes(Accounts):
    def volume(self, volume_id: str) -> Volume:
        return by_ids(self.volumes, [volume_id], "InvalidVolume.NotFound", "volume")[0]

    def find_volumes(self, params: Mapping[str, Any]) -> list[Volume]:
        ids = params.get("VolumeIds", [])
        volumes = by_ids(self.volumes, ids, "InvalidVolume.NotFound", "volume")
        return select(volumes, params.get("Filters", []), FILTERS)

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
            "throughput": throughput or default_throughput(kind),
        }

    def new_volume(self, ebs: Mapping[str, Any], zone: str) -> Volume:
        """A record in state creating."""
        facts = self.volume_facts(ebs)
        volume = Volume(self, zone=self.zone(zone), **facts)  # type: ignore[abstract]
        origin = self.snapshots.get(facts["snapshot_id"])
        volume.bootable = origin is not None and origin.bootable
        self.volumes[volume.id] = volume
        self.touch()
        return volume

    def zone(self, name: str) -> Any:
        zone = self.get_zone_by_name(name)
        if zone is None:
            raise invalid(f"Invalid availability zone: [{name}]")
        return zone

    def make_volume(self, params: Mapping[str, Any]) -> Volume:
        """CreateVolume."""
        token = params.get("ClientToken")
        for ident in self.made_before("CreateVolume", token, params):
            if ident in self.volumes:
                return self.volumes[ident]
        refuse_unknown("CreateVolume", params)
        tags = tags_for(params, allowed=("volume",))["volume"]
        zone = params.get("AvailabilityZone") or _no_zone()
        if self.get_zone_by_name(zone) is None:
            raise refusal("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")
        volume = self.new_volume(params, zone)
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
        if not volume.has_disk and not volume.failure:
            raise refusal("IncorrectState", f"The volume '{volume_id}' is 'creating'")
        del self.volumes[volume_id]
        self.discard(volume_id)


def _no_zone() -> str:
    raise missing("AvailabilityZone")
