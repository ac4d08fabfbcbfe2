"""A boot program with files for disks, directories for /sys and scripts for what needs a kernel.

blkid, wipefs, mkfs.ext4, e2fsck and cmp are the real ones: they work on files.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

from tests.machine_programs.support import installed
from tests.machine_programs.support.imds import files_served
from tests.machine_programs.support.load import ROOT

MIB = 1 << 20

# Mounts are lines of a file; the mount point stays the directory it is
_MOUNT = """
echo "mount $*" >>"$TREE/log"
for last; do :; done
before=; for word; do [ "$word" = "$last" ] || before=$word; done
case $before in
    UUID=*) for disk in "$TREE"/dev/md*; do [ -f "$disk" ] && before=$disk; done ;;
esac
echo "1 0 $(cat "$TREE/sys/class/block/${before##*/}/dev") / $last rw" >>"$TREE/proc/self/mountinfo"
"""
# Time passes in a file, in whole seconds
_SLEEP = """
case $1 in 0.*) exit ;; esac
IFS=' .' read -r now _ <"$TREE/proc/uptime"
echo "$((now + $1)).00 0.00" >"$TREE/proc/uptime"
"""


class Boot:
    """One machine's tree below ``tree`` and one program of a role to run on it."""

    def __init__(self, tree: Path, program: str, **settings: object) -> None:
        self.tree = tree
        self.program = ROOT / "roles" / program
        # The interpreter, and the arguments before the configuration
        self.arguments: tuple[str, ...] = ()
        self.settings = {
            **{name: str(tree / name) for name in ("sys", "dev", "proc", "run", "motd")},
            "by_id": str(tree / "dev/disk/by-id"),
            "lib": installed.lib(tree),
            "imds": f"{files_served().url.removesuffix('/latest')}{tree}/latest",
            **settings,
        }
        for place in (
            "bin",
            "imds",
            "dev/md",
            "dev/disk/by-id",
            "sys/class/block",
            "proc/self",
            "run",
        ):
            (tree / place).mkdir(parents=True)
        (tree / "sys/block").symlink_to("class/block")
        (tree / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n")
        (tree / "proc/swaps").write_text("Filename Type Size Used Priority\n")
        (tree / "proc/uptime").write_text("100.50 180.00\n")
        (tree / "log").touch()
        self.stub("mount", _MOUNT)
        self.stub("sleep", _SLEEP)
        for name in (
            "udevadm",
            "modprobe",
            "chown",
            "chattr",
            "lsattr",
            "resize2fs",
            "systemctl",
            "sync",
        ):
            self.stub(name, f'echo "{name} $*" >>"$TREE/log"')

    def stub(self, name: str, script: str) -> None:
        place = self.tree / "bin" / name
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)

    def python(self, name: str, log: str = "") -> None:
        """A program in Python that this one starts, with the tree's clock.

        It is in the log if ``log`` says how.
        """
        words = installed.argv_with_clock(installed.program(name))
        note = f'echo "{log} $*" >>"$TREE/log"\n' if log else ""
        self.stub(name, f'{note}exec {shlex.join(words)} "$@"')

    def silence(self, silent: bool = True) -> None:
        """From now on the metadata service hangs up; or it answers again."""
        places = [self.tree / "imds", self.tree / "imds.silent"]
        places[not silent].rename(places[silent])

    def disk(self, name: str, serial: str, mib: int = 64) -> Path:
        """A blank disk, with the links that udev would make."""
        device = self.tree / "dev" / name
        with device.open("wb") as stream:
            stream.truncate(mib * MIB)
        about = self.tree / "sys/class/block" / name
        for place in ("holders", "slaves", "device"):
            (about / place).mkdir(parents=True)
        number = len(list(about.parent.iterdir()))
        (about / "dev").write_text(f"259:{number}\n")
        (about / "size").write_text(f"{mib * 2048}\n")
        (about / "device/serial").write_text(f"{serial:<20}\n")
        (about / "device/model").write_text(f"{'QEMU NVMe Ctrl':<40}\n")
        for suffix in ("", "-ns-1", "_1"):
            link = self.tree / "dev/disk/by-id" / f"nvme-QEMU_NVMe_Ctrl_{serial}{suffix}"
            link.symlink_to(device)
        return device

    def xen_disk(self, name: str, device: str, mib: int = 64, filesystem: str = "") -> Path:
        """A disk with no serial number that EC2 calls ``device``; ``name`` is the kernel's."""
        path = self.disk(name, "", mib)
        for link in (self.tree / "dev/disk/by-id").iterdir():
            if link.resolve() == path:
                link.unlink()
        (self.tree / "sys/class/block" / name / "device/serial").unlink()
        if device != name:
            (self.tree / "dev" / device).symlink_to(path)
        if filesystem:
            subprocess.run([f"/sbin/mkfs.{filesystem}", "-q", str(path)], check=True)
        return path

    def mounted(self, name: str, place: str) -> None:
        number = (self.tree / "sys/class/block" / name / "dev").read_text().strip()
        with (self.tree / "proc/self/mountinfo").open("a") as stream:
            stream.write(f"1 0 {number} / {place} rw\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program; ``arguments`` follow the configuration."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        config = self.tree / "program.conf"
        config.write_text(
            "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in self.settings.items())
        )
        return subprocess.Popen(
            [*installed.argv_with_clock(self.program), *self.arguments, str(config), *arguments],
            env=installed.environ(self.tree),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def good(self) -> dict[str, Any]:
        """Run it; it has to succeed. Returns its status."""
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        return self.status()

    def refusal(self, state: str = "failed") -> str:
        """Run it; it has to fail with a sentence, which its status and error output hold."""
        done = self.run()
        assert done.returncode == 1, done.stdout + done.stderr
        status = self.status()
        assert status["state"] == state
        sentence = str(status["message"])
        assert sentence in done.stderr
        return sentence

    def status(self) -> dict[str, Any]:
        (place,) = (self.tree / "run").glob("*.json")
        status = json.loads(place.read_text())
        assert isinstance(status, dict)
        return status

    @property
    def log(self) -> list[str]:
        return (self.tree / "log").read_text().splitlines()

    def logged(self, word: str) -> list[str]:
        return [line for line in self.log if line.split()[0] == word]
