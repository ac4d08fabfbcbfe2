"""A chart in the terminal: the price over time, the bid as a line, would-be reaps marked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import plotext
from rich.console import Console
from rich.text import Text

from cloudtop.machine import reap_journal
from cloudtop.prices import backtest, history
from spotprices.files import Prices

WIDEST, HEIGHT = 100, 18
# Dots of a braille letter beside each other
DOTS = 2
# Prices that differ more are shown by their logarithm: else a spike hides all the rest
LOGARITHMIC = 5
DAY = 86400


@dataclass(frozen=True)
class Chart:
    """The figures of a drawing; seconds since 1970 and dollars an hour."""

    title: str
    series: Prices
    start: float
    end: float
    bid: float

    def reap_times(self) -> list[float]:
        return backtest.reap_times(self.series, self.start, self.end, self.bid)

    def caption(self) -> str:
        """The outcome of the bid in this window."""
        if self.end <= self.start:
            return f"{self.title}: one price only"
        (outcome,) = backtest.replay(self.series, self.start, self.end, [self.bid])
        taken = "no reap" if not outcome.reaps else f"{outcome.reaps} reaps"
        taken = "1 reap" if outcome.reaps == 1 else taken
        away = f", away {reap_journal.span(int(outcome.away))} in all" if outcome.away else ""
        return f"{self.title}, bid ${self.bid:g}: {taken}{away}"

    def limits(self) -> tuple[float, float]:
        """The lowest and the highest of the prices and the bid."""
        held = [price for _, _, price in history.stretches(self.series, self.start, self.end)]
        every = [*held, self.bid]
        return min(every), max(every)

    @property
    def logarithmic(self) -> bool:
        low, high = self.limits()
        return high / low > LOGARITHMIC


def show(out: Console, chart: Chart) -> None:
    """Print it as wide as the terminal, within reason."""
    out.print()
    out.print(Text(chart.caption(), style="bold"))
    if chart.end > chart.start:
        coloured = out.color_system is not None and not out.no_color
        for line in draw(chart, min(out.width, WIDEST), coloured).splitlines():
            out.print(Text.from_ansi(line))


def draw(chart: Chart, width: int, coloured: bool) -> str:
    """The chart as lines of text."""
    scale = math.log10 if chart.logarithmic else float
    low, high = chart.limits()
    margin = (scale(high) - scale(low)) * 0.05 or scale(high) * 0.1
    plotext.clear_figure()
    # It would ask the terminal again, and there may be none
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plotsize(width, HEIGHT)
    points = list(polyline(chart, (width - 10) * DOTS))
    plotext.plot(
        [when for when, _ in points], [scale(price) for _, price in points],
        # The bright one: the other is dark on black
        marker="braille", color="blue+",
    )  # fmt: skip
    plotext.plot([chart.start, chart.end], [scale(chart.bid)] * 2, marker="-", color="green")
    taken = chart.reap_times()
    if taken:
        plotext.scatter(taken, [scale(chart.bid)] * len(taken), marker="X", color="red")
    plotext.ylim(scale(low) - margin, scale(high) + margin)
    plotext.xlim(chart.start, chart.end)
    prices = price_ticks(low, high, chart.bid)
    plotext.yticks([scale(price) for price in prices], [_label(price, chart) for price in prices])
    times = time_ticks(chart.start, chart.end)
    plotext.xticks([when for when, _ in times], [words for _, words in times])
    text: str = plotext.build()
    key = "  ⠤ price   - bid" + ("   X a reap" if taken else "")
    return (text if coloured else plotext.uncolorize(text)).rstrip() + "\n" + key


def polyline(chart: Chart, columns: int) -> Iterator[tuple[float, float]]:
    """Corners of the price's steps; if several fall on one column, its first, lowest,
    highest and last price, so that no spike is lost."""
    column, held = -1, []  # type: int, list[tuple[float, float]]
    for begin, until, price in history.stretches(chart.series, chart.start, chart.end):
        for when in (begin, until):
            at = int((when - chart.start) / (chart.end - chart.start) * columns)
            if at != column:
                yield from _thinned(held)
                column, held = at, []
            held.append((when, price))
    yield from _thinned(held)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= 4:
        return points
    low = min(range(len(points)), key=lambda index: points[index][1])
    high = max(range(len(points)), key=lambda index: points[index][1])
    return [points[index] for index in sorted({0, low, high, len(points) - 1})]


def price_ticks(low: float, high: float, bid: float) -> list[float]:
    """The bid, and round prices that are no label's height from it and from each other."""
    ratio = high / low
    if ratio > LOGARITHMIC:
        steps = (1, 2, 5) if ratio < 1000 else (1,)
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        every = [step * 10.0**power for power in powers for step in steps]
        apart = 0.08 * math.log10(ratio)
        near = [abs(math.log10(price / bid)) < apart for price in every]
    else:
        rough = (high - low or high) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        every = [step * number for number in range(int(low / step), int(high / step) + 2)]
        near = [abs(price - bid) < 0.08 * (high - low) for price in every]
    shown = zip(every, near, strict=True)
    return sorted({bid, *(price for price, close in shown if not close and low <= price <= high)})


def time_ticks(start: float, end: float) -> list[tuple[float, str]]:
    """Five moments and their names: days, or minutes if the window is short."""
    form = "%b %d" if end - start > 4 * DAY else "%d %H:%M"
    moments = [start + (end - start) * number / 4 for number in range(5)]
    return [(when, datetime.fromtimestamp(when, UTC).strftime(form)) for when in moments]


def _label(price: float, chart: Chart) -> str:
    return f"bid {price:g}" if price == chart.bid else f"{price:g}"
