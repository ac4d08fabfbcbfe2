"""Locks that say that a command runs: files of a directory that every user may write to.

A lock counts while its flock(2) is held, which the kernel ends with the process; what a
process that is gone left there is no lock. The directory is a small file system of its own
(run-cloudtop-busy.mount). If it is full, the process's name still says that a command runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

BUSY = "/run/cloudtop/busy"
# The name of a process that runs a command (comm in proc(5))
NAME = "cloudtop-busy"
MAX_BYTES = 4096


def take(directory: str, command: str) -> int:
    """Hold a lock for a command, as its text; returns the file descriptor. Raises OSError."""
    _tidy(directory)
    place = f"{directory}/{os.getpid()}"
    fresh = f"{directory}/.{os.getpid()}"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Without room for its text it is a lock all the same
    with contextlib.suppress(OSError):
        os.write(handle, command.encode(errors="replace")[:MAX_BYTES])
    # Seen by others only now, so that nobody finds it without its lock
    Path(fresh).rename(place)
    return handle


def _tidy(directory: str) -> None:
    """Remove this user's locks of processes that are gone: there is room for some hundred."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries if entry.name.removeprefix(".").isdecimal()]
    for name in names:
        place = f"{directory}/{name}"
        if not os.path.exists(f"/proc/{name.removeprefix('.')}") and not _lock(place):
            # Another user's cannot be removed, nor one that another process removes now
            with contextlib.suppress(OSError):
                os.remove(place)


def held(directory: str) -> list[tuple[int, int, str]]:
    """Process, user id and command of each lock that is held."""
    try:
        names = sorted(each.name for each in Path(directory).iterdir() if each.name.isdecimal())
    except OSError:
        return []
    locks = [(name, _lock(f"{directory}/{name}")) for name in names]
    return [(int(name), *lock) for name, lock in locks if lock]


def _lock(place: str) -> tuple[int, str] | None:
    try:
        # Others may put here what they like, pipes and links too
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return status.st_uid, os.read(handle, MAX_BYTES).decode(errors="replace")
        return None
    finally:
        os.close(handle)
