"""The entries of an image's block device mapping, as DescribeImages shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.ec2.backend.volumes import PROVISIONED, Volumes
from localcloud.ec2.instance_types import require_virtual_name
from localcloud.ec2.launch.block_devices import Mapped, bad_mapping, require_room
from localcloud.ec2.records.volume import Volume, VolumeAttachment


def added(backend: Volumes, given: Mapping[str, Mapped]) -> list[dict[str, Any]]:
    """Entries for new volumes, by device name. Raises EC2's error for what does not fit."""
    return [
        _added(backend, name, entry) for name, entry in given.items() if "NoDevice" not in entry
    ]


def _added(backend: Volumes, name: str, entry: Mapped) -> dict[str, Any]:
    if entry.get("VirtualName"):
        require_virtual_name(entry["VirtualName"])
        return {"DeviceName": name, "VirtualName": entry["VirtualName"]}
    ebs = entry.get("Ebs", {})
    snapshot_id, size = ebs.get("SnapshotId"), ebs.get("VolumeSize")
    if not snapshot_id and size is None:
        raise bad_mapping(f"Either snapshot ID or volume size must be provided for: {name}")
    if snapshot_id and "Encrypted" in ebs:
        raise bad_mapping(
            f"the encrypted flag cannot be specified since device {name} has a snapshot specified."
        )
    if ebs.get("KmsKeyId"):
        raise bad_mapping(f"KmsKeyId cannot be specified for an image: {name}")
    if snapshot_id in backend.snapshots:
        require_room(size, snapshot_id, backend.snapshots[snapshot_id].volume_size)
    facts = backend.volume_facts(ebs)
    shown = {
        "DeleteOnTermination": bool(ebs.get("DeleteOnTermination", True)),
        "SnapshotId": snapshot_id,
        "VolumeSize": facts["size"],
        "VolumeType": facts["volume_type"],
        "Encrypted": facts["encrypted"],
        "Iops": ebs.get("Iops"),
        "Throughput": ebs.get("Throughput"),
    }
    return {"DeviceName": name, "Ebs": {k: v for k, v in shown.items() if v is not None}}


def captured(attachment: VolumeAttachment, entry: Mapped, snapshot_id: str) -> dict[str, Any]:
    """The entry for an attached volume, of which there is a snapshot now."""
    volume = attachment.volume
    delete = entry.get("Ebs", {}).get("DeleteOnTermination", attachment.delete_on_termination)
    ebs: dict[str, Any] = {
        "DeleteOnTermination": bool(delete),
        "SnapshotId": snapshot_id,
        "VolumeSize": volume.size,
        "VolumeType": volume.volume_type,
        "Encrypted": bool(volume.encrypted),
    }
    if volume.volume_type in (*PROVISIONED, "gp3"):
        ebs["Iops"] = volume.iops
    if volume.volume_type == "gp3":
        ebs["Throughput"] = volume.throughput
    return {"DeviceName": attachment.device, "Ebs": ebs}


def require_unchanged(name: str, volume: Volume, given: Mapped) -> None:
    """CreateImage may change nothing of an attached volume but DeleteOnTermination."""
    if given.get("Encrypted") and not volume.encrypted:
        # False is taken for an encrypted volume too, and changes nothing
        raise bad_mapping(f"Encrypted cannot be set by CreateImage: {volume.id} at {name} is not")
    for key, value in (
        ("VolumeSize", volume.size),
        ("VolumeType", volume.volume_type),
        ("SnapshotId", volume.snapshot_id),
    ):
        if given.get(key, value) != value:
            raise bad_mapping(
                f"{key} cannot be changed by CreateImage: {volume.id} at {name} has '{value}'"
            )
