"""Prices over time as a file has them, and how they lie on the cloud's own clock."""

from __future__ import annotations

import bisect
import zlib
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

# Prices are kept as whole millionths of a dollar: EC2 shows six decimals
UNIT = 10**6
EPOCH = datetime(1970, 1, 1)


def moment_of(seconds: float) -> datetime:
    """Naive UTC of seconds since 1970."""
    return EPOCH + timedelta(seconds=seconds)


def seconds_of(when: datetime) -> int:
    """Whole seconds since 1970 of naive UTC, or of any other zone that is named."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return int(aware.timestamp() // 1)


class Series:
    """Oldest first and never empty. ``times`` are whole seconds since 1970, ``prices`` UNITs.

    It never changes, so what is kept on disk is packed once: every change of the cloud's
    state writes all of it.
    """

    def __init__(self, times: Sequence[int], prices: Sequence[int]) -> None:
        self.times, self.prices = array("q", times), array("q", prices)
        self._packed = zlib.compress(self.times.tobytes() + self.prices.tobytes())

    def __getstate__(self) -> bytes:
        return self._packed

    def __setstate__(self, packed: bytes) -> None:
        numbers = array("q", zlib.decompress(packed))
        half = len(numbers) // 2
        self.times, self.prices, self._packed = numbers[:half], numbers[half:], packed


class Replay:
    """A series laid on the cloud's clock.

    ``origin`` (seconds since 1970, in the series' time) is what happens at ``began``. Earlier
    prices keep their distance, so that the history is as long as it was; later prices come
    ``speed`` times as fast. The price of a moment never changes once it is given.
    """

    def __init__(self, series: Series, origin: int, began: datetime, speed: float) -> None:
        self.series = series
        self.origin = origin
        self.began = began
        self.speed = speed

    def on_clock(self, seconds: int) -> datetime:
        after = seconds - self.origin
        return self.began + timedelta(seconds=after / self.speed if after > 0 else after)

    def in_series(self, when: datetime) -> datetime:
        """The series' own time at a moment of the cloud's clock."""
        after = (when - self.began).total_seconds()
        return moment_of(self.origin + (after * self.speed if after > 0 else after))

    @property
    def since(self) -> datetime:
        return self.on_clock(min(self.series.times[0], self.origin))

    @property
    def ends(self) -> datetime:
        return self.on_clock(self.series.times[-1])

    def price(self, when: datetime) -> float:
        """In dollars. Before the first price that one holds, after the last that one."""
        after = bisect.bisect_right(self.series.times, when, key=self.on_clock)
        return self.series.prices[max(after - 1, 0)] / UNIT

    def changes(self, until: datetime) -> Iterator[tuple[datetime, float]]:
        """Newest first, not later than ``until``."""
        after = bisect.bisect_right(self.series.times, until, key=self.on_clock)
        for index in range(after - 1, -1, -1):
            yield self.on_clock(self.series.times[index]), self.series.prices[index] / UNIT
        if self.series.times[0] > self.origin and until >= self.since:
            yield self.since, self.series.prices[0] / UNIT
