"""The most that a cloudtop costs a month. Pure sums; the prices have their dates.

Sources: Amazon EBS pricing and Amazon VPC pricing (public IPv4), us-east-1, as
published in 2024 and unchanged since.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from cloudtop import paths

# 365 days of 24 hours over 12 months, the month that AWS's own calculator uses
HOURS_PER_MONTH = 730
GP3_PER_GIB_MONTH = 0.08
GP2_PER_GIB_MONTH = 0.10
PUBLIC_IPV4_PER_HOUR = 0.005
# A GiB that is stored, which is less than the disk it was taken of (EBS Snapshots, standard)
SNAPSHOT_PER_GIB_MONTH = 0.05
SURPLUS_PER_VCPU_HOUR = 0.05
# AWS FIS pricing, per action-minute; the duration is rounded to the nearest minute
FIS_PER_MINUTE, FIS_PER_MINUTE_GOV = 0.10, 0.12
# A bid above this many times the on-demand price is taken for a slip of the finger
BID_CAP_FACTOR = 10
# A bid that is recommended is the price times this: the original recipe bid as much above the
# average price of its type
BID_FACTOR = 1.43

_SIZE_FACTORS = {"medium": 0.25, "large": 0.5, "xlarge": 1.0}


@dataclass(frozen=True)
class WorstMonth:
    """Dollars of one month in which the machine runs every hour at the full bid."""

    machine: float
    volume: float
    root: float
    address: float
    # Those of a schedule, at their full size
    snapshots: float = 0.0

    @property
    def total(self) -> float:
        return self.machine + self.volume + self.root + self.address + self.snapshots

    @property
    def at_rest(self) -> float:
        """Dollars that remain when the machine is gone and the volume is kept."""
        return self.volume


def worst_month(bid: float, volume_gib: int, root_gib: int, kept: int = 0) -> WorstMonth:
    """The worst month of a bid in dollars an hour and gp3 volumes in GiB.

    A schedule keeps ``kept`` snapshots of the volume.
    """
    return WorstMonth(
        machine=bid * HOURS_PER_MONTH,
        volume=volume_gib * GP3_PER_GIB_MONTH,
        root=root_gib * GP3_PER_GIB_MONTH,
        address=PUBLIC_IPV4_PER_HOUR * HOURS_PER_MONTH,
        snapshots=snapshots(kept * volume_gib),
    )


def not_in_it(types: Sequence[str]) -> list[str]:
    """Costs that a month's sum leaves out, for the plan of a machine of one of these types.

    Source: Amazon EC2 on-demand pricing, "CPU credits" (T3, Linux), as published in 2024.
    """
    notes = [
        "Disks and address are at us-east-1's prices of 2024; data transfer and tax are not in it."
    ]
    if bursting := [each for each in types if re.match(r"t\d", each)]:
        notes.append(
            f"{', '.join(bursting)} also costs surplus credits, about ${SURPLUS_PER_VCPU_HOUR:.2f}"
            " a vCPU-hour above its baseline, which are not in it either."
        )
    return notes


def snapshots(gib: int) -> float:
    """Dollars a month, at most, for snapshots of disks of so many GiB."""
    return gib * SNAPSHOT_PER_GIB_MONTH


def experiments(minutes: float, region: str) -> float:
    """Dollars for so many action-minutes of AWS's Fault Injection Service."""
    gov = region.startswith("us-gov-")
    return minutes * (FIS_PER_MINUTE_GOV if gov else FIS_PER_MINUTE)


def disk_month(gib: int) -> float:
    """Dollars a month for a gp3 disk of so many GiB."""
    return gib * GP3_PER_GIB_MONTH


def address_month() -> float:
    """Dollars a month for one public IPv4 address."""
    return PUBLIC_IPV4_PER_HOUR * HOURS_PER_MONTH


def on_demand_price(instance_type: str) -> float | None:
    """Dollars an hour for Linux in us-east-1, or None for a family not in the dated table."""
    family, _, size = instance_type.partition(".")
    per_xlarge = _table()["per_xlarge"].get(family)
    if per_xlarge is None:
        return None
    multiple = re.fullmatch(r"(\d+)xlarge", size)
    factor = float(multiple[1]) if multiple else _SIZE_FACTORS.get(size)
    return None if factor is None else round(per_xlarge * factor, 4)


def on_demand_table() -> str:
    """Region and date of the table behind ``on_demand_price``, for people."""
    return f"a table of us-east-1, as published in {_table()['published']}"


def bid_cap(instance_type: str) -> float | None:
    """The highest bid that is taken without ``cloudtop_force_bid``, in dollars an hour."""
    price = on_demand_price(instance_type)
    return None if price is None else price * BID_CAP_FACTOR


@cache
def _table() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(paths.ON_DEMAND_PRICES.read_text())
    return values
