"""The journal of reaps that a machine keeps on its volume, in words.

Reasons, lengths of time and numbers of work trees read as on the machine itself, whose programs
are not here (``cloudtop_machine/reap_journal/words.py``); a test holds both alike.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TypeGuard

# Ends of EC2's status codes of a spot request that say why a machine went
REASONS = {
    "no-capacity": "no capacity",
    "by-price": "the price",
    "price-too-low": "the price",
    "by-experiment": "an experiment",
    "by-user": "by hand",
    "idle": "nobody worked on it",
}


def last(journal: object) -> str:
    """The last reap in a line; empty if there was none, or if the journal is unreadable.

    The entries are written by a machine, so nothing of their form is relied on.
    """
    listed = journal if isinstance(journal, list) else []
    entries = [each for each in listed if isinstance(each, dict)]
    backs = [number for number, each in enumerate(entries) if each.get("event") == "back"]
    if not backs:
        return ""
    back = entries[backs[-1]]
    notices = [
        each
        for each in entries[: backs[-1]]
        if each.get("event") == "notice" and each.get("instance") == back.get("previous")
    ]
    notice = notices[-1] if notices else {}
    words = [_moment(back.get("last_seen"))]
    words.append(_reason(back.get("why")))
    price, away = back.get("price"), back.get("away_seconds")
    if is_number(price):
        words.append(f"${price:g}/h")
    if is_number(away):
        words.append(f"back after {span(int(away))}")
    trees = saved_trees(notice.get("saved"))
    if trees:
        words.append(f"{trees} work tree{'' if trees == 1 else 's'} saved: cloudtop-restore")
    return ", ".join(filter(None, words))


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number; JSON as Python reads it has Infinity and NaN, too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def span(seconds: int) -> str:
    """A length of time in its two largest units, as the login message tells it."""
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "min"), (seconds % 60, "s"))
    return " ".join([f"{number} {unit}" for number, unit in parts if number][:2]) or "0 s"


def saved_trees(saved: object) -> int:
    """How many work trees a notice's ``saved`` tells of: their list, or their number."""
    trees = saved.get("trees") if isinstance(saved, dict) else None
    if isinstance(trees, list):
        return len(trees)
    return int(trees) if is_number(trees) else 0


def _moment(text: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return "at an unknown time"


def _reason(code: object) -> str:
    text = str(code or "unknown")
    known = [words for end, words in REASONS.items() if text.endswith(end)]
    return known[0] if known else ("" if text == "unknown" else text)
