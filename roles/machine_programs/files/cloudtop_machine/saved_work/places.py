"""The places in which work is put together and saved. Jobs run these beside: a disk may hang."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess

from .children import Tell
from .owner import Owner
from .report import MIB

SCRATCH = ".cloudtop-save."
# Free on the array for work to be put together there, in bytes
ROOM = 1024 * MIB


def give(places: tuple[str, str], owner: Owner) -> None:
    """Directories for what is saved, which the owner may write to."""
    for place in places:
        os.mkdir(place, 0o700)
        os.chown(place, owner.uid, -1, follow_symlinks=False)


def owners_of(places: list[str], tell: Tell) -> None:
    for place in places:
        try:
            tell(os.lstat(place).st_uid)
        except (FileNotFoundError, NotADirectoryError):
            tell("absent")
        except OSError as error:
            tell(f"{error.strerror}")


def make_on_array(array: str, place: str, tell: Tell) -> None:
    if free_bytes(array) < ROOM:
        raise OSError("there is no room")
    os.mkdir(place, 0o711)
    os.chmod(place, 0o711)


def free_bytes(place: str) -> int:
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def all_bytes(place: str) -> int:
    """The size of the file system."""
    status = os.statvfs(place)
    return status.f_blocks * status.f_frsize


def sync(directory: str, tell: Tell) -> None:
    """Tells the exit code: a disk that does not take what was written to it says so only now."""
    tell(subprocess.run(["sync", "-f", directory], check=False).returncode)


def tidy(array: str, directory: str, tell: Tell) -> None:
    """Scratch of this end and of any that was interrupted; not what others called so."""
    places = [f"{directory}/.scratch"]
    with contextlib.suppress(OSError):
        places += [f"{array}/{name}" for name in os.listdir(array) if name.startswith(SCRATCH[:-1])]
    for place in places:
        with contextlib.suppress(OSError):
            if os.lstat(place).st_uid == os.geteuid() and not os.path.ismount(place):
                remove(place)


def boot_id(proc: str) -> str:
    try:
        with open(f"{proc}/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def remove(path: str) -> None:
    """A folder with what is in it, as much of it as can be removed."""
    shutil.rmtree(path, True)
