"""cloudtop-look: how the volume, the array and the guard are now, whatever was written of them.

A boot program's status file says what it did. Since then somebody may have unmounted the volume, or
filled it, or its disk may have failed.

usage: cloudtop-look [CONFIGURATION]
It prints one JSON object: by part, its ``state`` and a ``message``. Anybody may run it.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial

from cloudtop_machine import config
from cloudtop_machine.mounts import Mount, mounts
from cloudtop_machine.saved_work.children import Job, Tell, run
from cloudtop_machine.volume_room import Room, room_at

CONFIG = "/etc/cloudtop/persistent-mount.conf"
# Settings of three configurations, and places that a test's configuration moves
SETTINGS = {
    "volume_id": "",
    "mount_point": "",
    "owner": "",
    "array_config": "/etc/cloudtop/ephemeral-raid.conf",
    "guard_config": "/etc/cloudtop/spot-guard.conf",
    "sys": "/sys",
    "proc": "/proc",
    "run": "/run/cloudtop",
    "etc": "/etc",
}
# Seconds of one look at most: a disk that hangs hangs whoever looks at it
LOOK_SECONDS, SYSTEMCTL_SECONDS = 10, 5
AGAIN = "sudo systemctl restart cloudtop-persistent-mount"
State = dict[str, object]


class Look:
    """The machine as the kernel shows it now, beside what the boot programs wrote."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings, self.place = settings, settings["mount_point"]
        self.written = self._status_file("persistent-mount")
        written = self.written.get("volume")
        # Another one may have taken the place of the one in the configuration
        self.volume = written if isinstance(written, str) and written else settings["volume_id"]
        self.mounts = mounts(settings["proc"])

    def volume_now(self) -> State:
        """The state of the volume: ``mounted`` if it takes work and has room for it."""
        here = [each for each in self.mounts if each.place == self.place]
        disk = self._disk()
        number = self._number(disk)
        if not here:
            return self._not_mounted(disk, number)
        top = here[-1]
        trouble = self._in_its_place(top, here, number)
        if trouble:
            return _state("covered", trouble)
        if self._knows_disks() and not disk:
            return _state(
                "gone",
                f"The disk of {self.volume} is not at this machine any more, and {self.place} is"
                f" still mounted: nothing that is written there is kept. Attach it again:"
                " sudo reboot",
            )
        if top.is_read_only:
            return _state("read-only", self._read_only(top, disk))
        return self._with_room(top)

    def _with_room(self, top: Mount) -> State:
        """A write, and the room for a save."""
        room = self._room()
        if isinstance(room, str):
            return _state(
                "failing",
                f"{self.volume} at {self.place} takes no work: {room}. See what the disk says:"
                " sudo dmesg | tail. To check and mount it again: sudo reboot",
            )
        wanted = self._wanted_mib()
        about = f"{_size(room.free)} of {_size(room.size)} are free"
        if room.files is not None and room.files < FEWEST_FILES:
            about += f" and {room.files} more files fit"
        fine = {"free_bytes": room.free, "size_bytes": room.size}
        if room.trouble:
            sentence = (
                f"{self.volume} at {self.place} is full ({room.trouble}): {about}. Nothing more is"
                f" saved. {self._way_to_room(room)}"
            )
            return {**_state("full", sentence), **fine}
        if room.free < wanted << 20 or (room.files is not None and room.files < FEWEST_FILES):
            sentence = (
                f"{self.volume} at {self.place} is nearly full: {about}, and a save of one work"
                f" tree may take {wanted} MiB. {self._way_to_room(room)}"
            )
            return {**_state("nearly-full", sentence), **fine}
        words = self.written.get("message")
        kept = words if self.written.get("state") == "mounted" and isinstance(words, str) else ""
        sentence = kept or f"{self.volume}, {top.kind}, at {self.place}."
        return {**_state("mounted", f"{sentence} {about[0].upper()}{about[1:]}."), **fine}

    def _way_to_room(self, room: Room) -> str:
        option = " --inodes" if room.files is not None and room.files < FEWEST_FILES else ""
        return (
            f"See what takes the room: sudo du -xh{option} --max-depth=2 {self.place} | sort -h |"
            " tail; or make it larger: cloudtop_volume_size, then python runner.py provision"
        )

    def _room(self) -> Room | str:
        """The room for the owner; in words why nobody can tell, such as a disk that hangs."""
        job = run(Job(partial(_tell_room, self.place, self.settings)), LOOK_SECONDS)
        answer = job.answers[0] if job.answers else None
        if isinstance(answer, dict):
            return Room(**answer)
        return str(answer or job.trouble or f"it has not answered within {LOOK_SECONDS} s")

    def _wanted_mib(self) -> int:
        try:
            caps = config.read(self.settings["guard_config"], {"tree_cap_mib": "0"})
        except (OSError, ValueError):
            return 0
        return int(caps["tree_cap_mib"]) if caps["tree_cap_mib"].isdigit() else 0

    def _not_mounted(self, disk: str, number: str) -> State:
        elsewhere = [each.place for each in self.mounts if number and each.number == number]
        words, state = self.written.get("message"), self.written.get("state")
        if elsewhere:
            sentence = (
                f"{self.volume} is mounted at {elsewhere[-1]} and not at {self.place}. To have it"
                f" there: sudo umount {elsewhere[-1]} && {AGAIN}"
            )
        elif state in ("failed", "waiting") and isinstance(words, str):
            # The boot program knows what it waits for, and the way out
            return _state(str(state), words)
        elif disk or not self._knows_disks():
            sentence = (
                f"{self.place} is not mounted, and {self.volume} is at this machine. To mount it:"
                f" {AGAIN}"
            )
        else:
            sentence = (
                f"{self.place} is not mounted, and {self.volume} is not at this machine (any more)."
                f" To attach and mount it: {AGAIN}"
            )
        return _state("unmounted", sentence)

    def _in_its_place(self, top: Mount, here: list[Mount], number: str) -> str:
        """Why what is seen at the place is not the volume's root; empty if it is."""
        if top.root == "/" and (not number or top.number == number):
            return ""
        what = f"{top.kind or 'a file system'} of {top.source}" if top.source else "Something else"
        if top.root != "/" and number and top.number == number:
            what = f"the folder {top.root} of the volume"
        below = any(each.number == number and each.root == "/" for each in here[:-1])
        if below:
            return (
                f"{what[0].upper()}{what[1:]} is mounted over {self.volume} at {self.place}: what"
                f" is written there is not on it. To take it away: sudo umount {self.place}"
            )
        return (
            f"{what[0].upper()}{what[1:]} is mounted at {self.place}, and not {self.volume}. To put"
            f" that right: sudo umount {self.place} && {AGAIN}"
        )

    def _read_only(self, top: Mount, disk: str) -> str:
        if self._errors(disk) or not top.is_mounted_read_only:
            return (
                f"{self.volume} at {self.place} is read-only since an error of its file system:"
                " nothing is saved. To check it and mount it again: sudo reboot. See what happened:"
                " sudo dmesg | grep -i -e ext4 -e xfs"
            )
        return (
            f"{self.volume} at {self.place} is mounted read-only: nothing is saved. To have it"
            f" written to again: sudo mount -o remount,rw {self.place}"
        )

    def _errors(self, disk: str) -> bool:
        """Whether ext4 has counted errors on it."""
        return _line(f"{self.settings['sys']}/fs/ext4/{disk}/errors_count") not in ("", "0")

    def _disk(self) -> str:
        """The name of the disk of the volume; empty if there is none, or none that can be told."""
        serial = self.volume.replace("-", "", 1)
        blocks = f"{self.settings['sys']}/block"
        for name in _names(blocks):
            if serial and _line(f"{blocks}/{name}/device/serial") == serial:
                return name
        # A disk without serial number (Xen), as cloudtop-attach has proven it
        name = _line(f"{self.settings['run']}/persistent-mount.disk").partition(" ")[0]
        is_there = name and not name.startswith("nvme") and os.path.exists(f"{blocks}/{name}")
        return name if is_there else ""

    def _knows_disks(self) -> bool:
        """Whether a disk that is not seen is not there."""
        blocks = f"{self.settings['sys']}/block"
        return any(_line(f"{blocks}/{name}/device/serial") for name in _names(blocks))

    def _number(self, disk: str) -> str:
        return _line(f"{self.settings['sys']}/block/{disk}/dev") if disk else ""

    def array_now(self) -> State | None:
        """The array, if the boot program made one that is not as it was; None if it is."""
        written = self._status_file("ephemeral-raid")
        try:
            place = config.read(self.settings["array_config"], {"mount_point": ""})["mount_point"]
        except (OSError, ValueError):
            return None
        if written.get("state") != "array" or not place:
            return None
        here = [each for each in self.mounts if each.place == place]
        if not here:
            return _state(
                "unmounted",
                f"{place} is not mounted: what is written there is on the root disk. To have the"
                " array again: sudo systemctl restart cloudtop-ephemeral-raid",
            )
        if here[-1].is_read_only:
            return _state(
                "read-only",
                f"{place} is read-only. See what happened: sudo dmesg | tail. To have a new, empty"
                " array: sudo reboot",
            )
        return None

    def guard_now(self) -> State | None:
        """The guard if it does not run, so that nobody sees a notice; None if it does."""
        if not os.path.exists(self.settings["guard_config"]):
            return None
        job = run(Job(_tell_guard), SYSTEMCTL_SECONDS)
        state = str(job.answers[0]) if job.answers else ""
        if state in ("", "active", "activating", "reloading"):
            return None
        return _state(
            state,
            f"cloudtop-spot-guard is {state}: a notice of EC2 is not seen, and nothing is saved"
            " then. To start it: sudo systemctl restart cloudtop-spot-guard",
        )

    def _status_file(self, name: str) -> dict[str, object]:
        try:
            with open(f"{self.settings['run']}/{name}.json", encoding="utf-8") as file:
                value = json.load(file)
        except (OSError, ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


# Fewer files than this that still fit are too few for a save
FEWEST_FILES = 1000


def _state(state: str, message: str) -> State:
    return {"state": state, "message": message}


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"


def _line(place: str) -> str:
    try:
        with open(place, encoding="utf-8", errors="replace") as file:
            return file.readline(200).strip()
    except OSError:
        return ""


def _names(place: str) -> list[str]:
    try:
        return sorted(os.listdir(place))
    except OSError:
        return []


def _tell_room(place: str, settings: dict[str, str], tell: Tell) -> None:
    try:
        tell(vars(room_at(place, settings["owner"], settings["etc"])))
    except OSError as error:
        tell(error.strerror or "it cannot be looked at")


def _tell_guard(tell: Tell) -> None:
    words = ["systemctl", "is-active", "cloudtop-spot-guard.service"]
    output = os.memfd_create("state")
    actions = [(os.POSIX_SPAWN_DUP2, output, 1)]
    os.waitpid(os.posix_spawnp(words[0], words, os.environ, file_actions=actions), 0)
    tell(os.pread(output, 100, 0).decode(errors="replace").strip())


def main() -> int:
    path = sys.argv[1] if len(sys.argv) > 1 else CONFIG
    try:
        look = Look(config.read(path, SETTINGS))
    except (OSError, ValueError) as error:
        trouble = f"{path} cannot be read ({error}); it is written by: runner.py converge"
        print(json.dumps({"persistent-mount": _state("failed", trouble)}))
        return 0
    parts = {
        "persistent-mount": look.volume_now(),
        "ephemeral-raid": look.array_now(),
        "guard": look.guard_now(),
    }
    print(json.dumps({name: state for name, state in parts.items() if state}))
    return 0
