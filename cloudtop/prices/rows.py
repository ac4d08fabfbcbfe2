"""Rows of prices: one type in one zone, over a window."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from cloudtop import rates
from cloudtop.prices import history
from cloudtop.prices.interruption import LABELS
from cloudtop.prices.source import Source
from cloudtop.settings.settings import Settings


@dataclass(frozen=True)
class Row:
    """One type in one zone. Dollars an hour over the window, but ``month_…`` dollars a month:
    the machine all the time at that price, its disks and its address. ``saving`` is what the
    average saves of the on-demand price, in per cent; ``interruption`` how often EC2 interrupts
    the type, as a band of per cent a month, and ``disks`` its instance store, None for unknown."""

    type: str
    zone: str
    now: float
    average: float
    p95: float
    maximum: float
    on_demand: float | None
    saving: float | None
    month_average: float
    month_bid: float
    interruption: str | None = None
    disks: str | None = None


def gather(source: Source, settings: Settings) -> list[Row]:
    """A row for each series, in no order."""
    volume, root = settings.volume_size, settings.root_size
    rows = []
    for (kind, zone), series in source.table.items():
        start, end = source.window(series)
        average = history.time_weighted_mean(series, start, end)
        on_demand = source.on_demand.prices.get(kind)
        held = [dollars for _, _, dollars in history.stretches(series, start, end)]
        now = history.price_at(series, end)
        band = source.advisor.band(kind, zone) if source.advisor else None
        rows.append(
            Row(
                type=kind,
                zone=zone,
                now=now,
                average=average,
                p95=history.percentile(series, start, end, 95),
                maximum=max([*held, now]),
                on_demand=on_demand,
                saving=100 * (1 - average / on_demand) if on_demand else None,
                month_average=rates.worst_month(average, volume, root).total,
                month_bid=rates.worst_month(settings.bid, volume, root).total,
                interruption=band.label if band else None,
                disks=source.disks.get(kind),
            )
        )
    return rows


ORDERS: dict[str, Callable[[Row], float | str]] = {
    "average": lambda row: row.average,
    "now": lambda row: row.now,
    "price": lambda row: row.now,
    # The rarest come first, unknown ones last
    "interruption": lambda row: (*LABELS, None).index(row.interruption),
    "p95": lambda row: row.p95,
    "max": lambda row: row.maximum,
    # The largest saving comes first, an unknown one last
    "saving": lambda row: math.inf if row.saving is None else -row.saving,
    "type": lambda row: row.type,
    "zone": lambda row: row.zone,
}


def ordered(rows: Sequence[Row], by: str) -> list[Row]:
    """Cheapest first, or as ``--sort`` says; what is equal in that, by average and name."""
    return sorted(rows, key=lambda row: (ORDERS[by](row), row.average, row.type, row.zone))


def rounded(row: Row) -> dict[str, object]:
    """Months to the cent, prices as EC2 has them, savings to a tenth of a per cent."""
    digits = {"saving": 1, "month_average": 2, "month_bid": 2}
    return {
        key: round(value, digits.get(key, 6)) if isinstance(value, float) else value
        for key, value in asdict(row).items()
    }
