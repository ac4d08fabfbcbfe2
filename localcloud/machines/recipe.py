"""The contents of a base image: packages, our own files, sizes; and its hash."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud.machines.archive import Archive

HERE = Path(__file__).parent
GIB = 1 << 30
MIB = 1 << 20

# As Canonical's images have it; the file is sparse. A root volume cannot be smaller.
IMAGE_SIZE = 8 * GIB
# As much is left at the end, for the partition table's second copy
PARTITION_OFFSET = MIB

DISK_UUID = "6f2b6c0e-5d0f-4f0b-9f3c-6c6f75647470"
PARTITION_UUID = "b3a1f0c2-7f6e-4d55-8a54-6c6f75647470"
FILESYSTEM_UUID = "2c7e9d5a-0b1d-4b8e-b1b5-6c6f75647470"

# apparmor, audit and mitigations guard nothing on a machine made for rehearsal and cost
# an emulated one dearly; rw and fsck.mode: ext4's journal has seen to it after a power cut.
CMDLINE = (
    f"root=PARTUUID={PARTITION_UUID} rootfstype=ext4 rootflags=noauto_da_alloc,commit=30"
    " rw fsck.mode=skip console=ttyS0 loglevel=4 net.ifnames=0 panic=-1"
    " mitigations=off apparmor=0 audit=0 random.trust_cpu=on systemd.show_status=true"
)

PACKAGES = (
    "ca-certificates",
    "cloud-init",
    "dbus",
    "e2fsprogs",
    "iproute2",
    "kmod",
    # A machine knows its own name, as it would from EC2's DNS
    "libnss-myhostname",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd-sysv",
    "udev",
)

# In place before the first package is unpacked; everything else comes after the last,
# so that no package finds its own configuration file there already.
EARLY = ("etc/apt/", "etc/dpkg/")

# Goes in with the late files, runs once, removes itself: nothing else of the host can be
# read where a plain user's package manager runs
CUSTOMIZE = "usr/lib/localcloud/customize"


@dataclass(frozen=True)
class Recipe:
    """All that makes one base image another one, save the day's package versions."""

    archive: Archive
    packages: tuple[str, ...]
    guest: Mapping[str, tuple[int, str]]
    assemble: str
    cmdline: str = CMDLINE
    size: int = IMAGE_SIZE
    # Packages besides, none of whose units is enabled
    added: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def disk_arguments(self) -> tuple[str, ...]:
        """The arguments of assemble.sh: offset and size of the partition, three UUIDs."""
        size = self.size - 2 * PARTITION_OFFSET
        return (str(PARTITION_OFFSET), str(size), DISK_UUID, PARTITION_UUID, FILESYSTEM_UUID)

    def guest_tar(self, *, early: bool) -> bytes:
        """Our own files below ``/`` as a tar archive, all of them root's."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, (mode, text) in sorted(self.guest.items()):
                if name.startswith(EARLY) is early:
                    entry = tarfile.TarInfo(name)
                    entry.mode, entry.size = mode, len(text.encode())
                    tar.addfile(entry, io.BytesIO(text.encode()))
        return buffer.getvalue()


def texts(directory: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(directory)): (
            0o755 if path.stat().st_mode & 0o100 else 0o644,
            path.read_text(),
        )
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def customize(name: str) -> tuple[int, str]:
    """The script that ends an image: what all have in common, then its own."""
    scripts = HERE / "scripts"
    return 0o755, (scripts / "added-units.sh").read_text() + (scripts / name).read_text()


def host_recipe(archive: Archive) -> Recipe:
    """The recipe for machines of this archive's release."""
    guest = texts(HERE / "guest")
    guest["etc/apt/sources.list"] = (0o644, "".join(f"{line}\n" for line in archive.sources))
    guest["etc/apt/apt.conf.d/61host"] = (0o644, "".join(f"{line}\n" for line in archive.options))
    guest[CUSTOMIZE] = customize("customize.sh")
    return Recipe(
        archive=archive,
        packages=(archive.kernel_package, *PACKAGES),
        guest=guest,
        assemble=(HERE / "scripts" / "assemble.sh").read_text(),
    )
