"""The notice of an end or of a recommendation, as cloudtop-spot-guard and others leave it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudtop_machine import times

# The values become parts of sentences, and the instance one of a path
ACTION, TIME = re.compile(r"[a-z-]*"), re.compile(r"[0-9TZ:-]*")
INSTANCE, WHY = re.compile(r"[a-z0-9-]+"), re.compile(r"[A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Notice:
    """``due`` and ``since`` are times as EC2 writes them; ``why`` is empty if EC2 gave it."""

    action: str = ""
    due: str = ""
    since: str = ""
    instance: str = "unknown"
    why: str = ""

    @property
    def key(self) -> str:
        """The name of this end: there is one for each."""
        return f"{self.action} {self.due}"

    @property
    def seconds(self) -> int | None:
        """When the machine goes, in POSIX seconds; None if the notice does not say."""
        return times.seconds_of(self.due)

    @property
    def clock(self) -> str:
        """The time of day at which the machine goes."""
        return self.due.partition("T")[2] or "an unknown time"

    @property
    def ends_it(self) -> str:
        if not self.why:
            return "EC2 takes this machine away"
        if self.why == "idle":
            return "Nobody works here, so this machine goes"
        return "This machine's owner ends it"

    @property
    def announcement(self) -> str:
        return "An end was announced" if self.why else "EC2 gave notice"


def read(place: str) -> Notice:
    """The notice in a file of KEY=VALUE lines. Raises OSError if there is none."""
    with open(place, encoding="utf-8", errors="replace", newline="\n") as file:
        pairs = dict(line.rstrip("\n").partition("=")[::2] for line in file)
    return Notice(
        action=_fitting(pairs.get("action", ""), ACTION, "unknown"),
        due=_fitting(pairs.get("due", ""), TIME, ""),
        since=_fitting(pairs.get("since", ""), TIME, ""),
        instance=_fitting(pairs.get("instance", ""), INSTANCE, "unknown"),
        why=_fitting(pairs.get("why", ""), WHY, "unknown"),
    )


def _fitting(value: str, pattern: re.Pattern[str], otherwise: str) -> str:
    return value if pattern.fullmatch(value) else otherwise
