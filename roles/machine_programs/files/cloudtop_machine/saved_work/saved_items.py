"""The saved work that a volume holds: which of it is not back yet, and by which name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

NO_TIME = "time was short"


@dataclass(frozen=True)
class SavedItem:
    """One tree or path. ``name`` is REAP/ITEM, ``place`` its directory.

    Files in it: path, kind, head, head-commit, refs, format, stashes, config, shallow, modes,
    left-out, N.bundle, base.bundle, copy, complete, trouble and restored; of newer saves also
    symbolic-refs, bare, index, absent, git and lfs.
    """

    saved: str
    name: str

    @property
    def place(self) -> str:
        return f"{self.saved}/{self.name}"

    def file(self, name: str) -> str:
        return f"{self.place}/{name}"

    def has(self, name: str) -> bool:
        return os.path.exists(self.file(name))

    def read(self, name: str) -> bytes:
        try:
            with open(self.file(name), "rb") as file:
                return file.read()
        except OSError:
            return b""

    def line(self, name: str) -> str:
        return os.fsdecode(self.read(name)).rstrip("\n")

    @property
    def path(self) -> str:
        """The place it had, which may hold any character."""
        return os.fsdecode(self.read("path"))

    @property
    def trouble(self) -> str:
        return self.line("trouble") or NO_TIME


def pending(saved: str) -> Iterator[SavedItem]:
    """Items that are not back, the newest first and outer trees before those within them."""
    for reap in sorted(_names(saved), reverse=True):
        items = [SavedItem(saved, f"{reap}/{name}") for name in _names(f"{saved}/{reap}")]
        waiting = [item for item in items if item.has("path") and not item.has("restored")]
        yield from sorted(waiting, key=lambda item: (len(item.path), item.name))


def item_of(saved: str, name: str) -> SavedItem | None:
    """The item that is called so, or was last saved from there."""
    item = SavedItem(saved, name)
    if item.has("path"):
        return item
    wanted = os.path.abspath(name)
    return next((item for item in pending(saved) if item.path == wanted), None)


def unsaved_lines(saved: str) -> list[str]:
    """Work that the newest save could not save, of places that have no item of their own."""
    for reap in sorted(_names(saved), reverse=True):
        try:
            with open(f"{saved}/{reap}/report.json", encoding="utf-8") as file:
                values = json.load(file)
            return [f"{each['path']}: {each['why']}" for each in values["not_saved"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
    return []


def _names(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
