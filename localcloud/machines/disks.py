"""The files behind volumes, snapshots and instance-store disks."""

from __future__ import annotations

import json
import os
from pathlib import Path

from localcloud.config import Config
from localcloud.errors import LocalCloudError
from localcloud.machines import boot_files
from localcloud.machines.boot_files import link_or_copy
from localcloud.machines.interface import InstanceStoreDisk, MachineImage
from localcloud.machines.tools import run

GIB = 1 << 30


def virtual_size(path: Path) -> int:
    """Bytes that a machine sees. Also of a file that a machine has open."""
    info = json.loads(run(["qemu-img", "info", "--force-share", "--output=json", path]))
    return int(info["virtual-size"])


class DiskStore:
    """Volumes, snapshots and instance-store disks of one rehearsal cloud.

    A file has its final name only once it is whole, so what a killed server left
    half-made is made anew. Raises LocalCloudError with qemu-img's words.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def volume(self, volume_id: str) -> Path:
        return self._config.volumes / f"{volume_id}.qcow2"

    def snapshot(self, snapshot_id: str) -> Path:
        return self._config.snapshots / f"{snapshot_id}.qcow2"

    def _base(self, volume_id: str) -> Path:
        """A root volume's own name for its image's file.

        The image may be deregistered and the cache of base images emptied while the
        volume lives, as on EC2; a hard link costs nothing.
        """
        return self._config.volumes / f"{volume_id}.base.qcow2"

    def create_volume(self, volume_id: str, gib: int, snapshot_id: str | None = None) -> None:
        target = self.volume(volume_id)
        if target.exists():
            return
        fresh = self._fresh(target)
        if snapshot_id is None:
            run(["qemu-img", "create", "-q", "-f", "qcow2", fresh, str(gib * GIB)])
        else:
            source = self._existing(self.snapshot(snapshot_id), "snapshot", snapshot_id)
            run(["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", source, fresh])
            self._grow(fresh, gib)
            boot_files.hand_on(source, target)
        fresh.rename(target)

    def create_root_volume(self, volume_id: str, gib: int, image: MachineImage) -> None:
        target, base = self.volume(volume_id), self._base(volume_id)
        if target.exists():
            return
        fresh = self._fresh(target)
        link_or_copy(self._existing(image.root, "image", image.root.stem), base)
        # The backing file is named relative to the volume's: the directory may be moved
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base.name, fresh])
        self._grow(fresh, gib)
        boot_files.keep(image, target)
        fresh.rename(target)

    def grow_volume(self, volume_id: str, gib: int) -> None:
        """Make a volume larger that no machine has open. Never smaller."""
        self._grow(self._existing(self.volume(volume_id), "volume", volume_id), gib)

    def grow_later(self, volume_id: str, gib: int) -> None:
        """Note that a volume is to be grown, which a machine has open and QEMU cannot grow."""
        note = self._growth(volume_id)
        fresh = self._fresh(note)
        fresh.write_text(str(gib))
        fresh.rename(note)

    def apply_growth(self, volume_id: str) -> None:
        """Grow a volume, which no machine has open, as was noted; nothing if nothing was."""
        note = self._growth(volume_id)
        if note.exists():
            self.grow_volume(volume_id, int(note.read_text()))
            note.unlink()

    def _growth(self, volume_id: str) -> Path:
        return self._config.volumes / f"{volume_id}.grow"

    def delete_volume(self, volume_id: str) -> None:
        self._growth(volume_id).unlink(missing_ok=True)
        self.volume(volume_id).unlink(missing_ok=True)
        self._base(volume_id).unlink(missing_ok=True)
        boot_files.remove(self.volume(volume_id))

    def create_snapshot(self, snapshot_id: str, volume_id: str) -> None:
        """Copy a volume that no machine has open."""
        target = self.snapshot(snapshot_id)
        if target.exists():
            return
        fresh = self._fresh(target)
        source = self._existing(self.volume(volume_id), "volume", volume_id)
        run(["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", source, fresh])
        boot_files.hand_on(source, target)
        fresh.rename(target)

    def copy_snapshot(self, snapshot_id: str, source_id: str) -> None:
        """A second name of the same file, which nothing ever writes to."""
        target, source = self.snapshot(snapshot_id), self.snapshot(source_id)
        if target.exists():
            return
        boot_files.hand_on(self._existing(source, "snapshot", source_id), target)
        link_or_copy(source, target)

    def snapshot_target(self, snapshot_id: str, volume_id: str) -> Path:
        """An empty file, as large as the volume, for QEMU to copy it into.

        It is to be renamed to ``snapshot(snapshot_id)`` once it is whole.
        """
        fresh = self._fresh(self.snapshot(snapshot_id))
        source = self._existing(self.volume(volume_id), "volume", volume_id)
        run(["qemu-img", "create", "-q", "-f", "qcow2", fresh, str(virtual_size(source))])
        boot_files.hand_on(source, self.snapshot(snapshot_id))
        return fresh

    def delete_snapshot(self, snapshot_id: str) -> None:
        target = self.snapshot(snapshot_id)
        target.unlink(missing_ok=True)
        # The leftovers of a copy that failed
        target.with_name(f"{target.name}.new").unlink(missing_ok=True)
        boot_files.remove(target)

    def image_of(self, snapshot_id: str) -> MachineImage:
        """The image that boots from the snapshot of a root volume."""
        image = boot_files.of(self._existing(self.snapshot(snapshot_id), "snapshot", snapshot_id))
        if image is None:
            raise LocalCloudError(f"There is no kernel that boots snapshot {snapshot_id}.")
        return image

    def blank_store(self, directory: Path, disk: InstanceStoreDisk) -> Path:
        """A new instance-store disk in a machine's directory: blank, or as EC2 formats it."""
        path = directory / f"{disk.serial}.store"
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        os.truncate(path, disk.size)
        if disk.filesystem:
            run(["mke2fs", "-q", "-F", "-t", disk.filesystem, path])
        return path

    def remove_stores(self, directory: Path) -> None:
        for path in directory.glob("*.store"):
            path.unlink(missing_ok=True)

    def _fresh(self, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.new")
        fresh.unlink(missing_ok=True)
        return fresh

    def _existing(self, path: Path, kind: str, ident: str) -> Path:
        if not path.exists():
            raise LocalCloudError(f"The file of {kind} {ident} is gone: {path}.")
        return path

    def _grow(self, path: Path, gib: int) -> None:
        if virtual_size(path) < gib * GIB:
            run(["qemu-img", "resize", "-q", "-f", "qcow2", path, str(gib * GIB)])
