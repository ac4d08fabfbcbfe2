"""The report of a save: what it looked at, what it saved, and what it did not save and why."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

# The journal and the terminals get it, so that it is bounded: in entries, and in characters
ENTRIES, LONGEST = 100, 300
MIB = 1 << 20
NO_TIME = "there was no time for all of it"

# True of every save, whatever it found
ALWAYS = (
    "Files that git ignores, empty folders, sockets and pipes are not saved.",
    "Hooks, reflogs (save for stashes), extended attributes and times of files are not saved.",
    "Folders called node_modules are not searched.",
    "A work tree without a change or commit of its own is not saved: its remote has it."
    " The same holds for submodules, and for git-lfs contents of commits that were pushed.",
)


def plain(text: str | bytes, longest: int = LONGEST) -> str:
    """One line without what a terminal would act upon; it may come from anybody."""
    if isinstance(text, bytes):
        text = text[: 4 * longest].decode(errors="surrogateescape")
    line = " ".join(text[: 4 * longest].split())
    line = "".join(each if each.isprintable() else "?" for each in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def path_text(path: str) -> str:
    """A path for JSON: any character, but no broken one."""
    return os.fsencode(path).decode(errors="replace")


@dataclass(frozen=True)
class Unsaved:
    """A place that was not saved, or not all of it."""

    path: str
    why: str

    def as_dict(self) -> dict[str, str]:
        return {"path": plain(self.path, 4096), "why": plain(self.why)}


@dataclass
class Saved:
    """The outcome for one git work tree or path. ``item`` is its directory on the volume."""

    path: str
    item: str
    is_path: bool = False
    commit: str | None = None
    files: int = 0
    bytes: int = 0
    complete: bool = False
    trouble: str = NO_TIME
    unsaved: list[Unsaved] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        return f"Not all of {plain(self.path, 4096)} was saved: {plain(self.trouble)}."

    def as_dict(self) -> dict[str, object]:
        values: dict[str, object] = {
            "path": path_text(self.path),
            "item": self.item,
            "commit": self.commit,
            "files": self.files,
            "bytes": self.bytes,
            "complete": self.complete,
        }
        return values if self.complete else {**values, "trouble": plain(self.trouble)}


@dataclass
class Report:
    """One save. ``limits`` are sentences on what the search leaves out by its nature."""

    directory: str
    items: list[Saved] = field(default_factory=list)
    unsaved: list[Unsaved] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    @property
    def not_saved(self) -> list[Unsaved]:
        """All of it, each place and reason once."""
        places = list(self.unsaved)
        for item in self.items:
            if not item.complete:
                places += item.unsaved or [Unsaved(item.path, item.trouble)]
        return list(dict.fromkeys(places))

    @property
    def complete(self) -> bool:
        return not self.not_saved

    def as_dict(self) -> dict[str, object]:
        return {
            "directory": self.directory if self.items else None,
            "trees": [item.as_dict() for item in self.items if not item.is_path],
            "paths": [item.as_dict() for item in self.items if item.is_path],
            "bytes": sum(item.bytes for item in self.items),
            "complete": self.complete,
            "not_saved": bounded(self.not_saved),
            "limits": [*ALWAYS, *(plain(each, 1000) for each in self.limits)],
        }

    def sentences(self) -> list[str]:
        """The lines that a person has to read: one for each place that was not saved."""
        lines = [item.sentence for item in self.items if not item.complete]
        shown = self.unsaved[:ENTRIES]
        lines += [
            f"Not all of {plain(each.path, 4096)} was saved: {plain(each.why)}." for each in shown
        ]
        if len(self.unsaved) > len(shown):
            lines.append(f"Not saved are {len(self.unsaved) - len(shown)} more places.")
        return lines


def bounded(places: Iterable[Unsaved]) -> list[dict[str, str]]:
    """The first of them; the last entry says how many more there are."""
    rows = [each.as_dict() for each in places]
    if len(rows) > ENTRIES:
        more = f"{len(rows) - ENTRIES + 1} more places were not saved"
        rows = [*rows[: ENTRIES - 1], {"path": "", "why": more}]
    return rows
