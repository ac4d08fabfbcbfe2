"""Spot prices: a fixed table, and the history that DescribeSpotPriceHistory makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from localcloud.ec2.types import facts, zones_offering

PRODUCTS = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
# How far back the history goes (API reference, DescribeSpotPriceHistory)
HISTORY = timedelta(days=90)
# Dollars an hour: near what Linux spot costs in us-east-1, and the same for all families
PER_VCPU = 0.0095
# Each further zone is this much dearer, so that the choice of a zone matters
ZONE_STEP = 0.02


class Market:
    """What an hour costs. Anything with ``price`` can stand in for it."""

    def price(self, instance_type: str, zone: str) -> float:
        """Dollars an hour, to EC2's four decimals; the zone's letter makes the difference."""
        vcpus: int = facts(instance_type)["VCpuInfo"]["DefaultVCpus"]
        step = ord(zone[-1]) - ord("a")
        return round(vcpus * PER_VCPU * (1 + ZONE_STEP * step), 4)

    def zones_by_price(self, region: str, instance_type: str) -> tuple[str, ...]:
        zones = zones_offering(region).get(instance_type, ())
        return tuple(sorted(zones, key=lambda zone: (self.price(instance_type, zone), zone)))

    def changes(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """When prices were stated, newest first: each midnight, and the one before ``start``."""
        day = end.replace(hour=0, minute=0, second=0, microsecond=0)
        while day > start:
            yield day
            day -= timedelta(days=1)
        yield day

    def history(
        self, region: str, now: datetime, params: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Newest first. Types and zones that do not exist simply have no prices, as on EC2."""
        end = min(params.get("EndTime") or now, now)
        start = max(params.get("StartTime") or now - HISTORY, now - HISTORY)
        products = params.get("ProductDescriptions") or PRODUCTS
        if not set(products) & set(PRODUCTS):
            return []
        wanted = set(params.get("InstanceTypes", []))
        only = params.get("AvailabilityZone")
        offers = [
            (kind, zone)
            for kind, zones in zones_offering(region).items()
            for zone in zones
            if (not wanted or kind in wanted) and (not only or zone == only)
        ]
        return [
            {
                "InstanceType": kind,
                "AvailabilityZone": zone,
                "ProductDescription": PRODUCTS[0],
                "SpotPrice": f"{self.price(kind, zone):.6f}",
                "Timestamp": when,
            }
            for when in self.changes(start, end)
            for kind, zone in offers
        ]
