"""The pools that a fleet may launch from, and in which order it tries them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

Given = Mapping[str, Any]
# EC2 User Guide, "Allocation strategies for Spot Instances", and for On-Demand Instances
SPOT_STRATEGIES = (
    "lowest-price", "diversified", "capacity-optimized", "capacity-optimized-prioritized",
    "price-capacity-optimized",
)  # fmt: skip
ON_DEMAND_STRATEGIES = ("lowest-price", "prioritized")


@dataclass(frozen=True)
class Pool:
    """One type in one zone, or in any if ``zone`` is empty.

    ``params`` are those of its launch, ``shown`` its template and override as EC2 shows them;
    ``price`` is dollars an hour of one unit of the target, ``weight`` the units of a machine.
    ``priority`` is highest where it is least.
    """

    params: Given
    shown: Given
    kind: str
    zone: str
    price: float
    room: bool
    weight: float
    priority: float

    def machines(self, units: float) -> int:
        """How many fill so many units."""
        return math.ceil(round(units / self.weight, 6))


# The market knows whether a pool has room, not how much: by capacity those with room go first.
# For equal ones the order is that of the call.
ORDERS: Mapping[str, Callable[[Pool], tuple[Any, ...]]] = {
    "lowest-price": lambda pool: (pool.price,),
    "diversified": lambda pool: (not pool.room, pool.price),
    "capacity-optimized": lambda pool: (not pool.room,),
    "capacity-optimized-prioritized": lambda pool: (not pool.room, pool.priority),
    "price-capacity-optimized": lambda pool: (not pool.room, pool.price),
    "prioritized": lambda pool: (pool.priority,),
}


def shares(strategy: str, pools: Sequence[Pool], units: float, several: int) -> list[Share]:
    """The pools in the order of the strategy, each with the units that it shall have at first.

    ``several`` is InstancePoolsToUseCount. A pool of 0 units is tried if others lack room.
    """
    ordered = sorted(pools, key=ORDERS[strategy])
    spread = {"diversified": len(ordered), "lowest-price": several}.get(strategy, 1)
    first = ordered[: max(spread, 1)]
    wanted = _split(units, len(first))
    return [Share(pool, wanted[n] if n < len(first) else 0.0) for n, pool in enumerate(ordered)]


@dataclass(frozen=True)
class Share:
    pool: Pool
    units: float


def _split(units: float, parts: int) -> list[float]:
    """Whole units, as evenly as they go, the larger parts first."""
    if parts < 1:
        return []
    each, rest = divmod(int(units), parts)
    return [float(each + (number < rest)) for number in range(parts)]


def alike(pools: Sequence[Pool], strategy: str, by: Callable[[Pool], str]) -> list[list[Pool]]:
    """The pools in groups of one type or one zone, the best group first."""
    ordered = sorted(pools, key=ORDERS[strategy])
    names = list(dict.fromkeys(by(pool) for pool in ordered))
    grouped = groupby(sorted(ordered, key=lambda pool: names.index(by(pool))), key=by)
    return [list(group) for _, group in grouped]
