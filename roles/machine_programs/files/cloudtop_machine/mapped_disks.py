"""cloudtop-mapped-disks: finds the instance-store disks that have no serial number.

On Xen the kernel calls disks xvdb and so on, and nothing at a disk says whether it is instance
store or an EBS volume. The metadata's block-device-mapping/ephemeralN says what the launch mapped
(EC2 User Guide, "Add block device mappings"). cloudtop-ephemeral-raid runs this on machines with
such disks, and reads the result from /run/cloudtop/ephemeral-raid.mapped as KEY=VALUE lines:
``type`` of the machine (empty while the metadata service does not answer), ``xen`` with the
kernel's names of the disks, ``kept`` with those that somebody's files keep out of an array,
``expected`` with how many disks there will be, ``note`` for the status.

usage: cloudtop-mapped-disks CONFIGURATION [DEVICE]
With a DEVICE it says by its exit status whether the file system of the ext family there, which is
not mounted, has no file. It ends with 3 if the disks cannot be told from EBS volumes; its status
says why then.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

from cloudtop_machine import config, proc, status_file
from cloudtop_machine.imds import SERVICE, TOKEN_SECONDS, Metadata

# Settings of the configuration, and places that a test's configuration moves. ``expected`` is how
# many disks a machine of ``instance_type`` has (-1: unknown), ``deadline`` is in seconds.
SETTINGS = {
    "mount_point": "",
    "expected": "-1",
    "instance_type": "",
    "deadline": "300",
    "imds": SERVICE,
    "sys": "/sys",
    "dev": "/dev",
    "proc": "/proc",
    "run": "/run/cloudtop",
    "motd": "/run/motd.d",
    "fstab": "/etc/fstab",
    "mnt": "/mnt",
}
FAILED = 3
# No type has more: asked for if nobody knows how many this one has
MOST = 4
LABEL = "any:ephemeral"
# An entry that mkfs makes, and those of every directory
OWN_ENTRIES = ("", ".", "..", "lost+found")


class Failed(Exception):
    """The disks cannot be told from EBS volumes."""


class MappedDisks:
    """The disks that the launch mapped, and which of this machine's they are.

    Each attribute is what the program's result says of it.
    """

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.expected = int(settings["expected"])
        self.metadata = Metadata(settings["imds"], TOKEN_SECONDS)
        self.type, self.note = "", ""
        self.mapped: list[str] = []
        self.xen: list[str] = []
        self.kept: list[str] = []

    def look(self) -> None:
        """Ask the metadata service until it answers, and prove the disks. Raises Failed."""
        if not self._may_come():
            return
        self._await_answer()
        own, type_ = self.settings["instance_type"], self.type
        if not self.mapped:
            if type_ and type_ == own and self.expected > 0 and not self._has_nvme():
                self.note = f"The launch mapped none of the {self.expected} disks of a {type_}."
                self.expected = 0
            return
        disks = " ".join(self.mapped)
        if self.expected < 0:
            self.note = (
                f"The disks {disks} were left alone: nobody knows how many of them a {type_} has,"
                " so one of them may be an EBS volume."
            )
            return
        if own and type_ != own:
            raise Failed(
                f"This machine is of type {type_} and was set up as {own}, so its instance-store"
                f" disks ({disks}) cannot be told from EBS volumes: no array was made, so docker"
                " does not start. To set it up: python runner.py converge"
            )
        if self.expected:
            self._prove()
            self.expected = len(self.mapped)

    def result(self) -> str:
        """The result as lines of KEY=VALUE."""
        return "\n".join(
            (
                f"type={self.type}",
                f"xen={' '.join(self.xen)}",
                f"kept={' '.join(self.kept)}",
                f"expected={self.expected}",
                f"note={self.note}",
            )
        )

    def status(self, state: str, message: str) -> None:
        """For programs in a file, for people at their next login."""
        mount_point = self.settings["mount_point"]
        status_file.write(
            f"{self.settings['run']}/ephemeral-raid.json",
            {
                "state": state,
                "message": message,
                "mount_point": mount_point,
                "disks": 0,
                "bytes": 0,
                "filesystem": "",
            },
        )
        status_file.write_text(
            f"{self.settings['motd']}/cloudtop-ephemeral-array",
            f"\n*** There is NO array at {mount_point}: {message}\n",
        )

    def _may_come(self) -> bool:
        names = os.listdir(self.settings["dev"])
        if any(re.fullmatch(r"xvd[b-z]", name) for name in names):
            return True
        return "xvda" in names and not self._has_nvme()

    def _has_nvme(self) -> bool:
        """Whether there is an NVMe controller: it is on the PCI bus before its disk comes.

        Its class there is 0x0108 (PCI Code and ID Assignment: non-volatile memory).
        """
        devices = f"{self.settings['sys']}/bus/pci/devices"
        try:
            names = os.listdir(devices)
        except OSError:
            return False
        return any(_text(f"{devices}/{name}/class").startswith("0x0108") for name in names)

    def _await_answer(self) -> None:
        """The disks are there from the beginning, but the network may not be."""
        end = self._uptime() + int(self.settings["deadline"])
        if self._ask():
            return
        sentence = "Waiting for the metadata service, which says which disks are instance store."
        print(sentence, flush=True)
        self.status("waiting", sentence)
        while self._uptime() < end:
            time.sleep(1)
            if self._ask():
                return

    def _ask(self) -> bool:
        """Whether the metadata service answered.

        It is asked for no more names than the type has disks: EC2 ignores an entry for more, and
        an EBS volume may have that name later.
        """
        most = self.expected if self.expected > 0 else MOST
        try:
            type_ = self.metadata.text("instance-type")
            paths = (f"block-device-mapping/ephemeral{number}" for number in range(most))
            devices = [self.metadata.text(path) for path in paths]
        except OSError:
            return False
        self.type = type_ if re.fullmatch(r"[a-z0-9.-]+", type_) else ""
        self.mapped = [name for name in devices if re.fullmatch(r"[a-z][a-z0-9]*", name)]
        return bool(self.type)

    def _prove(self) -> None:
        """Find the kernel's names of the disks, and take them back from cloud-init."""
        dev = self.settings["dev"]
        devices: dict[str, str] = {}
        for name in self.mapped:
            device = f"{dev}/xvd{name[2:]}" if name.startswith("sd") else f"{dev}/{name}"
            disk = os.path.basename(os.path.realpath(device))
            # By what another machine's mapping calls a disk, Nitro's udev rules may link a volume
            if os.path.exists(device) and not disk.startswith("nvme"):
                devices[device] = disk
        self.xen = list(devices.values())
        for device, disk in devices.items():
            self._give_back(device, disk)

    def _give_back(self, device: str, disk: str) -> None:
        """Take a disk, and its line in fstab, from cloud-init.

        cloud-init mounts the first of these disks at /mnt: before this ran for the first time, and
        after this at later boots. If there is a file on it, or an array that was made without it,
        it keeps the disk.
        """
        fstab = self.settings["fstab"]
        own = re.compile(
            rf"(?:{re.escape(device)}|{re.escape(self.settings['dev'])}/{re.escape(disk)})"
            r"\s.*comment=cloudconfig"
        )
        lines = _lines(fstab)
        rest = [line for line in lines if not own.match(line)]
        if rest == lines:
            return
        earlier = self._earlier_array()
        if earlier and disk not in earlier:
            self.kept.append(disk)
            return
        place, mnt = self._mounted_at(disk), self.settings["mnt"]
        if place == mnt:
            if set(os.listdir(mnt)) - set(OWN_ENTRIES) or not _succeeds("umount", mnt):
                return
            print(f"Unmounted {device} from {mnt}, where cloud-init had mounted it; it is empty.")
        elif not place and not self._is_free(disk):
            self.kept.append(disk)
            return
        _replace(fstab, "".join(rest))

    def _is_free(self, disk: str) -> bool:
        """Whether it carries nothing, is part of an array, or has a file system without a file."""
        device = f"{self.settings['dev']}/{disk}"
        done = _run("blkid", "-p", "-o", "export", device)
        # 2: nothing found; blkid(8)
        if done.returncode == 2:
            return True
        if done.returncode == 0 and "TYPE=linux_raid_member" in done.stdout.splitlines():
            return True
        return is_empty(device)

    def _earlier_array(self) -> list[str]:
        """Those of the disks that are a whole array, which cloudtop made."""
        blocks = {disk: self._superblock(disk) for disk in self.xen}
        for block in blocks.values():
            if block.get("MD_NAME") != LABEL:
                continue
            members = [disk for disk, other in blocks.items() if _uuid(other) == _uuid(block)]
            if block.get("MD_DEVICES") == str(len(members)):
                return members
        return []

    def _superblock(self, disk: str) -> dict[str, str]:
        device = f"{self.settings['dev']}/{disk}"
        text = _run("mdadm", "--examine", "--export", "--config=/dev/null", device).stdout
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def _mounted_at(self, disk: str) -> str:
        number = _text(f"{self.settings['sys']}/class/block/{disk}/dev")
        return proc.mount_place(self.settings["proc"], number)

    def _uptime(self) -> float:
        return proc.uptime(self.settings["proc"])


def is_empty(device: str) -> bool:
    """Whether the file system of the ext family there, which is not mounted, has no file.

    A line of ``ls -p`` is /inode/mode/uid/gid/name/size/ (debugfs(8)).
    """
    listing = _run("debugfs", "-R", "ls -p /", device).stdout
    rows = [line.split("/") for line in listing.splitlines() if line]
    return bool(rows) and all(len(row) < 6 or row[5] in OWN_ENTRIES for row in rows)


def _uuid(superblock: dict[str, str]) -> str:
    return superblock.get("MD_UUID", "")


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
    )


def _succeeds(*argv: str) -> bool:
    return _run(*argv).returncode == 0


def _text(place: str) -> str:
    """A file's only line; empty if it cannot be read."""
    try:
        with open(place, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _lines(place: str) -> list[str]:
    try:
        with open(place, encoding="utf-8", errors="surrogateescape") as file:
            return file.readlines()
    except FileNotFoundError:
        return []


def _replace(place: str, text: str) -> None:
    """A boot that ends here reads the old file or the new one."""
    mode = os.stat(place).st_mode
    with open(f"{place}.cloudtop", "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(file.fileno(), mode & 0o7777)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{place}.cloudtop", place)


def main() -> int:
    if len(sys.argv) > 2:
        return 0 if is_empty(sys.argv[2]) else 1
    settings = config.read(sys.argv[1], SETTINGS)
    disks = MappedDisks(settings)
    try:
        disks.look()
    except Failed as failure:
        print(failure, file=sys.stderr, flush=True)
        disks.status("failed", str(failure))
        return FAILED
    status_file.write_text(f"{settings['run']}/ephemeral-raid.mapped", disks.result())
    return 0
