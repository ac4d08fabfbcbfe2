"""Spot prices over time, from EC2 or from a file, and the sums over a stretch of them.

Times are seconds since 1970 (UTC), prices dollars an hour. A price holds until the next one;
before a series' first price that one is taken, after its last that one. No series is empty.
"""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudtop.aws import parallel
from cloudtop.aws.client import Client, plain_errors
from cloudtop.errors import CloudtopError
from spotprices import files
from spotprices.files import PRODUCTS, PriceFileError, Prices, Table

HOUR = 3600


def read(path: Path) -> Table:
    """Every series of a file. Raises CloudtopError saying what is wrong with it, and where."""
    try:
        return files.read(path)
    except PriceFileError as error:
        raise CloudtopError(error.message, error.hint) from error


def fetch(
    client_factory: Callable[[], Any], types: Sequence[str], zones: Sequence[str] | None,
    start: float, end: float, product: str = PRODUCTS[0],
) -> Table:  # fmt: skip
    """The series of each type in each of the zones, or in all of the region's.

    Each begins with the price that held at ``start``, at the time when it was set (which EC2
    gives too). A type that is not sold in a zone has no series. EC2 keeps 90 days. All is
    asked side by side. Raises CloudtopError if EC2 does not answer.
    """
    # Making one takes longer than a call
    client = client_factory()
    asked: dict[str, Any] = {
        "ProductDescriptions": [product],
        "StartTime": datetime.fromtimestamp(start, UTC),
        "EndTime": datetime.fromtimestamp(end, UTC),
    }
    every = [{**asked, **one} for one in _questions(client, types, zones)]
    answers = parallel.ask(lambda one: _answer(client, one), every)
    return _table(entry for entries in answers for entry in entries)


def _questions(
    client: Client, types: Sequence[str], zones: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    """Each type in each zone if those are few, so that no long answer is paged in a row."""
    if len(types) > parallel.AT_A_TIME:
        only = {"Filters": [{"Name": "availability-zone", "Values": list(zones)}]} if zones else {}
        yield from ({"InstanceTypes": [kind], **only} for kind in types)
        return
    if zones is None:
        with plain_errors():
            descriptions = client.describe_availability_zones()["AvailabilityZones"]
        zones = [zone["ZoneName"] for zone in descriptions]
    yield from (
        {"InstanceTypes": [kind], "AvailabilityZone": zone} for kind in types for zone in zones
    )


def _answer(client: Client, question: dict[str, Any]) -> list[dict[str, Any]]:
    with plain_errors():
        pages = client.get_paginator("describe_spot_price_history").paginate(**question)
        return [entry for page in pages for entry in page["SpotPriceHistory"]]


def _table(entries: Iterable[dict[str, Any]]) -> Table:
    """EC2's entries come newest first, and may come twice."""
    by_place: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for entry in entries:
        series = by_place[entry["InstanceType"], entry["AvailabilityZone"]]
        series.setdefault(int(entry["Timestamp"].timestamp()), float(entry["SpotPrice"]))
    return {
        place: Prices(sorted(points), [points[time] for time in sorted(points)])
        for place, points in sorted(by_place.items())
    }


# --- sums over one series -----------------------------------------------------------------


def price_at(series: Prices, when: float) -> float:
    """Dollars an hour at a moment."""
    return series.dollars[max(bisect.bisect_right(series.times, when) - 1, 0)]


def stretches(series: Prices, start: float, end: float) -> Iterator[tuple[float, float, float]]:
    """Begin, end and price of each stretch of one price, from ``start`` to ``end``."""
    index = max(bisect.bisect_right(series.times, start) - 1, 0)
    begin = start
    while begin < end:
        following = series.times[index + 1] if index + 1 < len(series.times) else end
        until = min(following, end)
        if until > begin:
            yield begin, until, series.dollars[index]
            begin = until
        index += 1


def time_weighted_mean(series: Prices, start: float, end: float) -> float:
    """The price of an average second; of a window without length, the price then."""
    if end <= start:
        return price_at(series, start)
    return cost(series, start, end, [(start, end)]) * HOUR / (end - start)


def cost(series: Prices, start: float, end: float, spans: Iterable[tuple[float, float]]) -> float:
    """Dollars for a machine that runs in these spans, as far as they lie in the window.

    Spot is billed by the second at the price of that second. Two spans at one time are two
    machines.
    """
    return math.fsum(
        dollars * (until - begin) / HOUR
        for first, last in spans
        for begin, until, dollars in stretches(series, max(first, start), min(last, end))
    )


def percentile(series: Prices, start: float, end: float, share: float) -> float:
    """The lowest price that is not exceeded in ``share`` per cent of the window's seconds."""
    if end <= start:
        return price_at(series, start)
    held: dict[float, float] = defaultdict(float)
    for begin, until, dollars in stretches(series, start, end):
        held[dollars] += until - begin
    wanted, so_far = (end - start) * share / 100, 0.0
    for dollars in sorted(held):
        so_far += held[dollars]
        if so_far >= wanted - 1e-6:
            return dollars
    return max(held)
