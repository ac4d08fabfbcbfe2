"""Whose work it is: what an owner has is read and written as that owner, never as root."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

# A container's user has a number alone, which may be the number of a group such as docker here
NOGROUP = 65534
ANSWER_SECONDS = 3


@dataclass(frozen=True)
class Owner:
    """A user by number. ``groups`` are the numbers of all groups beside ``gid``."""

    uid: int
    gid: int = NOGROUP
    home: str = "/nonexistent"
    groups: tuple[int, ...] = ()

    def become(self) -> None:
        """Give up what root has, for good. Raises PermissionError if this process may not."""
        if self.uid != os.geteuid():
            os.setgroups(self.groups)
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
        path = os.environ.get("PATH", os.defpath)
        os.environ.clear()
        os.environ.update(PATH=path, HOME=self.home, LC_ALL="C")


def look_up(uid: int, etc: str) -> Owner:
    """From the files in ``etc``; a user that they lack may be in a directory service."""
    entry = next((line for line in _lines(f"{etc}/passwd") if line[2:3] == [str(uid)]), None)
    entry = entry or _directory_entry(uid)
    if entry is None or len(entry) < 6 or not entry[3].isdigit():
        return Owner(uid)
    groups = tuple(
        int(line[2])
        for line in _lines(f"{etc}/group")
        if len(line) == 4 and line[2].isdigit() and entry[0] in line[3].split(",")
    )
    return Owner(uid, int(entry[3]), entry[5], groups)


def _lines(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return [line.rstrip("\n").split(":") for line in file]
    except OSError:
        return []


def _directory_entry(uid: int) -> list[str] | None:
    """The answer of getent; a directory service that does not answer is left."""
    output = os.memfd_create("getent")
    try:
        with subprocess.Popen(
            ["getent", "passwd", str(uid)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                process.wait(ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        text = os.pread(output, 4096, 0).decode(errors="surrogateescape")
    except OSError:
        return None
    finally:
        os.close(output)
    return text.partition("\n")[0].split(":") if text else None
