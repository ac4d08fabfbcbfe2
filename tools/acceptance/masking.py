"""Whatever tells who ran it: ids, accounts, addresses and names, each by a number of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable

PATTERN = re.compile(
    r"\b(?P<id>(?P<kind>i|vol|sir|snap|ami|sg|sgr|subnet|vpc|eni|eipalloc|eipassoc|key|r|rtb|igw"
    r"|policy|reap)-[0-9a-f]{8,17})\b"
    r"|\b(?P<experiment>EX[PT][A-Za-z0-9]{12,20})\b"
    r"|\b(?P<accesskey>A[KS]IA[A-Z0-9]{12,16})\b"
    r"|(?<![0-9.])(?P<account>[0-9]{12})(?!\.?[0-9])"
    r"|(?<![0-9.])(?P<address>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?!\.?[0-9])"
    r"|(?P<hostkey>AAAA[A-Za-z0-9+/]{20,}={0,2})"
    r"|\b(?P<digest>[0-9a-f]{12,64})\b"
)


class Mask:
    """The same thing gets the same number in all texts of one report."""

    def __init__(self, words: Iterable[tuple[str, str]] = ()) -> None:
        # Longer words first: a home's path holds its owner's name
        self._words = sorted(((a, b) for a, b in words if a), key=lambda one: -len(one[0]))
        self._numbers: dict[str, dict[str, int]] = {}

    def __call__(self, text: str) -> str:
        for word, name in self._words:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", f"<{name}>", text)
        return PATTERN.sub(self._masked, text)

    def _masked(self, match: re.Match[str]) -> str:
        name = str(match.lastgroup)
        kind = match["kind"] or name
        known = self._numbers.setdefault(kind, {})
        number = known.setdefault(match[0], len(known) + 1)
        return f"{kind}-#{number}" if match["kind"] else f"<{kind} {number}>"
