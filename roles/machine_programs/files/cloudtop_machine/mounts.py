"""The mounts of this machine, as /proc/self/mountinfo shows them (proc(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One mount. ``number`` is its device's ("259:1"), ``root`` the folder of it that is seen.

    ``options`` are those of the mount, ``own_options`` those of the file system: one that has met
    an error is read-only there alone.
    """

    place: str
    number: str
    root: str
    options: str
    kind: str = ""
    source: str = ""
    own_options: str = ""

    @property
    def is_mounted_read_only(self) -> bool:
        return "ro" in self.options.split(",")

    @property
    def is_read_only(self) -> bool:
        return self.is_mounted_read_only or "ro" in self.own_options.split(",")


def mounts(proc: str) -> list[Mount]:
    """All of them; of two at one place the later one is seen. Raises OSError."""
    # Names are bytes, of which the kernel escapes blanks and newlines alone
    with open(f"{proc}/self/mountinfo", "rb") as file:
        text = file.read().decode(errors="surrogateescape")
    return [each for each in map(_mount, text.split("\n")) if each]


def _mount(line: str) -> Mount | None:
    fields = line.split(" ")
    if len(fields) < 6:
        return None
    # Optional fields end with a hyphen
    rest = fields[fields.index("-") + 1 :] if "-" in fields[6:] else []
    kind, source, own = [*map(_unescaped, rest), "", "", ""][:3]
    return Mount(
        _unescaped(fields[4]), fields[2], _unescaped(fields[3]), fields[5], kind, source, own
    )


def _unescaped(name: str) -> str:
    return _ESCAPE.sub(lambda code: chr(int(code[1], 8)), name)
