"""The room that a file system has for a user's files."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from cloudtop_machine.saved_work.owner import look_up

# One write is tried: it fails for whatever keeps writes from coming through, such as a quota
TRY_BYTES = 64 << 10
FULL = {errno.ENOSPC: "no space is left", errno.EDQUOT: "its quota is used up"}


@dataclass(frozen=True)
class Room:
    """Bytes, and files that still fit; None if the file system has no bound.

    ``trouble`` says why not even a small file fits; empty if one does.
    """

    size: int
    free: int
    files: int | None
    trouble: str = ""


def room_at(place: str, owner: str, etc: str = "/etc") -> Room:
    """Look, and write a file without a name as its owner does. Raises OSError if that fails.

    A file system keeps space for root, and a quota is a user's: root's own write says nothing.
    """
    seen = os.statvfs(place)
    files = seen.f_favail if seen.f_files else None
    _become(owner, etc)
    return Room(seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize, files, _try(place))


def _become(owner: str, etc: str) -> None:
    if os.geteuid() != 0 or not owner:
        return
    with open(f"{etc}/passwd", encoding="utf-8", errors="surrogateescape") as file:
        entries = [line.split(":") for line in file]
    uid = next((each[2] for each in entries if each[0] == owner and each[2:]), "")
    if uid.isdigit():
        look_up(int(uid), etc).become()


def _try(place: str) -> str:
    try:
        handle = os.open(place, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in FULL:
            return FULL[error.errno]
        # Its owner has closed its root, or the file system has no files without a name
        if error.errno in (errno.EACCES, errno.EPERM, errno.EOPNOTSUPP, errno.EISDIR):
            return ""
        raise
    try:
        os.write(handle, bytes(TRY_BYTES))
        os.fsync(handle)
    except OSError as error:
        if error.errno not in FULL:
            raise
        return FULL[error.errno]
    finally:
        os.close(handle)
    return ""
