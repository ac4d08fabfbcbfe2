"""The journal of reaps in words. Entries may have odd values: any program may have written them.

``cloudtop/machine/reap_journal.py`` has the same reasons and numbers for a laptop, which has not
this package; a test holds both alike.
"""

from __future__ import annotations

import math
import time
from typing import Any, TypeGuard

from cloudtop_machine.reap_journal.store import Entry
from cloudtop_machine.times import seconds_of

# EC2's status codes of a spot request that say why a machine went, by their ends
REASONS = {
    "no-capacity": "no capacity",
    "by-price": "the price",
    "price-too-low": "the price",
    "by-experiment": "an experiment",
    "by-user": "by hand",
    "idle": "nobody worked on it",
}
HEADINGS = ["WENT (UTC)", "AWAY", "WHY", "PRICE", "SAVED", "NOW"]


def pairs(entries: list[Entry]) -> list[Entry]:
    """Each return, with the last notice to the machine that went, or None, as ``notice``."""
    returns = []
    notices: dict[str, Entry] = {}
    for entry in entries:
        if entry.get("event") == "notice":
            notices[str(entry.get("instance"))] = entry
        elif entry.get("event") == "back":
            returns.append({**entry, "notice": notices.get(str(entry.get("previous")))})
    return returns


def sentence(pair: Entry) -> str:
    """The story of one return, for the login."""
    notice = pair["notice"] or {}
    why = reason(pair.get("why") or notice.get("why"))
    parts = [] if why == "unknown" else [why]
    price = dollars(pair.get("price"))
    if price:
        parts.append(price)
    about = f" ({', '.join(parts)})" if parts else ""
    code = str(notice.get("why"))
    if code == "idle" or code.endswith("by-user"):
        went = "This machine went at"
    elif pair["notice"]:
        went = "EC2 took this machine at"
    else:
        went = "This machine went without a notice at"
    saved = trees(notice.get("saved"))
    back = f"and it was back after {span(pair.get('away_seconds'))}"
    text = f"{went} {clock(pair.get('last_seen'))}{about} {back}"
    if saved > 0:
        verb = "was" if saved == 1 else "were"
        text += f"; {plural(saved, 'work tree')} {verb} saved: cloudtop-restore"
    return text


def table(returns: list[Entry]) -> list[str]:
    """Lines in columns, the headings first."""
    rows = [HEADINGS, *(_row(pair) for pair in returns)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(" ")
        for row in rows
    ]


def _row(pair: Entry) -> list[str]:
    away = pair.get("away_seconds")
    return [
        day(pair.get("last_seen")),
        span(away) if is_number(away) else "?",
        reason(pair.get("why")),
        dollars(pair.get("price")) or "?",
        plural(trees((pair["notice"] or {}).get("saved")), "work tree"),
        str(pair.get("instance") or "?"),
    ]


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def clock(text: Any) -> str:
    seconds = seconds_of(text)
    return (
        "an unknown time" if seconds is None else time.strftime("%H:%M UTC", time.gmtime(seconds))
    )


def day(text: Any) -> str:
    seconds = seconds_of(text)
    return "?" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def span(seconds: Any) -> str:
    """A length of time by its two largest units."""
    if not is_number(seconds):
        return "an unknown time"
    whole = math.floor(seconds)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count > 0][:2]) or "0 s"


def reason(code: Any) -> str:
    text = str(code or "unknown")
    return next((words for end, words in REASONS.items() if text.endswith(end)), text)


def dollars(price: Any) -> str:
    """Dollars an hour without needless zeros; empty if it is no price."""
    return f"${str(float(price)).removesuffix('.0')}/h" if is_number(price) else ""


def trees(saved: Any) -> int:
    """How many work trees a notice says that were saved."""
    count = saved.get("trees") if isinstance(saved, dict) else 0
    if isinstance(count, list):
        return len(count)
    return int(count) if is_number(count) else 0


def plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
