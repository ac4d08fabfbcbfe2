"""DescribeSpotPriceHistory: the market's prices as EC2 shows them, newest first, in pages."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from localcloud.ec2.errors import invalid, refusal
from localcloud.ec2.filters import as_token, bad_token, matcher, of_token, page_size, select
from localcloud.ec2.instance_types import zones_offering
from localcloud.ec2.market.market import Market
from localcloud.ec2.market.pool import HISTORY
from spotprices.files import PRODUCTS

OTHER_PRODUCTS = ("Red Hat Enterprise Linux", "SUSE Linux", "Windows")
KNOWN_PRODUCTS = {*PRODUCTS, *OTHER_PRODUCTS, *(f"{one} (Amazon VPC)" for one in OTHER_PRODUCTS)}

LAST_OF_SECOND = timedelta(seconds=1) - timedelta.resolution


@dataclass(frozen=True)
class Offer:
    kind: str
    zone: str
    zone_id: str


@dataclass(frozen=True, order=True)
class Price:
    """One stated price. They are shown in the reverse of their order, which has no ties."""

    when: datetime
    kind: str
    zone: str
    dollars: float
    zone_id: str

    @property
    def shown(self) -> dict[str, Any]:
        return {
            "AvailabilityZone": self.zone,
            "AvailabilityZoneId": self.zone_id,
            "InstanceType": self.kind,
            "ProductDescription": PRODUCTS[0],
            "SpotPrice": f"{self.dollars:.6f}",
            "Timestamp": self.when,
        }


# Filters that choose series, and filters that choose prices of a series
OFFER_FILTERS = {
    "availability-zone": lambda offer: offer.zone,
    "availability-zone-id": lambda offer: offer.zone_id,
    "instance-type": lambda offer: offer.kind,
    "product-description": lambda offer: PRODUCTS,
}
PRICE_FILTERS = {
    "spot-price": lambda price: price.shown["SpotPrice"],
    # The API reference has the first form, DescribeSpotPriceHistory itself answers the second
    "timestamp": lambda price: [price.when.strftime("%a %b %d %H:%M:%S UTC %Y"), price.when],
}


class History:
    """One call. Raises EC2's error for parameters that do not go together."""

    def __init__(
        self, market: Market, region: str, zone_ids: Mapping[str, str], params: Mapping[str, Any],
        now: datetime,
    ) -> None:  # fmt: skip
        self._market = market
        self._size = page_size(params, low=1, high=1000)
        token = params.get("NextToken")
        # Later pages show what there was at the first one
        self._now = now
        self._last: tuple[datetime, str, str] | None = None
        if token:
            self._now, self._last = _place(token)
        self._end = min(params.get("EndTime") or self._now, self._now)
        self._start = max(params.get("StartTime") or self._now - HISTORY, self._now - HISTORY)
        if params.get("AvailabilityZone") and params.get("AvailabilityZoneId"):
            raise refusal(
                "InvalidParameterCombination",
                "Either AvailabilityZone or AvailabilityZoneId can be specified, but not both",
            )
        require_products(params.get("ProductDescriptions", []))
        of_series, of_prices = _split(params.get("Filters", []))
        self._matches = matcher(of_prices, PRICE_FILTERS)
        offers = [
            Offer(kind, zone, zone_ids.get(zone, ""))
            for kind, zones in zones_offering(region).items()
            for zone in zones
            if _wanted(params, kind, zone, zone_ids.get(zone, ""))
        ]
        self._offers = select(offers, of_series, OFFER_FILTERS)

    def page(self) -> tuple[list[dict[str, Any]], str | None]:
        """The prices of this page, and the token of the next or None."""
        prices = list(islice(self._prices(), self._size + 1))
        token = None
        if len(prices) > self._size:
            last = prices[self._size - 1]
            token = as_token(f"{self._now}/{last.when}/{last.kind}/{last.zone}")
        return [price.shown for price in prices[: self._size]], token

    def _prices(self) -> Iterator[Price]:
        if self._end < self._now - HISTORY:
            return
        every = heapq.merge(*map(self._series, self._offers), reverse=True)
        for price in every:
            later = self._last is None or (price.when, price.kind, price.zone) < self._last
            if later and self._matches(price):
                yield price

    def _series(self, offer: Offer) -> Iterator[Price]:
        """EC2 tells whole seconds, and of one series no two prices in one: here the last."""
        end = self._end
        if self._last:
            # No need to begin anew; but what held at the start is found from there only
            end = min(end, max(self._last[0] + LAST_OF_SECOND, self._start))
        pool = self._market.pool(offer.kind, offer.zone)
        shown: datetime | None = None
        for exact, dollars in pool.changes(self._start, end):
            when = exact.replace(microsecond=0)
            if when != shown:
                yield Price(when, offer.kind, offer.zone, dollars, offer.zone_id)
            shown = when


def require_products(names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in KNOWN_PRODUCTS]:
        raise invalid(f"Invalid product description '{unknown[0]}'. Here: {PRODUCTS[0]}")


def _wanted(params: Mapping[str, Any], kind: str, offer_zone: str, zone_id: str) -> bool:
    """By the parameters that say the same as a filter. Types and zones that do not exist simply
    have no prices, as on EC2."""
    types, products = params.get("InstanceTypes"), params.get("ProductDescriptions")
    return (
        (not types or kind in types)
        and (not products or not set(products).isdisjoint(PRODUCTS))
        and (params.get("AvailabilityZone") or offer_zone) == offer_zone
        and (params.get("AvailabilityZoneId") or zone_id) == zone_id
    )


def _split(filters: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Those of series and those of prices."""
    for given in filters:
        name = given.get("Name", "null")
        if name not in OFFER_FILTERS and name not in PRICE_FILTERS:
            valid = ", ".join(sorted({*OFFER_FILTERS, *PRICE_FILTERS}))
            raise invalid(f"The filter '{name}' is invalid. Valid: {valid}")
        if name == "product-description":
            require_products([one for one in given.get("Values", []) if not set(one) & set("*?")])
    return (
        [given for given in filters if given["Name"] in OFFER_FILTERS],
        [given for given in filters if given["Name"] in PRICE_FILTERS],
    )


def _place(token: str) -> tuple[datetime, tuple[datetime, str, str]]:
    """When the first page was asked for, and the last price that was shown."""
    try:
        now, when, kind, zone = of_token(token).split("/")
        first, last = datetime.fromisoformat(now), datetime.fromisoformat(when)
    except ValueError as error:
        raise bad_token(token) from error
    if first.tzinfo or last.tzinfo:
        raise bad_token(token)
    return first, (last, kind, zone)
