"""The journal's files in ``.cloudtop`` on the volume, all of them root's.

``reaps.jsonl`` has one JSON object a line, ``last`` is the machine that had the volume last, the
time of ``alive`` is that of its last sign of life.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from typing import Any

from cloudtop_machine.volume_directory import VolumeDirectory

JOURNAL = "reaps.jsonl"
KEPT_LINES = 200
READ_BYTES = 1 << 20

Entry = dict[str, Any]


class Store:
    """The journal in an open directory. Its methods raise NotRoots, or OSError."""

    def __init__(self, directory: VolumeDirectory) -> None:
        self.directory = directory

    @classmethod
    def on(cls, mount_point: str, owner: int = 0, make: bool = True) -> Store:
        """The journal of a volume, its directory made if need be. Raises NotRoots, or OSError."""
        return cls(VolumeDirectory.top(mount_point, owner, make))

    def close(self) -> None:
        """The volume can be unmounted from now on."""
        self.directory.close()

    def entries(self) -> list[Entry]:
        """The newest entries, oldest first; a journal may be torn, corrupt or huge."""
        try:
            with self.directory.open(JOURNAL) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - READ_BYTES))
                lines = file.read().splitlines()[-KEPT_LINES:]
        except FileNotFoundError:
            return []
        return [entry for entry in map(object_of, lines) if entry is not None]

    def append(self, entry: Entry) -> None:
        """On the disk when it returns; if it cannot be, nothing of it is."""
        with self.directory.open(JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND) as file:
            size = file.seek(0, os.SEEK_END)
            # A line that a power cut tore must not take the next one with it
            file.seek(max(0, size - 1))
            torn = size > 0 and file.read(1) != b"\n"
            line = (b"\n" if torn else b"") + line_of(entry)
            try:
                # In one piece: what is buffered would be written again at the file's end
                if os.write(file.fileno(), line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                # No program: sync FILE of rust-coreutils has all disks written
                os.fdatasync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(file.fileno(), size)
                raise
        if size == 0:
            os.fsync(self.directory.handle)

    def shorten(self) -> None:
        """Nobody needs entries that are older than the newest 200."""
        try:
            with self.directory.open(JOURNAL) as file:
                text = file.read(READ_BYTES + 1)
        except FileNotFoundError:
            return
        if len(text) > READ_BYTES or text.count(b"\n") > KEPT_LINES:
            self.directory.replace(JOURNAL, b"".join(map(line_of, self.entries())))

    def last(self) -> dict[str, str]:
        """The facts that the volume's last machine wrote of itself; empty if nothing is there."""
        try:
            with self.directory.open("last") as file:
                fields = object_of(file.read()) or {}
        except FileNotFoundError:
            return {}
        return {key: value for key, value in fields.items() if isinstance(value, str) and value}

    def write_last(self, machine: dict[str, str]) -> None:
        self.directory.replace("last", line_of(machine))

    def last_sign_of_life(self) -> int:
        """POSIX seconds. Raises OSError if no machine had the volume."""
        try:
            status = os.stat("alive", dir_fd=self.directory.handle, follow_symlinks=False)
        except FileNotFoundError:
            status = os.stat("last", dir_fd=self.directory.handle, follow_symlinks=False)
        return int(status.st_mtime)

    def give_sign_of_life(self) -> None:
        """Raises OSError, as on a volume that is read-only."""
        with self.directory.open("alive", os.O_WRONLY | os.O_CREAT) as file:
            os.utime(file.fileno())


def object_of(line: bytes) -> Entry | None:
    """The JSON object that a text is; None if it is none."""
    try:
        entry = json.loads(line.decode(errors="replace"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def line_of(entry: Entry) -> bytes:
    text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
    return f"{text}\n".encode(errors="replace")
