"""The table of ``prices`` in a terminal: 80 columns suffice, colours tell nothing alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cloudtop.foreign import drawn, plain
from cloudtop.prices.rows import Row
from cloudtop.prices.source import Source
from cloudtop.settings.settings import Settings

# Off a terminal, nothing is cut to fit
WIDE = 160
HEADS = ("type", "zone", "now", "average", "95 %", "max", "on-dem.", "saved", "$/mo.", "at bid")


class PlainConsole(Console):
    """A console that draws nothing but what it is asked to: foreign text has no say in that."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(plain(text, lines=True), style)


def console() -> Console:
    """A console on stdout; ``NO_COLOR`` and what is no terminal get no colours."""
    return PlainConsole(
        file=drawn(sys.stdout),
        width=None if sys.stdout.isatty() else WIDE,
        highlight=False,
        soft_wrap=False,
        # [red] in a name is a name
        markup=False,
        emoji=False,
    )


def show(out: Console, rows: Sequence[Row], source: Source, settings: Settings, note: str) -> None:
    """The rows and how to read them."""
    if note:
        out.print(note)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    short = _width(rows) > out.width
    for number, head in enumerate(HEADS):
        table.add_column(head, justify="left" if number < 2 else "right", no_wrap=True)
    for number, row in enumerate(rows):
        zone = row.zone[-1] if short else row.zone
        table.add_row(*_cells(row, zone, settings.bid), style="green" if number == 0 else None)
    out.print(table)
    out.print()
    for line in (
        f"{source.place}, {source.span}; dollars an hour, the bid is ${settings.bid:g}.",
        f"$/mo.: 730 hours at the average, {settings.volume_size} GiB of volume,"
        f" {settings.root_size} GiB of root disk and the",
        "public IPv4 address; at bid: the same at the bid, which is the worst month.",
        f"On-demand: {source.on_demand.source}",
    ):
        out.print(Text(line), style="dim")


def _cells(row: Row, zone: str, bid: float) -> list[str | Text]:
    above = "red" if row.now > bid else ""
    return [
        row.type,
        zone,
        Text(dollars(row.now), style=above),
        dollars(row.average),
        dollars(row.p95),
        dollars(row.maximum),
        dollars(row.on_demand),
        "-" if row.saving is None else f"{row.saving:.0f} %",
        month(row.month_average),
        month(row.month_bid),
    ]


def dollars(price: float | None) -> str:
    """An hour's price in six characters; a dash if there is none."""
    if price is None:
        return "-"
    return f"{price:.4f}" if price < 10 else f"{price:.2f}"


def month(amount: float) -> str:
    return f"{amount:.2f}" if amount < 1000 else f"{amount:.0f}"


def _width(rows: Sequence[Row]) -> int:
    """The width of the widest row, with whole names of zones."""
    lines = [HEADS, *(tuple(map(str, _cells(row, row.zone, 0))) for row in rows)]
    return sum(max(map(len, column)) + 1 for column in zip(*lines, strict=True)) - 1
