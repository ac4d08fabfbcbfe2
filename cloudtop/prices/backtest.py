"""A history of prices replayed for bids, all of them in one sweep.

The rule: a machine runs while the price is at most the bid. A price above the bid takes it,
a price at or below the bid brings it back. EC2 also takes machines for their capacity (since
the end of 2017 mostly so), which no history of prices shows: what is counted here is a floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloudtop.prices.history import stretches
from cloudtop.rates import HOURS_PER_MONTH, worst_month
from spotprices.files import Prices


@dataclass(frozen=True)
class Outcome:
    """A bid (dollars an hour) over a window. Times are seconds.

    ``mean`` is the price of an average hour that the machine ran, None if it never did. To
    be away when the window begins is no reap.
    """

    bid: float
    window: float
    reaps: int
    longest_away: float
    away: float
    mean: float | None

    @property
    def availability(self) -> float:
        """The share of the window in which the machine ran, in per cent."""
        return 100 * (self.window - self.away) / self.window

    @property
    def machine_month(self) -> float:
        """Dollars for the machine in a month like the window: hours away cost nothing."""
        return (self.mean or 0) * HOURS_PER_MONTH * self.availability / 100

    def month(self, volume_gib: int, root_gib: int) -> float:
        """Dollars of all in such a month: root disk and address come and go with the machine."""
        beside = worst_month(0, volume_gib, root_gib)
        share = self.availability / 100
        return self.machine_month + beside.volume + share * (beside.root + beside.address)


def candidates(series: Prices, start: float, end: float, more: Iterable[float]) -> list[float]:
    """Every price of the window and the bids of ``more``, ascending: between them nothing
    changes."""
    held = {dollars for _, _, dollars in stretches(series, start, end)}
    return sorted(held | set(more))


def replay(series: Prices, start: float, end: float, bids: Iterable[float]) -> list[Outcome]:
    """The outcome of each of the bids, ascending; the window has to have a length.

    Every stretch is looked at once for all bids together, so it takes the time that sorting
    takes.
    """
    parts = list(stretches(series, start, end))
    cheap_first = sorted(range(len(parts)), key=lambda index: parts[index][2])
    wanted = sorted(set(bids))
    running = _sums(parts, cheap_first, wanted)
    reaps = _reaps(parts, wanted)
    longest = _longest(parts, cheap_first, wanted)
    return [
        Outcome(bid, end - start, taken, gap, _away(end - start, ran), paid / ran if ran else None)
        for bid, (ran, paid), taken, gap in zip(wanted, running, reaps, longest, strict=True)
    ]


def reap_times(series: Prices, start: float, end: float, bid: float) -> list[float]:
    """When this bid would have lost the machine."""
    return [
        begin
        for (_, _, before), (begin, _, dollars) in pairwise(stretches(series, start, end))
        if before <= bid < dollars
    ]


def cheapest(outcomes: Sequence[Outcome], availability: float) -> Outcome:
    """The lowest bid with this availability in per cent, or the highest there is.

    A lower bid never costs more: what it runs less were the dearest hours.
    """
    enough = (one for one in outcomes if one.availability >= availability - 1e-9)
    return next(enough, outcomes[-1])


Part = tuple[float, float, float]


def _away(window: float, ran: float) -> float:
    """Never a rounding error above or below what there is."""
    return min(max(window - ran, 0.0), window)


def _sums(
    parts: Sequence[Part], cheap_first: Sequence[int], bids: Sequence[float]
) -> Iterator[tuple[float, float]]:
    """By bid: seconds that the machine runs, and dollars an hour times seconds."""
    ran = paid = 0.0
    position = 0
    for bid in bids:
        while position < len(parts) and parts[cheap_first[position]][2] <= bid:
            begin, until, dollars = parts[cheap_first[position]]
            ran += until - begin
            paid += (until - begin) * dollars
            position += 1
        yield ran, paid


def _reaps(parts: Sequence[Part], bids: Sequence[float]) -> Iterator[int]:
    """By bid: how often the price rises from at most the bid to above it."""
    rises = [(low, high) for (_, _, low), (_, _, high) in pairwise(parts) if low < high]
    # A rise counts for the bids from its foot on, and no more from its top on
    begun, over = sorted(low for low, _ in rises), sorted(high for _, high in rises)
    first = second = 0
    for bid in bids:
        while first < len(begun) and begun[first] <= bid:
            first += 1
        while second < len(over) and over[second] <= bid:
            second += 1
        yield first - second


def _longest(
    parts: Sequence[Part], cheap_first: Sequence[int], bids: Sequence[float]
) -> list[float]:
    """By bid: the longest time above it without a break.

    From the highest bid down, stretches join those beside them: the first of a run knows its
    last one and the other way round, and what lies between is never asked.
    """
    last_of, first_of = list(range(len(parts))), list(range(len(parts)))
    away = [False] * len(parts)
    lengths: list[float] = []
    longest, position = 0.0, len(parts) - 1
    for bid in reversed(bids):
        while position >= 0 and parts[cheap_first[position]][2] > bid:
            index = first = last = cheap_first[position]
            away[index] = True
            if index and away[index - 1]:
                first = first_of[index - 1]
            if index + 1 < len(parts) and away[index + 1]:
                last = last_of[index + 1]
            last_of[first], first_of[last] = last, first
            longest = max(longest, parts[last][1] - parts[first][0])
            position -= 1
        lengths.append(longest)
    return lengths[::-1]
