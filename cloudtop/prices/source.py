"""Which prices ``prices`` and ``bid`` look at: EC2's, or a file's with no account at all."""

from __future__ import annotations

import math
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cloudtop.aws import client as aws
from cloudtop.aws import instance_types
from cloudtop.aws.client import Client, plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.prices import history, interruption
from cloudtop.prices import on_demand as price_list
from cloudtop.prices.interruption import Advisor
from cloudtop.prices.on_demand import OnDemand
from cloudtop.settings.rules import ZONE
from cloudtop.settings.settings import Settings
from spotprices.files import Prices, Table

DAY = 86400
# EC2's history goes back so far (API reference, DescribeSpotPriceHistory)
MOST_DAYS = 90
DAYS = 30
# Seconds that two clocks may differ by; EC2 itself refuses calls that differ by more
CLOCKS_DIFFER = 300


@dataclass(frozen=True)
class Source:
    """Series that all have prices, and the window in seconds since 1970."""

    table: Table
    start: float
    end: float
    # In words
    place: str
    on_demand: OnDemand
    # How often EC2 interrupts each type, if that was looked up
    advisor: Advisor | None = None
    # The instance store by type, in words, of the types that EC2 was asked about
    disks: Mapping[str, str] = field(default_factory=dict)

    def window(self, series: Prices) -> tuple[float, float]:
        """The part of the window that has prices of the series."""
        return min(max(self.start, series.times[0]), self.end), self.end

    @property
    def span(self) -> str:
        """The window in words."""
        days = (self.end - self.start) / DAY
        return f"{days:.1f}".removesuffix(".0") + f" days to {moment(self.end)}"


def moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def number(name: str, text: str, low: float, high: float, unit: str, example: str) -> float:
    """An option's value. Raises CloudtopError if it is no number from low to high."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        limits = f"{low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise CloudtopError(
            f"{name} is {text!r}; it has to be a number of {unit}, {limits}.",
            f"For example: {name} {example}",
        )
    return value


def of_file(options: Namespace, types: Sequence[str]) -> Source:
    """The file's prices of these types, or of all; the window is its own span, or the last
    ``--days`` of it. Raises CloudtopError if it has none of a type or zone."""
    path = Path(options.history)
    table = history.read(path)
    for what, wanted, index in (("type", types, 0), ("zone", [options.zone], 1)):
        known = sorted({place[index] for place in table})
        for name in filter(None, wanted):
            if name not in known:
                raise CloudtopError(
                    f"{path} has no prices of the {what} {name}.",
                    f"It has those of: {', '.join(known)}",
                )
        if any(wanted):
            table = {place: one for place, one in table.items() if place[index] in wanted}
    if not table:
        raise CloudtopError(f"{path} has no prices of {', '.join(types)} in {options.zone}.")
    end = max(one.times[-1] for one in table.values())
    refuse_future(path.name, end, time.time())
    start: float = min(one.times[0] for one in table.values())
    if options.days is not None:
        start = max(
            start, end - DAY * number("--days", options.days, 1, math.inf, "days", str(DAYS))
        )
    kinds = sorted({kind for kind, _ in table})
    return Source(table, start, end, path.name, price_list.of_table(kinds))


def of_ec2(
    options: Namespace, settings: Settings, types: Sequence[str], known: bool = False
) -> Source:
    """EC2's prices of these types, which may be ``known`` to exist.

    Raises CloudtopError if it has none of any.
    """
    days = number("--days", options.days or str(DAYS), 1, MOST_DAYS, "days", str(DAYS))
    region, zone = settings.region, options.zone
    if zone and not (ZONE.fullmatch(zone) and zone.startswith(region)):
        raise CloudtopError(
            f"--zone is {zone!r}, which is no zone of the region {region}.",
            f"Try: --zone {region}a, or --region for another region",
        )
    end = time.time()
    client = aws.client()
    if not known:
        instance_types.check(client, types)
    start = end - days * DAY
    table = history.fetch(aws.client, types, [zone] if zone else None, start, end)
    if not table:
        raise _not_offered(client, types, zone or region)
    refuse_future("EC2's history", max(one.times[-1] for one in table.values()), end)
    kinds = [kind for kind in types if any(place[0] == kind for place in table)]
    return Source(table, start, end, zone or region, price_list.ask(kinds, region))


def described(source: Source, advisor: str | None) -> Source:
    """The source with how often EC2 interrupts each type, and with the types' disks.

    ``advisor`` is the address of the Spot Instance Advisor's file. Without one nobody is asked:
    the bands are those of the copy, and disks are unknown.
    """
    if advisor is None:
        return replace(source, advisor=interruption.copy())
    known = instance_types.describe_all(aws.client(), sorted({kind for kind, _ in source.table}))
    disks = {name: instance_types.disks_of(kind) for name, kind in known.items()}
    return replace(source, advisor=interruption.look_up(advisor), disks=disks)


def _not_offered(client: Client, types: Sequence[str], where: str) -> CloudtopError:
    with plain_errors():
        offerings = client.describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": list(types)}],
        )["InstanceTypeOfferings"]
    zones = sorted({each["Location"] for each in offerings})
    return CloudtopError(
        f"EC2 has no spot price of {', '.join(types)} in {where}.",
        f"It is offered in: {', '.join(zones)}" if zones else "Try another type, or --region",
    )


def refuse_future(what: str, newest: float, now: float) -> None:
    """Raises CloudtopError if a price is newer than this computer's clock can be off."""
    if newest > now + CLOCKS_DIFFER:
        raise CloudtopError(
            f"The newest price of {what} is of {moment(newest)}, and this computer's clock says"
            f" {moment(now)}: a price of the future.",
            "Set the clock right, or look at that price's time",
        )
