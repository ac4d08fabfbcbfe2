"""Programs of the host: running them, and naming the package of a missing one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from localcloud.errors import LocalCloudError

# Debian and Ubuntu name these packages alike
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "socat": "socat",
    "mmdebstrap": "mmdebstrap",
    "fakeroot": "fakeroot",
    "newuidmap": "uidmap",
    "sfdisk": "fdisk",
    "mke2fs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "tar": "tar",
    "apt-get": "apt",
    "apt-config": "apt",
    "dpkg": "dpkg",
}
# Folders that a plain user's PATH leaves out
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PATH)


def require(names: Iterable[str]) -> None:
    """Raises LocalCloudError with the packages to install when any program is missing."""
    missing = [name for name in names if find(name) is None]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        raise LocalCloudError(
            f"The rehearsal cloud needs {', '.join(missing)}, which this computer does not have.",
            f"Try: sudo apt-get install {packages}",
        )


def program(name: str) -> str:
    """The full path of a program of PACKAGES. Raises LocalCloudError when it is missing."""
    require([name])
    return find(name) or name


def run(argv: Sequence[str | Path], *, log: Path | None = None) -> str:
    """Run a program of PACKAGES to its end and return what it printed.

    With ``log`` its output goes to the end of that file instead. Raises LocalCloudError
    with its last words when it is missing or fails.
    """
    name = str(argv[0])
    command = [program(name), *map(str, argv[1:])]
    if log is None:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        output = done.stderr
    else:
        with log.open("ab") as sink:
            done = subprocess.run(
                command, stdout=sink, stderr=sink, text=True, stdin=subprocess.DEVNULL
            )
        output = log.read_text(errors="replace")
    if done.returncode != 0:
        last = " / ".join(output.strip().splitlines()[-3:]) or "it said nothing"
        where = f" The whole log: {log}" if log else ""
        raise LocalCloudError(
            f"{name} failed with status {done.returncode}: {last}.{where}",
            f"The command was: {' '.join(command)}",
        )
    return done.stdout or ""
