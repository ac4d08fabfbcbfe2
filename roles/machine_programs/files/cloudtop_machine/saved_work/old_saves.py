"""Bounds on the saves that a volume holds, in number and size.

An end that fails is tried again, each time with a save of the same trees, and the volume would
be full in a day. A save replaces those before it that the same boot of the same machine made,
tree by tree, if nothing is lost by that. Beyond the bounds the oldest go.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .children import Tell
from .places import all_bytes, remove

NAMES_BYTES = 1 << 20
# The part of a volume that saves may take: the rest is its owner's, however small it is
SHARE = 4


@dataclass(frozen=True)
class Item:
    """One saved tree: ``reap`` and ``name`` are the two parts of its place."""

    saved: str
    reap: str
    name: str

    @property
    def place(self) -> str:
        return f"{self.saved}/{self.reap}/{self.name}"

    @property
    def path(self) -> bytes:
        return read_plain(f"{self.place}/path")

    @property
    def left_out(self) -> set[bytes]:
        return set(read_plain(f"{self.place}/left-out").split(b"\n"))

    def has(self, name: str) -> bool:
        return os.path.lexists(f"{self.place}/{name}")

    def size(self) -> int:
        return sum(
            os.lstat(os.path.join(folder, name)).st_size
            for folder, _, names in os.walk(self.place)
            for name in names
        )

    def replaces(self, old: Item) -> bool:
        """Whether all that the old one has is here in its newer state."""
        if self.path != old.path or not self.path or not self.has("kind"):
            return False
        if read_plain(f"{self.place}/kind") != read_plain(f"{old.place}/kind"):
            return self.has("complete")
        if self.has("complete"):
            return True
        return (
            not old.has("complete")
            and self.has("left-out")
            and self.has("1.bundle")
            and self.left_out <= old.left_out
        )

    def remove(self) -> None:
        remove(self.place)


def read_plain(path: str) -> bytes:
    """A small file of a user's, read by root: no link is followed, and no pipe waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        return file.read(NAMES_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def room(most_bytes: int, volume_bytes: int) -> int:
    """The bytes that saves may take of a volume of this size."""
    return min(most_bytes, volume_bytes // SHARE)


def bound(directory: str, boot: str, most: int, most_bytes: int, tell: Tell) -> None:
    """Remove what newer saves have, then what is beyond the bounds; tells a sentence of each."""
    saved, _, newest = directory.rpartition("/")
    reaps = [each for each in _folders(saved) if each != newest]
    new = [Item(saved, newest, name) for name in _folders(directory)]
    replaced = 0
    for reap in reaps:
        if not boot or _boot(f"{saved}/{reap}") != boot:
            continue
        for old in (Item(saved, reap, name) for name in _folders(f"{saved}/{reap}")):
            if any(item.replaces(old) for item in new):
                old.remove()
                replaced += 1
        _remove_if_empty(f"{saved}/{reap}")
    if replaced:
        tell(f"{replaced} earlier saves of this machine were replaced: this one has all of them.")
    _beyond(saved, newest, most, room(most_bytes, all_bytes(saved)), tell)


def _beyond(saved: str, newest: str, most: int, most_bytes: int, tell: Tell) -> None:
    """Saves that were put back go first, then the oldest."""
    reaps = [each for each in _folders(saved) if each != newest]
    items = {
        each: [Item(saved, each, name) for name in _folders(f"{saved}/{each}")] for each in reaps
    }
    order = sorted(reaps, key=lambda reap: (not _restored(items[reap]), reap))
    sizes = {reap: sum(item.size() for item in items[reap]) for reap in reaps}
    sizes[newest] = sum(Item(saved, newest, name).size() for name in _folders(f"{saved}/{newest}"))
    removed, unrestored = 0, 0
    for reap in order:
        if len(sizes) <= most and sum(sizes.values()) <= most_bytes:
            break
        unrestored += not _restored(items[reap])
        remove(f"{saved}/{reap}")
        sizes.pop(reap)
        removed += 1
    if removed:
        tell(
            f"{removed} of the oldest saves were removed, {unrestored} of them never put back:"
            f" at most {most} saves and {most_bytes >> 20} MiB are kept."
        )


def _restored(items: Sequence[Item]) -> bool:
    return all(item.has("restored") for item in items)


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(name for name in names if not name.startswith("."))


def _boot(path: str) -> str:
    try:
        values: Mapping[str, object] = json.loads(read_plain(f"{path}/report.json"))
        return str(values.get("boot", ""))
    except (ValueError, AttributeError):
        return ""


def _remove_if_empty(path: str) -> None:
    if not _folders(path):
        remove(path)
