"""Block device mappings: an image's own, and a launch's laid over it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from localcloud.ec2.errors import refusal
from localcloud.ec2.records.image import ROOT_GIB, Image

if TYPE_CHECKING:
    from localcloud.ec2.records.snapshot import Snapshot

Mapped = Mapping[str, Any]

# EC2 User Guide, device_naming; xvdj and the like work as well
DEVICE = re.compile(r"(/dev/)?(sd[a-z]|sda1|xvda|xvd[a-z]{1,2})\d{0,2}")


def bad_mapping(message: str) -> Exception:
    return refusal("InvalidBlockDeviceMapping", message)


def named(given: Iterable[Mapped]) -> dict[str, Mapped]:
    """The entries by device name. Raises EC2's error for a name that is none, or is twice."""
    entries: dict[str, Mapped] = {}
    for entry in given:
        name = entry.get("DeviceName") or ""
        if not DEVICE.fullmatch(name):
            raise bad_mapping(f"Invalid device name '{name}'")
        if name in entries:
            raise bad_mapping(f"Duplicate device name '{name}'")
        entries[name] = entry
    return entries


def require_room(size: int | None, snapshot_id: str, least: int) -> None:
    if size is not None and size < least:
        raise bad_mapping(
            f"Volume of size {size}GB is smaller than snapshot '{snapshot_id}',"
            f" expect size >= {least}GB"
        )


def at_launch(
    image: Image, given: Iterable[Mapped], snapshots: Mapping[str, Snapshot]
) -> dict[str, Mapped]:
    """EbsBlockDevice facts by name, the root device first.

    They are the image's mapping with the launch's entries laid over it.
    """
    devices: dict[str, Mapped] = {
        entry["DeviceName"]: dict(entry["Ebs"])
        for entry in image.block_device_mappings
        if "Ebs" in entry
    }
    root, origin = image.root_device_name, image.root["SnapshotId"]
    for name, entry in named(given).items():
        if "NoDevice" in entry:
            if name == root:
                raise bad_mapping("The root device cannot be left out")
            devices.pop(name, None)
        elif "Ebs" in entry:
            if name == root and entry["Ebs"].get("SnapshotId", origin) != origin:
                raise bad_mapping("snapshotId cannot be modified on root device")
            # Only what was mapped by the image, or by the launch, is deleted by default
            kept = _kept(devices.get(name, {}), entry["Ebs"])
            devices[name] = {"DeleteOnTermination": True, **kept, **entry["Ebs"]}
        # Else a VirtualName: see instance_store_names
    for ebs in devices.values():
        ident = ebs.get("SnapshotId") or ""
        if ident in snapshots:
            require_room(ebs.get("VolumeSize"), ident, snapshots[ident].volume_size)
        elif ident and ident == origin:
            # A base image's: its snapshot is Canonical's and not to be seen
            require_room(ebs.get("VolumeSize"), ident, ROOT_GIB)
    return dict(sorted(devices.items(), key=lambda device: device[0] != root))


def instance_store_names(
    image: Image, given: Iterable[Mapped]
) -> tuple[dict[str, str], dict[str, str]]:
    """Virtual names by device name: what is left of the image's entries, and the launch's."""
    entries = named(given)
    by_image = {
        entry["DeviceName"]: entry["VirtualName"]
        for entry in image.block_device_mappings
        if "VirtualName" in entry and entry["DeviceName"] not in entries
    }
    by_launch = {
        name: entry["VirtualName"]
        for name, entry in entries.items()
        if "VirtualName" in entry and "NoDevice" not in entry
    }
    return by_image, by_launch


def _kept(mapped: Mapped, given: Mapped) -> Mapped:
    """The part of the image's entry that still holds beside the launch's entry."""
    if given.get("SnapshotId", mapped.get("SnapshotId")) != mapped.get("SnapshotId"):
        return {}
    if given.get("VolumeType", mapped.get("VolumeType")) != mapped.get("VolumeType"):
        return {k: v for k, v in mapped.items() if k not in ("Iops", "Throughput")}
    return mapped
