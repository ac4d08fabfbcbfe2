"""Text that others wrote, made safe for a terminal: EC2, tags, machines, playbooks, price files.

Characters that a terminal obeys or hides are shown as JSON writes them (``\\u001b``), so that
nothing is lost, and JSON that holds one means the same as before.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Mapping
from typing import TextIO, cast

# Enough for any sentence; a sentence is not the place for more
LIMIT = 8000
# Controls of C0 and C1 (ECMA-48) but tab and line ends, DEL, what reorders text or is invisible
# in it (UAX #9, U+200B, U+FEFF, U+E0000 and its kind), line separators, and halves of characters
_OBEYED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]|\r(?!\n)"
)
_LINE_END = re.compile("\r?\n|\t")
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


def plain(text: object, limit: int = LIMIT, lines: bool = False) -> str:
    """A text without what a terminal would obey, cut after ``limit`` characters.

    It is one line unless it may have ``lines``.
    """
    words = str(text)
    if len(words) > limit:
        words = f"{words[:limit]}…"
    words = _OBEYED.sub(_shown, words)
    return words if lines else _LINE_END.sub(" ", words)


def uncoloured(text: str) -> str:
    """A text of Ansible's without its colours, which could be anybody's."""
    return _COLOUR.sub("", text)


def _shown(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    # Two halves, as JSON has no other way
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


class _Plain(io.TextIOBase):
    """A stream to which all text comes as ``plain`` makes it, of any length and with its lines.

    ``complete`` may put more into it.
    """

    def __init__(self, drawn: TextIO) -> None:
        self.drawn = drawn
        self.complete: Callable[[str], str] = str

    def write(self, text: str, /) -> int:
        self.drawn.write(_OBEYED.sub(_shown, self.complete(text)))
        return len(text)

    def flush(self) -> None:
        self.drawn.flush()

    def isatty(self) -> bool:
        return self.drawn.isatty()

    def fileno(self) -> int:
        return self.drawn.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.drawn.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.drawn.errors


def guarded(stream: TextIO) -> TextIO:
    """The stream for all that is printed: nothing in it is obeyed by a terminal."""
    return stream if isinstance(stream, _Plain) else cast("TextIO", _Plain(stream))


def complete(whole: Callable[[str], str], *streams: TextIO) -> None:
    """From now on ``whole`` makes whole what is printed to these guarded streams."""
    for stream in streams:
        if isinstance(stream, _Plain):
            stream.complete = whole


def wants_plain_lines(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a terminal shall get text alone: NO_COLOR (no-color.org), or one that knows no more.

    Emacs's shell and CI systems name themselves dumb (terminfo's entry).
    """
    return bool(environ.get("NO_COLOR")) or environ.get("TERM", "").lower() in ("dumb", "unknown")


def drawn(stream: TextIO) -> TextIO:
    """The stream for who moves the cursor or colours; what is foreign has to be plain before."""
    return stream.drawn if isinstance(stream, _Plain) else stream
