"""Whether a bid reaches EC2's price of now: looked up before anything is made or ended."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from cloudtop.aws.client import Client
from cloudtop.errors import CloudtopError
from cloudtop.prices import history, offers
from cloudtop.prices.offers import Offer
from cloudtop.rates import BID_FACTOR
from cloudtop.settings.settings import Settings

# By type, the zones that the machine could be in
Places = Mapping[str, Sequence[str]]


def notes(client: Client, settings: Settings, places: Places, *, wait: bool = False) -> list[str]:
    """Refuse a bid that is below the price of now of every type in every zone of ``places``.

    Returns notes for the plan: types above the bid, or with ``wait`` that the bid is below all
    prices. Raises CloudtopError with the lowest price, the bid that reaches it and the type that
    fits the bid. A price that EC2 does not give is no reason to refuse.
    """
    prices = _prices(client, places)
    every = [(price, kind, zone) for kind, at in prices.items() for zone, price in at.items()]
    if not every:
        return ["EC2 gives no spot price of now: the bid was not compared with one."]
    dollars, kind, zone = min(every)
    if dollars <= settings.bid:
        return list(_above(settings, prices))
    lowest = f"{kind} costs ${dollars:.4f} in {zone}, the cheapest zone that it can be in"
    if wait:
        return [
            f"The bid of ${settings.bid:g} is below EC2's price of now ({lowest}): EC2 launches"
            " nothing until that falls, and the request stays open until: python runner.py destroy"
        ]
    raise CloudtopError(
        f"The bid of ${settings.bid:g} an hour is below EC2's price of now: {lowest}. With this"
        " bid EC2 would launch no machine, so nothing was made or changed.",
        "\n".join(_ways(client, settings, places, dollars)),
    )


def _prices(client: Client, places: Places) -> dict[str, dict[str, float]]:
    """Dollars an hour of now by type and zone."""
    zones = sorted({zone for zones in places.values() for zone in zones})
    if not zones:
        return {}
    now = time.time()
    table = history.fetch(lambda: client, sorted(places), zones, now, now)
    prices: dict[str, dict[str, float]] = {kind: {} for kind in places}
    for (kind, zone), series in table.items():
        if zone in places[kind]:
            prices[kind][zone] = series.dollars[-1]
    return prices


def _above(settings: Settings, prices: Mapping[str, Mapping[str, float]]) -> Iterable[str]:
    for kind, by_zone in prices.items():
        if by_zone and min(by_zone.values()) > settings.bid:
            yield (
                f"{kind} costs ${min(by_zone.values()):.4f} now, above the bid: EC2 has none until"
                " that falls."
            )


def _ways(client: Client, settings: Settings, places: Places, dollars: float) -> Iterable[str]:
    """The ways out, a line each."""
    enough = max(dollars, round(dollars * BID_FACTOR, 2))
    worst = round(replace(settings, bid=enough).worst_month().total, 2)
    # A bid that the budget refuses is no way out
    budget = (
        f" -e cloudtop_monthly_budget={math.ceil(worst)}"
        if 0 < settings.monthly_budget < worst
        else ""
    )
    yield f"Bid more: -e cloudtop_bid={enough:g}{budget}"
    if best := better_type(client, settings, places):
        yield f"Or take what fits the bid: -e cloudtop_instance_type={best.type} ({best})"
    yield "Or request it all the same, and wait for the price to fall: --wait"


def better_type(client: Client, settings: Settings, places: Places) -> Offer | None:
    """The type at or below the bid that has most of what the wanted one has; of equal ones the
    cheapest. It has from an eighth to all of the vCPUs. None if there is none."""
    zones = sorted({zone for zones in places.values() for zone in zones})
    wanted, every = offers.like(client, settings.instance_type, zones, (1, 2, 3, 4, 6, 8))
    return max(
        (offer for offer in every if offer.dollars <= settings.bid),
        key=lambda offer: (offer.likeness(wanted), -offer.dollars, offer.type, offer.zone),
        default=None,
    )
