"""The table of ``prices`` in a terminal: 80 columns suffice, colours tell nothing alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cloudtop.foreign import drawn, plain, wants_plain_lines
from cloudtop.prices.rows import Row
from cloudtop.prices.source import Source
from cloudtop.settings.settings import Settings

# Off a terminal, nothing is cut to fit
WIDE = 160
HEADS = (
    "type", "zone", "taken", "now", "average", "95 %", "max", "on-dem.", "saved", "$/mo.", "at bid",
    "disks",
)  # fmt: skip
# Left out in this order, while the table is too wide; --json has them all
DISPENSABLE = (
    "95 %", "max", "on-dem.", "at bid", "disks", "saved", "average", "$/mo.", "taken",
)  # fmt: skip
# Columns of words: the others are numbers
WORDS = ("type", "zone", "disks")


class PlainConsole(Console):
    """A console that draws nothing but what it is asked to: foreign text has no say in that."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(plain(text, lines=True), style)

    def on_broken_pipe(self) -> None:
        """Leave it to ``runner.main``, as for all other output: rich would end with 1."""
        raise BrokenPipeError


def console() -> Console:
    """A console on stdout; ``NO_COLOR`` and what is no terminal get plain lines."""
    return PlainConsole(
        file=drawn(sys.stdout),
        width=None if sys.stdout.isatty() else WIDE,
        # Else bold and faint would stay
        color_system=None if wants_plain_lines() else "auto",
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
    heads = _fitting(rows, out.width)
    for head in heads:
        table.add_column(head, justify="left" if head in WORDS else "right", no_wrap=True)
    for number, row in enumerate(rows):
        cells = _cells(row, settings.bid)
        table.add_row(*(cells[head] for head in heads), style="green" if number == 0 else None)
    print_whole(out, table)
    out.print()
    taken = source.advisor.source if source.advisor else "not looked up"
    for line in (
        f"taken: how many machines of the type EC2 interrupts a month, {taken}",
        f"{source.place}, {source.span}; dollars an hour, the bid is ${settings.bid:g}.",
        f"$/mo.: 730 hours at the average, {settings.volume_size} GiB of volume,"
        f" {settings.root_size} GiB of root disk and the",
        "public IPv4 address; at bid: the same at the bid, which is the worst month.",
        f"On-demand: {source.on_demand.source}",
    ):
        out.print(Text(line), style="dim")


def print_whole(out: Console, table: Table) -> None:
    """Print a table with nothing in it cut; a terminal that is too narrow breaks its lines."""
    wide = Measurement.get(out, out.options.update(max_width=10_000), table).maximum
    table.width = max(wide, 1)
    out.print(table, crop=False)


def _cells(row: Row, bid: float) -> dict[str, str | Text]:
    above = "red" if row.now > bid else ""
    return {
        "type": row.type,
        "zone": row.zone,
        "taken": row.interruption or "?",
        "now": Text(dollars(row.now), style=above),
        "average": dollars(row.average),
        "95 %": dollars(row.p95),
        "max": dollars(row.maximum),
        "on-dem.": dollars(row.on_demand),
        "saved": "-" if row.saving is None else f"{row.saving:.0f} %",
        "$/mo.": month(row.month_average),
        "at bid": month(row.month_bid),
        "disks": row.disks or "?",
    }


def dollars(price: float | None) -> str:
    """An hour's price in six characters; a dash if there is none."""
    if price is None:
        return "-"
    return f"{price:.4f}" if price < 10 else f"{price:.2f}"


def month(amount: float) -> str:
    return f"{amount:.2f}" if amount < 1000 else f"{amount:.0f}"


def _fitting(rows: Sequence[Row], width: int) -> list[str]:
    """The columns that fit: names are whole, and the dispensable columns go first."""
    every = [_cells(row, 0) for row in rows]
    widths = {head: max(len(head), *(len(str(row[head])) for row in every), 0) for head in HEADS}
    heads = list(HEADS)
    for head in DISPENSABLE:
        if sum(widths[each] + 1 for each in heads) - 1 > width:
            heads.remove(head)
    return heads
