"""The base image: made once from a recipe, kept in the cache, never half there."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from localcloud.errors import LocalCloudError
from localcloud.machines.interface import MachineImage
from localcloud.machines.recipe import CUSTOMIZE, GIB, Recipe
from localcloud.machines.tools import require, run

log = logging.getLogger("localcloud.machines")

TOOLS = ("mmdebstrap", "fakeroot", "tar", "sfdisk", "mke2fs", "qemu-img")
# The packages' tar, the unpacked tree, the raw file's used blocks and the qcow2 file
NEEDED = 3 * GIB


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file; the kernel lets go of it when this process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process that is making the base image")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def require_space(directory: Path, needed: int, purpose: str) -> None:
    """Raises LocalCloudError when ``directory``'s disk has less than ``needed`` bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise LocalCloudError(
            f"{purpose} needs {needed / GIB:.1f} GiB and the disk of {directory}"
            f" has {free / GIB:.1f} GiB left.",
            "Free some space, or choose another disk: export LOCALCLOUD_CACHE=/path",
        )


def load(directory: Path) -> MachineImage | None:
    """The finished image in ``directory``, or None if there is none."""
    facts = directory / "image.json"
    if not facts.exists():
        return None
    contents = json.loads(facts.read_text())
    kernel, initrd = contents["kernel"], contents["initrd"]
    return MachineImage(
        root=directory / "root.qcow2",
        kernel=directory / kernel if kernel else None,
        cmdline=contents["cmdline"],
        initrd=directory / initrd if initrd else None,
    )


def publish(work: Path, target: Path, *, kernel: bool, initrd: bool, cmdline: str) -> MachineImage:
    """Give the files in ``work`` their final name, all at once."""
    facts = {
        "kernel": "kernel" if kernel else None,
        "initrd": "initrd" if initrd else None,
        "cmdline": cmdline,
    }
    (work / "image.json").write_text(json.dumps(facts))
    work.chmod(0o755)
    work.rename(target)
    image = load(target)
    assert image is not None
    return image


@contextmanager
def workspace(target: Path) -> Iterator[Path]:
    """A directory beside ``target`` that vanishes unless it was published.

    The leftovers of a killed builder are removed first: the caller holds the lock.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name[:16]}."
    for left in target.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def mmdebstrap_argv(recipe: Recipe, work: Path) -> list[str]:
    """The command that makes ``root.tar`` in ``work`` from the two tars there."""
    packages = (*recipe.packages, *recipe.added)
    names = f"PACKAGES={quote(' '.join(recipe.packages))} ADDED={quote(' '.join(recipe.added))}"
    return [
        "mmdebstrap",
        "--variant=apt",
        "--format=tar",
        # customize.sh does it, and leaves what apt in the guest can use
        "--skip=cleanup/apt",
        f"--include={','.join(packages)}",
        f"--keyring={recipe.archive.keyring}",
        f"--setup-hook=tar-in {quote(str(work / 'early.tar'))} /",
        f"--customize-hook=tar-in {quote(str(work / 'late.tar'))} /",
        f'--customize-hook={names} chroot "$1" sh /{CUSTOMIZE}',
        recipe.archive.suite,
        str(work / "root.tar"),
        *recipe.archive.sources,
    ]


def make(recipe: Recipe, target: Path) -> MachineImage:
    """Make the image and publish it as ``target``; minutes, and the archive is downloaded from.

    Raises LocalCloudError when a tool or disk space is missing or a step fails; the log
    of the failed step stays beside ``target``.
    """
    # A plain user's package managers run in a user namespace
    require(TOOLS if os.geteuid() == 0 else (*TOOLS, "newuidmap"))
    require_space(target.parent, NEEDED, "Making the base image")
    build_log = target.parent / f"{target.name[:16]}.log"
    build_log.unlink(missing_ok=True)
    with workspace(target) as work:
        (work / "early.tar").write_bytes(recipe.guest_tar(early=True))
        (work / "late.tar").write_bytes(recipe.guest_tar(early=False))
        (work / "assemble.sh").write_text(recipe.assemble)
        log.info(
            "base image: installing %s %s and %d packages (about a minute)",
            recipe.archive.distribution, recipe.archive.suite,
            len(recipe.packages) + len(recipe.added),
        )  # fmt: skip
        run(mmdebstrap_argv(recipe, work), log=build_log)
        log.info("base image: making its disk")
        run(["fakeroot", "sh", work / "assemble.sh", work, *recipe.disk_arguments], log=build_log)
        log.info("base image: packing it")
        run(["qemu-img", "convert", "-O", "qcow2", work / "root.raw", work / "root.qcow2"])
        initrd = (work / "initrd").exists()
        for name in ("assemble.sh", "early.tar", "late.tar", "root.tar", "root.raw"):
            (work / name).unlink()
        shutil.rmtree(work / "tree")
        return publish(work, target, kernel=True, initrd=initrd, cmdline=recipe.cmdline)


def from_archive(recipe: Recipe, cache: Path) -> MachineImage:
    """The recipe's image below ``cache``, made now unless it is there."""
    target = cache / recipe.digest
    if image := load(target):
        return image
    with exclusive(cache / "lock"):
        if image := load(target):
            return image
        started = time.monotonic()
        image = make(recipe, target)
        log.info("base image: done after %.0f s", time.monotonic() - started)
        return image
