"""Times as EC2 and the journal write them, 2026-01-31T12:00:00Z, and as HTTP does."""

from __future__ import annotations

import time
from datetime import datetime, timezone

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def seconds_of(text: object) -> int | None:
    """POSIX seconds of such a time; None for anything else."""
    if not isinstance(text, str) or len(text) != 20 or text[10] != "T" or text[-1] != "Z":
        return None
    # fromisoformat takes digits of other scripts
    if not text.isascii():
        return None
    try:
        moment = datetime.fromisoformat(text[:-1])
    except ValueError:
        return None
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


def seconds_of_date(text: str) -> int | None:
    """POSIX seconds of HTTP's Date: "Sun, 06 Nov 1994 08:49:37 GMT"; None for anything else."""
    words = text.lower().split()
    if len(words) != 6 or words[2] not in MONTHS or words[5] != "gmt":
        return None
    month = MONTHS.index(words[2]) + 1
    return seconds_of(f"{words[3]}-{month:02d}-{words[1]}T{words[4]}Z")


def text_of(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
