"""The price of an hour of one instance type in one zone, now and back in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from localcloud.ec2.market.series import EPOCH, Replay

# How far back the history goes (API reference, DescribeSpotPriceHistory)
HISTORY = timedelta(days=90)

Change = tuple[datetime, float]


class Segment(Protocol):
    """The source of the prices since a moment. ``changes`` are newest first."""

    @property
    def since(self) -> datetime: ...

    def price(self, when: datetime) -> float: ...

    def changes(self, until: datetime) -> Iterator[Change]: ...


class Standing:
    """One price. With ``daily`` it is stated anew each midnight, as a price that nobody moves."""

    def __init__(self, price: float, since: datetime = EPOCH, *, daily: bool) -> None:
        self.standing = price
        self.since = since
        self.daily = daily

    def price(self, when: datetime) -> float:
        return self.standing

    def changes(self, until: datetime) -> Iterator[Change]:
        day = until.replace(hour=0, minute=0, second=0, microsecond=0)
        while self.daily and day > self.since:
            yield day, self.standing
            day -= timedelta(days=1)
        if self.since <= until:
            yield self.since, self.standing


class Pool:
    """Segments, oldest first; the first one reaches back for ever at the default price."""

    def __init__(self, default: float) -> None:
        self.default = default
        self.segments: list[Segment] = [Standing(default, daily=True)]
        # Prices that a replay has from before its own begin never held
        self.held_since = EPOCH

    @property
    def replay(self) -> Replay | None:
        """The replay that sets the price, unless something else was set since."""
        last = self.segments[-1]
        return last if isinstance(last, Replay) else None

    @property
    def source(self) -> str:
        """The source of the price: default, hand or replay."""
        last = self.segments[-1]
        daily = isinstance(last, Standing) and last.daily
        return "replay" if self.replay else "default" if daily else "hand"

    def stand(self, price: float | None, now: datetime) -> None:
        """From now on this price, or the default one again."""
        daily = price is None
        segment = Standing(self.default if price is None else price, now, daily=daily)
        kept = [one for one in self.segments if one.since < now]
        # The last one before the history's begin says which price held at that moment
        needed = max(i for i, one in enumerate(kept) if i == 0 or one.since <= now - HISTORY)
        self.segments = [*kept[needed:], segment]

    def play(self, replay: Replay) -> None:
        """From now on the replay, and before now what its series had before."""
        self.segments = [Standing(self.default, daily=True), replay]
        self.held_since = replay.began

    def price(self, when: datetime) -> float:
        return next(s for s in reversed(self.segments) if s.since <= when).price(when)

    def changes(self, start: datetime, end: datetime) -> Iterator[Change]:
        """Newest first: those up to ``end``, and the last one not later than ``start``."""
        for segment in reversed(self.segments):
            for when, price in segment.changes(end):
                # At a great speed several fall on one moment: the last of them is what held
                if when <= end:
                    yield when, price
                    end = when - timedelta(microseconds=1)
                if when <= start:
                    return
            end = min(end, segment.since - timedelta(microseconds=1))

    def first_above(self, bid: float, start: datetime, end: datetime) -> float | None:
        """The first price above the bid of those that held from ``start`` to ``end``."""
        begin = min(max(start, self.held_since), end)
        held = [price for _, price in self.changes(begin, end)]
        return next((price for price in reversed(held) if price > bid), None)
