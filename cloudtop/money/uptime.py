"""When a cloudtop's machine ran in a month, from what EC2 and the machine's journal tell.

Times are whole seconds since 1970 (UTC). EC2 forgets an ended machine within the hour, so what
ran before the present one follows from the request, which would have run it, less the times
away that the journal of reaps on the volume has. Those end with a machine's last sign of life
and begin with its successor's boot, each to a minute or two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudtop.machine.reap_journal import is_number

Span = tuple[int, int]

# The journal keeps so many entries, the newest (journal.sh)
ENTRIES = 200
# Seconds within which a machine that can't be asked is taken for its request's first
PROMPT = 600


@dataclass(frozen=True)
class Month:
    """A calendar month in UTC, as EC2 bills it: from ``start`` up to ``end``."""

    start: int
    end: int

    @property
    def hours(self) -> float:
        return (self.end - self.start) / 3600

    @property
    def name(self) -> str:
        return f"{datetime.fromtimestamp(self.start, UTC):%Y-%m}"


@dataclass(frozen=True)
class Machine:
    """The present machine: its id, its last start, and whether it runs (else it is stopped)."""

    id: str
    launched: int
    runs: bool


@dataclass(frozen=True)
class Uptime:
    """``running`` is when it ran; ``rooted`` is when it had a root disk, stopped or not.

    ``doubts`` are sentences that say why it may have run less; with none, it ran just then.
    """

    running: tuple[Span, ...] = ()
    rooted: tuple[Span, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def seconds(self) -> int:
        return sum(end - begin for begin, end in self.running)


@dataclass(frozen=True)
class Away:
    """A time without a running machine. A machine that was only stopped kept its root disk."""

    span: Span
    stopped: bool


def month_of(now: int) -> Month:
    """The calendar month that a moment lies in."""
    first = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    year, month = divmod(first.year * 12 + first.month, 12)
    return Month(int(first.timestamp()), int(first.replace(year=year, month=month + 1).timestamp()))


def uptime(
    now: int, created: int | None, machine: Machine | None, changed: int | None, journal: object
) -> Uptime:
    """When the machine of a request ran, from the month's start up to now.

    ``created`` is when the request was made (None: there is none) and ``changed`` when its status
    last did, which is when a machine that does not run had ended by. ``journal`` is what the
    machine told of it, and None if it could not be asked.
    """
    if created is None:
        return Uptime()
    begin = max(month_of(now).start, created)
    ended = None if machine and machine.runs else changed
    end = now if ended is None else min(now, ended)
    backs = returns(journal)
    aways = [away for away in (_away(each, machine) for each in backs or []) if away]
    since = begin
    if machine and _first(begin, machine, journal):
        since, aways = max(begin, machine.launched), []
    present = [(max(since, machine.launched), now)] if machine else []
    rooted = without([(since, end)], [away.span for away in aways if not away.stopped])
    return Uptime(
        running=without([(since, end)], [away.span for away in aways]),
        rooted=merged([*rooted, *present]),
        doubts=tuple(_doubts(begin, created, machine, journal, aways)),
    )


def _first(begin: int, machine: Machine, journal: object) -> bool:
    """Whether no machine ran between ``begin`` and this one's launch.

    An empty journal says so. In one with a notice and no return, the return is yet to come: it
    is written a moment after the boot.
    """
    return journal == [] or machine.launched <= begin + (PROMPT if returns(journal) is None else 0)


def _doubts(
    begin: int, created: int, machine: Machine | None, journal: object, aways: Sequence[Away]
) -> Iterable[str]:
    """Why the machine may have run less than is counted."""
    backs = returns(journal)
    if machine is None:
        yield "with no machine there, the journal of its times away can't be read"
    elif _first(begin, machine, journal):
        return
    elif backs is None:
        yield "the machine could not be asked for its times away"
    elif len(backs) > len(aways):
        yield "the journal of its times away is not readable in part"
    else:
        within = [gone for gone, back in (away.span for away in aways) if back > begin]
        if within and min(within) <= begin:
            return
        if is_full(journal):
            yield f"the journal of times away has the newest {ENTRIES} entries, and there were more"
        elif begin == created:
            yield "the request may have waited for its first machine"


def is_full(journal: object) -> bool:
    """Whether a journal has let its oldest entries go."""
    return isinstance(journal, list) and len(journal) >= ENTRIES


def returns(journal: object) -> list[dict[str, Any]] | None:
    """The journal's returns, to the same volume or to a copy of it; None if there is no journal.

    A machine wrote them, so nothing else of their form is relied on.
    """
    if not isinstance(journal, list):
        return None
    return [
        each for each in journal if isinstance(each, dict) and each.get("event") in ("back", "copy")
    ]


def _away(entry: dict[str, Any], machine: Machine | None) -> Away | None:
    """The time away that a return ended; None if its times are not readable."""
    back, seconds = moment(entry.get("time")), entry.get("away_seconds")
    gone = moment(entry.get("last_seen"))
    if back is not None and gone is None and is_number(seconds):
        gone = back - int(seconds)
    if back is None or gone is None:
        return None
    if machine and entry.get("instance") == machine.id and gone < machine.launched:
        # It had started before it had the volume, and is paid from then
        back = min(back, machine.launched)
    return Away((gone, back), entry.get("previous") == entry.get("instance"))


def moment(text: object) -> int | None:
    """Seconds since 1970 of a time in ISO 8601; None if it is none."""
    try:
        return int(datetime.fromisoformat(str(text)).timestamp())
    except (ValueError, OverflowError):
        return None


def clipped(spans: Iterable[Span], begin: int, end: int) -> tuple[Span, ...]:
    """The parts of the spans in a window; those without length are left out."""
    within = ((max(first, begin), min(last, end)) for first, last in spans)
    return tuple((first, last) for first, last in within if first < last)


def without(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """The spans less the holes in them."""
    left = [(first, last) for first, last in spans if first < last]
    for begin, end in holes:
        if begin < end:
            left = [
                part
                for first, last in left
                for part in ((first, min(last, begin)), (max(first, end), last))
                if part[0] < part[1]
            ]
    return tuple(left)


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time with no second twice."""
    joined: list[Span] = []
    for first, last in sorted(span for span in spans if span[0] < span[1]):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)
