"""Locks between programs that must not run at once."""

from __future__ import annotations

import fcntl
import os


def take(place: str) -> bool:
    """Hold the lock until this process ends; false if another process holds it."""
    os.makedirs(os.path.dirname(place), exist_ok=True)
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    return True
