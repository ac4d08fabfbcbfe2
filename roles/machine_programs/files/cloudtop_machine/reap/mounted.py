"""The volume where it is mounted: its options, who holds it, and the way off it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from cloudtop_machine import proc

# The first so many processes are named; looking for them takes so many seconds at most
NAMED, LOOK_SECONDS = 10, 5


@dataclass(frozen=True)
class Mounted:
    """The mount at ``place``, as ``/proc`` shows it."""

    proc: str
    place: str

    @property
    def options(self) -> str:
        """Empty if nothing is mounted there."""
        try:
            return proc.mount_options(self.proc, self.place)
        except OSError:
            return ""

    @property
    def is_writable(self) -> bool:
        return self.options.split(",")[0] == "rw"

    @property
    def is_read_only(self) -> bool:
        return self.options.split(",")[0] == "ro"

    def holders(self) -> str:
        """The processes that keep it from being unmounted: "vim (1234), bash (99)"."""
        end, holders = time.monotonic() + LOOK_SECONDS, list[str]()
        try:
            pids = sorted(int(name) for name in os.listdir(self.proc) if name.isdigit())
        except OSError:
            return ""
        for pid in pids:
            if len(holders) == NAMED or time.monotonic() > end:
                break
            if any(map(self._is_inside, _links(f"{self.proc}/{pid}"))):
                holders.append(f"{_name(f'{self.proc}/{pid}')} ({pid})")
        return ", ".join(holders)

    def _is_inside(self, link: str) -> bool:
        try:
            target = os.readlink(link)
        except OSError:
            return False
        return target == self.place or target.startswith(f"{self.place}/")


def _links(process: str) -> list[str]:
    links = [f"{process}/{name}" for name in ("cwd", "root", "exe")]
    try:
        return links + [f"{process}/fd/{name}" for name in os.listdir(f"{process}/fd")]
    except OSError:
        return links


def _name(process: str) -> str:
    try:
        with open(f"{process}/comm", "rb") as file:
            return file.read(64).decode("ascii", errors="ignore").strip()
    except OSError:
        return ""
