"""Charts as a picture, SVG or PNG, on a ground of their own: any page may be dark or light."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cloudtop.errors import CloudtopError
from cloudtop.prices import history
from cloudtop.prices.chart import Chart, price_ticks

FORMS = (".svg", ".png")
GROUND, INK, FAINT = "#ffffff", "#222222", "#d8d8d8"
# Told apart by the colour-blind too (the palette of Okabe and Ito)
PRICE, BID, REAP = "#0072b2", "#009e73", "#d55e00"


def check(name: str) -> None:
    """Raises CloudtopError for a name that no picture can be saved under."""
    if Path(name).suffix.lower() not in FORMS:
        raise CloudtopError(
            f"--save is {name!r}; it has to end in .svg or .png.", "For example: --save prices.svg"
        )
    if not Path(name).absolute().parent.is_dir():
        raise CloudtopError(
            f"There is no directory {Path(name).parent} to save {Path(name).name} in.",
            f"Try: mkdir -p {Path(name).parent}",
        )


def save(name: str, charts: Sequence[Chart]) -> None:
    """One below the other. Raises CloudtopError if the file can't be written."""
    # Not needed for anything else, and slow to load
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    figure = Figure(figsize=(9, 0.4 + 3.1 * len(charts)), layout="constrained", facecolor=GROUND)
    FigureCanvasAgg(figure)
    places = figure.subplots(len(charts), 1, squeeze=False)[:, 0]
    for axes, chart in zip(places, charts, strict=True):
        every = list(zip(chart.series.times, chart.series.dollars, strict=True))
        held = [(when, price) for when, price in every if chart.start < when < chart.end]
        first, last = _price(chart, chart.start), _price(chart, chart.end)
        steps = [(chart.start, first), *held, (chart.end, last)]
        axes.step(
            [_date(when) for when, _ in steps], [price for _, price in steps],
            where="post", color=PRICE, linewidth=0.9, label="price",
        )  # fmt: skip
        axes.axhline(chart.bid, color=BID, linestyle="--", linewidth=1.3, label="bid")
        taken = chart.reap_times()
        if taken:
            axes.plot(
                [_date(when) for when in taken], [chart.bid] * len(taken),
                "x", color=REAP, markersize=6, markeredgewidth=1.6, label="a reap",
            )  # fmt: skip
        if chart.logarithmic:
            axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(price_ticks(*chart.limits(), chart.bid)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda price, _: f"${price:g}"))
        dates = AutoDateLocator()
        axes.xaxis.set_major_locator(dates)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(dates))
        axes.set_xlim(_date(chart.start), _date(chart.end))
        axes.set_title(chart.caption(), loc="left", fontsize=10, color=INK)
        axes.set_ylabel("an hour", color=INK)
        axes.grid(color=FAINT, linewidth=0.6)
        axes.set_facecolor(GROUND)
        # Beside the title, where it hides no price
        axes.legend(
            loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8, frameon=False,
            labelcolor=INK,
        )  # fmt: skip
    try:
        figure.savefig(name, dpi=120)
    except OSError as error:
        raise CloudtopError(f"{name} cannot be written: {error.strerror}.") from error


def _price(chart: Chart, when: float) -> float:
    return history.price_at(chart.series, when)


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
