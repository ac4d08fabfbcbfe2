"""A day of a real market: when there was room, and what a cloudtop makes of that day.

The market's time is played faster than it was; the machine's own time cannot be. So the day is
played piece by piece: while the machine is there, until the market takes it; and while there is no
room, until there is some again. In between the day stands still. The seconds in which the machine
boots are counted as they are, once, and taken off the room that follows: as if it had booted on
that day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cloudtop.errors import CloudtopError
from cloudtop.machine.drill import Drill
from cloudtop.machine.drill_report import Report
from spotprices import availability
from spotprices.files import PriceFileError

POLL_SECONDS = 0.5
# Seconds for the cloud to do what the trace says
MARGIN = 60.0
# Seconds of the day, and whether there is room from then on
Points = Sequence[tuple[int, bool]]


@dataclass(frozen=True)
class Stretch:
    """From ``begin`` to ``end`` (whole POSIX seconds) there was room in the zone, or none."""

    begin: int
    end: int
    room: bool

    @property
    def seconds(self) -> int:
        return self.end - self.begin


@dataclass(frozen=True)
class Trace:
    """One zone of a trace, from its first room on; ``stretches`` take turns, room first."""

    instance_type: str
    zone: str
    stretches: tuple[Stretch, ...]

    @property
    def seconds(self) -> int:
        return self.stretches[-1].end - self.stretches[0].begin

    @property
    def room_seconds(self) -> int:
        return sum(one.seconds for one in self.stretches if one.room)


def load(path: Path, name: str, zone: str) -> Trace:
    """The trace of that zone if the file has it, else of the one with the most room.

    ``name`` says which, if the file has several. Raises CloudtopError for a file that is no trace,
    and for one in which no machine is lost.
    """
    try:
        every = availability.read(path, name)
    except PriceFileError as error:
        hint = error.hint.replace("--trace NAME", "--trace-name NAME")
        raise CloudtopError(error.message, hint) from error
    traces = [Trace(*place, _stretches(series)) for place, series in sorted(every.items())]
    whole = [one for one in traces if len(one.stretches) > 1]
    if not whole:
        raise CloudtopError(f"In {path} no machine is lost.", "Try another: --trace FILE")
    best = max(whole, key=lambda one: one.room_seconds / one.seconds)
    return next((one for one in whole if one.zone == zone), best)


def _stretches(series: availability.Availability) -> tuple[Stretch, ...]:
    stretches: list[Stretch] = []
    ends = [*series.times[1:], series.times[-1]]
    for begin, end, room in zip(series.times, ends, series.available, strict=True):
        if begin == end or (not stretches and not room):
            continue
        if stretches and stretches[-1].room == room:
            stretches[-1] = Stretch(stretches[-1].begin, end, room)
        else:
            stretches.append(Stretch(begin, end, room))
    return tuple(stretches)


@dataclass(frozen=True)
class Loss:
    """One loss: when (POSIX seconds of the day), for how long there was no room, and the real
    seconds from the relaunch until everything was there; ``over`` if the day ended before."""

    lost: int
    room_again: int
    boot_seconds: float
    over: bool
    report: Report

    @property
    def usable_again(self) -> float:
        return self.room_again + self.boot_seconds

    def as_json(self) -> dict[str, object]:
        return {
            "lost": iso(self.lost),
            "room_again": iso(self.room_again),
            "usable_again": None if self.over else iso(self.usable_again),
            "no_room_seconds": self.room_again - self.lost,
            "boot_seconds": self.boot_seconds,
            "reap": self.report.as_json(),
        }


@dataclass
class DayReport:
    """The day as it was for the cloudtop; shares are of 1."""

    trace: Trace
    speed: float
    losses: list[Loss] = field(default_factory=list)

    @property
    def room_share(self) -> float:
        return self.trace.room_seconds / self.trace.seconds

    @property
    def usable_share(self) -> float:
        """The room, without the boots at its beginnings: one that is too short for its boot
        is no use at all."""
        boots = {loss.room_again: loss.boot_seconds for loss in self.losses}
        usable = sum(
            max(0.0, one.seconds - boots.get(one.begin, 0.0))
            for one in self.trace.stretches
            if one.room
        )
        return usable / self.trace.seconds

    @property
    def good(self) -> bool:
        losses = sum(not one.room for one in self.trace.stretches)
        return len(self.losses) == losses and all(loss.report.good for loss in self.losses)

    def as_json(self) -> dict[str, object]:
        return {
            "instance_type": self.trace.instance_type,
            "zone": self.trace.zone,
            "begin": iso(self.trace.stretches[0].begin),
            "end": iso(self.trace.stretches[-1].end),
            "speed": self.speed,
            "ec2_share": round(self.room_share, 4),
            "usable_share": round(self.usable_share, 4),
            "losses": [loss.as_json() for loss in self.losses],
            "good": self.good,
        }


@dataclass
class Day:
    """Plays a trace. ``play`` has the cloud replay points at ``speed``, the last of which stays."""

    trace: Trace
    drill: Drill
    play: Callable[[Points], None]
    speed: float
    tell: Callable[[str], None]

    def run(self) -> DayReport:
        """The whole day. Ends at a loss after which the machine is not whole any more.

        Raises CloudtopError if the machine is not whole to begin with.
        """
        stretches = self.trace.stretches
        report = DayReport(self.trace, self.speed)
        usable = float(stretches[0].begin)
        patience = self.drill.deadline
        for room, gone in zip(stretches[::2], stretches[1::2], strict=False):
            self.drill.reap = _Taking(self, min(usable, room.end - 1), room.end)
            self.drill.marked = self._closing(gone)
            self.drill.deadline = patience + gone.seconds / self.speed
            reap = self.drill.run()
            boot = reap.seconds.get("ready", 0.0) - reap.seconds.get("relaunched", 0.0)
            loss = Loss(gone.begin, gone.end, max(0.0, boot), gone is stretches[-1], reap)
            report.losses.append(loss)
            self.tell(sentence(loss))
            if not reap.good:
                return report
            usable = loss.usable_again
        if stretches[-1].room:
            self._last(max(0.0, stretches[-1].end - usable))
        return report

    def _closing(self, gone: Stretch) -> Callable[[str], None]:
        """The time without room begins once the machine is gone: its notice is not part of it."""

        def marked(mark: str) -> None:
            if mark == "gone":
                self.play([(gone.begin, False), (gone.end, True)])

        return marked

    def _last(self, left: float) -> None:
        """The rest of the day, in which nothing may happen."""
        seen = self.drill.look().instance
        end = time.monotonic() + left / self.speed
        while time.monotonic() < end:
            time.sleep(min(POLL_SECONDS, max(0.0, end - time.monotonic())))
        now = self.drill.look().instance
        if seen is None or now is None or now.instance_id != seen.instance_id:
            raise CloudtopError(
                "The machine was lost at an hour in which the trace has room.",
                "See: python -m localcloud reaps",
            )


@dataclass
class _Taking:
    """Waits for the market to take the machine; returns when it did, in POSIX seconds."""

    day: Day
    begin: float
    end: int

    def __call__(self, instance: str) -> float:
        self.day.play([(int(self.begin), True), (self.end, False)])
        until = time.monotonic() + (self.end - self.begin) / self.day.speed + MARGIN
        while True:
            request = self.day.drill.look().request
            if request and (request.state != "active" or "marked-for" in request.status_code):
                return time.time()
            if time.monotonic() > until:
                raise CloudtopError(
                    f"At {iso(self.end)} the trace has no room any more; {instance} still runs.",
                    "See: python -m localcloud prices",
                )
            time.sleep(POLL_SECONDS)


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sentence(loss: Loss) -> str:
    """A loss and its end, for people."""
    away = f"{iso(loss.lost)[11:19]} lost; room again at {iso(loss.room_again)[11:19]}"
    if loss.over:
        return f"  {away}, the day's end"
    return (
        f"  {away}, usable at {iso(loss.usable_again)[11:19]}: {loss.boot_seconds:.0f} s of boot"
        + ("" if loss.report.good else "; SOMETHING IS MISSING")
    )


def render(report: DayReport, place: str) -> str:
    """The day, for people; ``place`` is the type and zone that it was laid on."""
    trace = report.trace
    day = f"{iso(trace.stretches[0].begin)} to {iso(trace.stretches[-1].end)}"
    boots = [loss.boot_seconds for loss in report.losses if not loss.over]
    longest = f", {max(boots):.0f} s at most" if boots else ""
    return "\n".join(
        [
            f"{trace.instance_type} in {trace.zone}, {day}, laid on {place}:",
            *map(sentence, report.losses),
            f"EC2 had room for {report.room_share:.2%} of this time, and the cloudtop was usable"
            f" for {report.usable_share:.2%}.",
            f"Only the market's time was scaled ({report.speed:g} times as fast). Notice and boot"
            f" took what they take here{longest}; a boot counts once, in its own seconds, after"
            " the room came back.",
        ]
    )
