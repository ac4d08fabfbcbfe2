"""The journal's files in ``.cloudtop`` on the volume, all of them root's.

``reaps.jsonl`` has one JSON object a line, ``last`` is the machine that had the volume last, the
time of ``alive`` is that of its last sign of life.
"""

from __future__ import annotations

import errno
import json
import os
from typing import Any, BinaryIO

JOURNAL = "reaps.jsonl"
KEPT_LINES = 200
READ_BYTES = 1 << 20

Entry = dict[str, Any]


class NotRoots(Exception):
    """The directory is another's: whoever owns it could have the journal written anywhere."""


class Store:
    """Works in an open directory, and not by its name: the directory above is the user's."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    @classmethod
    def on(cls, mount_point: str, owner: int = 0) -> Store:
        """The journal of a volume, made if need be. Raises NotRoots, or OSError."""
        above = os.open(mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        refusal = f"{mount_point}/.cloudtop is no directory of root's: the journal was left alone."
        try:
            if not cls._has(above, ".cloudtop"):
                os.mkdir(".cloudtop", 0o755, dir_fd=above)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(".cloudtop", flags, dir_fd=above)
        except OSError as error:
            # A file or a link is in its place
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise NotRoots(refusal) from None
        finally:
            os.close(above)
        if os.fstat(handle).st_uid != owner:
            os.close(handle)
            raise NotRoots(refusal)
        return cls(handle)

    def close(self) -> None:
        """The volume can be unmounted from now on."""
        os.close(self.handle)

    def entries(self) -> list[Entry]:
        """The newest entries, oldest first; a journal may be torn, corrupt or huge."""
        try:
            with self._open(JOURNAL) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - READ_BYTES))
                lines = file.read().splitlines()[-KEPT_LINES:]
        except FileNotFoundError:
            return []
        return [entry for entry in map(object_of, lines) if entry is not None]

    def append(self, entry: Entry) -> None:
        """On the disk when it returns."""
        with self._open(JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND) as file:
            size = file.seek(0, os.SEEK_END)
            # A line that a power cut tore must not take the next one with it
            file.seek(max(0, size - 1))
            torn = size > 0 and file.read(1) != b"\n"
            file.write((b"\n" if torn else b"") + line_of(entry))
            file.flush()
            os.fsync(file.fileno())

    def shorten(self) -> None:
        """Nobody needs entries that are older than the newest 200."""
        try:
            with self._open(JOURNAL) as file:
                text = file.read(READ_BYTES + 1)
        except FileNotFoundError:
            return
        if len(text) > READ_BYTES or text.count(b"\n") > KEPT_LINES:
            self._replace(JOURNAL, b"".join(map(line_of, self.entries())))

    def last(self) -> dict[str, str]:
        """The facts that the volume's last machine wrote of itself; empty if nothing is there."""
        try:
            with self._open("last") as file:
                fields = object_of(file.read()) or {}
        except FileNotFoundError:
            return {}
        return {key: value for key, value in fields.items() if isinstance(value, str) and value}

    def write_last(self, machine: dict[str, str]) -> None:
        self._replace("last", line_of(machine))

    def last_sign_of_life(self) -> int:
        """POSIX seconds. Raises OSError if no machine had the volume."""
        try:
            status = os.stat("alive", dir_fd=self.handle, follow_symlinks=False)
        except FileNotFoundError:
            status = os.stat("last", dir_fd=self.handle, follow_symlinks=False)
        return int(status.st_mtime)

    def give_sign_of_life(self) -> None:
        """Raises OSError, as on a volume that is read-only."""
        with self._open("alive", os.O_WRONLY | os.O_CREAT) as file:
            os.utime(file.fileno())

    @staticmethod
    def _has(above: int, name: str) -> bool:
        try:
            os.stat(name, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _open(self, name: str, flags: int = os.O_RDONLY) -> BinaryIO:
        handle = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=self.handle)
        if flags & os.O_RDWR:
            return os.fdopen(handle, "r+b")
        return os.fdopen(handle, "wb") if flags & os.O_WRONLY else os.fdopen(handle, "rb")

    def _replace(self, name: str, text: bytes) -> None:
        with self._open(f"{name}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{name}.new", name, src_dir_fd=self.handle, dst_dir_fd=self.handle)


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
