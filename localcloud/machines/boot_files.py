"""The kernel that boots a root volume, or a snapshot of one, kept beside its file.

A machine boots by a kernel from outside of its disk, so the kernel of the image that a root
volume came from goes with its bytes: into a snapshot, into a volume made from that, into a
snapshot of that volume. They are hard links: the last one that needs a kernel keeps it,
whatever becomes of the cache, of the image and of the volume.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.machines.interface import MachineImage

KERNEL, INITRD, CMDLINE = ".kernel", ".initrd", ".cmdline"


def link_or_copy(source: Path, target: Path) -> None:
    """Give ``source``'s bytes a second name; a copy if that is on another file system."""
    fresh = target.with_name(f"{target.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        os.link(source, fresh)
    except OSError:
        shutil.copyfile(source, fresh)
    fresh.rename(target)


def keep(image: MachineImage, disk: Path) -> None:
    """Keep what boots the image beside ``disk``, which need not be there yet.

    The command line is written last: if it is there, the rest is whole. It is empty, and the
    only file, if the disk's own boot loader boots the disk.
    """
    remove(disk)
    for source, suffix in ((image.kernel, KERNEL), (image.initrd, INITRD)):
        if source and not source.exists():
            raise LocalCloudError(f"A file that boots {image.root.name} is gone: {source}.")
        if source:
            link_or_copy(source, disk.with_suffix(suffix))
    disk.with_suffix(CMDLINE).write_text(image.cmdline)


def hand_on(source: Path, target: Path) -> None:
    """Keep for ``target`` the files that boot the disk ``source``, if there are any."""
    if image := of(source):
        keep(image, target)


def of(disk: Path) -> MachineImage | None:
    """The image that the disk's bytes make with what is kept beside it, or None."""
    cmdline = disk.with_suffix(CMDLINE)
    if not cmdline.exists():
        return None
    kernel, initrd = (disk.with_suffix(suffix) for suffix in (KERNEL, INITRD))
    return MachineImage(
        root=disk,
        kernel=kernel if kernel.exists() else None,
        cmdline=cmdline.read_text(),
        initrd=initrd if initrd.exists() else None,
    )


def remove(disk: Path) -> None:
    for suffix in (CMDLINE, INITRD, KERNEL):
        disk.with_suffix(suffix).unlink(missing_ok=True)


def kept_in(image: MachineImage, directory: Path) -> MachineImage:
    """The image with a machine's own names for its kernel's files.

    They are linked at the first start: the modules on the root volume stay those of this
    kernel, whatever becomes of the cache or of the image.
    """
    if image.kernel is None:
        return image
    kernel, initrd = directory / "kernel", directory / "initrd"
    if not kernel.exists():
        if image.initrd:
            link_or_copy(image.initrd, initrd)
        link_or_copy(image.kernel, kernel)
    return replace(image, kernel=kernel, initrd=initrd if initrd.exists() else None)
