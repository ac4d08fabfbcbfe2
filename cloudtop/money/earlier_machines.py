"""A cloudtop's machines of this month before its present request was made.

EC2 forgets an ended machine within the hour and its request soon after. The journal of reaps on
the volume goes on through all requests: each return there tells what machine had the volume
before, from when, and its last sign of life. Times are whole seconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudtop.money.uptime import Span, clipped, is_full, moment, month_of, returns

# Seconds from making a volume to launching its first machine, at most
FIRST_LAUNCH = 900


@dataclass(frozen=True)
class Run:
    """One machine's time from a launch to its last sign of life.

    ``place`` is its instance type and zone. ``rooted`` is ``running`` with the time after it, if
    the machine was stopped and so kept its root disk.
    """

    place: tuple[str, str]
    running: Span
    rooted: Span

    @property
    def seconds(self) -> int:
        return self.running[1] - self.running[0]


def runs(now: int, created: int | None, journal: object) -> tuple[Run, ...]:
    """The runs of this month before ``created``, newest first, as far as the journal has them all.

    ``created`` is when the present request was made; ``journal`` is what the machine told of it,
    and None if it could not be asked.
    """
    if created is None:
        return ()
    begin, end = month_of(now).start, min(created, now)
    by_launch: dict[tuple[str, int], Run] = {}
    for entry in reversed(returns(journal) or []):
        run = _run(entry)
        if run is None:
            break
        within = [*clipped([run.running], begin, end), (begin, begin)][0]
        rooted = [*clipped([run.rooted], begin, end), within][0]
        # A machine that was cut off while it wrote has the same return twice
        key = (str(entry.get("previous")), run.running[0])
        by_launch.setdefault(key, Run(run.place, within, rooted))
    return tuple(run for run in by_launch.values() if run.seconds)


def notes(
    now: int, created: int | None, volume_created: int | None, journal: object, ran: Sequence[Run]
) -> Iterator[str]:
    """Why more may have run this month than is counted."""
    begin = month_of(now).start
    if created is None or volume_created is None:
        return
    backs = returns(journal) or []
    known = min([created, *(run.running[0] for run in ran)])
    unread = any(
        _run(each) is None and (moment(each.get("time")) or known) > begin for each in backs
    )
    # A copy of a volume is younger than what the journal on it tells
    cut = is_full(journal) and known > begin
    if unread or cut or max(volume_created + FIRST_LAUNCH, begin) < known:
        yield (
            f"the machine is counted since {datetime.fromtimestamp(known, UTC):%Y-%m-%d %H:%M}"
            " UTC; there is no record of earlier hours"
        )
    copies = [each for each in backs if each["event"] == "copy"]
    if any((moment(each.get("time")) or 0) > begin for each in copies):
        yield "machine hours between a snapshot and its restore are missing: no journal has them"


def _run(entry: dict[str, Any]) -> Run | None:
    """The run that a return ended; None if it does not tell."""
    ran = entry.get("ran")
    if not isinstance(ran, dict):
        return None
    launched, gone, back = (
        moment(text) for text in (ran.get("launched"), entry.get("last_seen"), entry.get("time"))
    )
    place = (ran.get("type"), ran.get("zone"))
    if launched is None or gone is None or back is None or not all(place):
        return None
    stopped = entry["event"] == "back" and entry.get("previous") == entry.get("instance")
    gone = max(launched, gone)
    return Run(
        place=(str(place[0]), str(place[1])),
        running=(launched, gone),
        rooted=(launched, max(gone, back) if stopped else gone),
    )
