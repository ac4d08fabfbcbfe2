"""Times as EC2 and the journal write them: 2026-01-31T12:00:00Z."""

from __future__ import annotations

import time
from datetime import datetime, timezone


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


def text_of(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
