"""QEMU's process: found by its directory, proven ours before any signal."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PID_FILE = "qemu.pid"


def _is_ours(pid: int, directory: Path, instance_id: str) -> bool:
    """Does this pid work in the machine's directory, under the machine's name?

    A dead process that nobody waited for has neither, so it counts as gone.
    """
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return (
            f"guest={instance_id}".encode() in command
            and Path(f"/proc/{pid}/cwd").readlink() == directory.resolve()
        )
    except OSError:
        return False


@contextmanager
def _pinned(directory: Path, instance_id: str) -> Iterator[int | None]:
    """A pidfd of the machine's process, or None if there is none.

    The descriptor is opened before the proof is made, so that the process proven and
    the one signalled are the same, though the kernel may give a pid to a stranger.
    """
    try:
        pid = int((directory / PID_FILE).read_text())
        handle = os.pidfd_open(pid)
    except (OSError, ValueError):
        yield None
        return
    try:
        yield handle if _is_ours(pid, directory, instance_id) else None
    finally:
        os.close(handle)


def alive(directory: Path, instance_id: str) -> bool:
    """Does the machine's QEMU process live now?"""
    try:
        pid = int((directory / PID_FILE).read_text())
    except (OSError, ValueError):
        return False
    return _is_ours(pid, directory, instance_id)


def wait_gone(directory: Path, instance_id: str, deadline: float) -> bool:
    """True once the process is gone, False if it still lives after ``deadline`` seconds."""
    with _pinned(directory, instance_id) as handle:
        if handle is None:
            return True
        waiter = select.poll()
        waiter.register(handle, select.POLLIN)
        return bool(waiter.poll(deadline * 1000))


def kill(directory: Path, instance_id: str) -> None:
    """SIGKILL, and wait for the end; no error when there is nothing to kill."""
    with _pinned(directory, instance_id) as handle:
        if handle is None:
            return
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            return
        waiter = select.poll()
        waiter.register(handle, select.POLLIN)
        waiter.poll()
