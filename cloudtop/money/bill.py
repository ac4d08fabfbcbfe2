"""The cost of a cloudtop in the present calendar month: so far, by its end, and at worst.

Pure sums. Times are whole seconds since 1970 (UTC), money is dollars. EC2 bills by the second:
a machine and its address while it runs, an Elastic IP and disks as long as they exist, a
GiB-month being one of the month's own length. (``rates.worst_month`` is of an average month, of
730 hours.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Self

from cloudtop import rates
from cloudtop.machine.status import BudgetStatus, Money, Sums
from cloudtop.money.earlier_machines import Run
from cloudtop.money.uptime import Month, Span, Uptime, clipped
from cloudtop.prices import history
from spotprices.files import Prices


@dataclass(frozen=True)
class Disk:
    """A disk or a snapshot: GiB, dollars a GiB-month, and when it was made."""

    gib: int
    rate: float
    since: int = 0

    def dollars(self, month: Month, begin: int, end: int) -> float:
        """Its cost between two moments of the month, as far as it existed."""
        seconds = max(0, min(end, month.end) - max(begin, month.start, self.since))
        return self.gib * self.rate * seconds / (month.end - month.start)


@dataclass(frozen=True)
class Facts:
    """The facts of a month's bill.

    ``runs`` says whether the machine runs now and ``stopped`` whether it is there but does not.
    ``earlier`` is what ran before the present request, at ``earlier_prices``.
    ``bid`` is None if there is no request; ``prices`` is None if EC2 has none.
    ``replaced`` are volumes that a restore or a switch has put aside.
    ``elastic`` is since when at the earliest there is an Elastic IP, None if there is none.
    """

    month: Month
    now: int
    uptime: Uptime
    runs: bool = False
    stopped: bool = False
    bid: float | None = None
    prices: Prices | None = None
    root: Disk | None = None
    volume: Disk | None = None
    snapshots: Sequence[Disk] = ()
    replaced: Sequence[Disk] = ()
    elastic: int | None = None
    earlier: Sequence[Run] = ()
    earlier_prices: Mapping[tuple[str, str], Prices] = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        """How long its machines ran this month."""
        return self.uptime.seconds + sum(run.seconds for run in self.earlier)

    @property
    def price(self) -> float | None:
        """Dollars an hour now."""
        return history.price_at(self.prices, self.now) if self.prices else None


@dataclass(frozen=True)
class Lines:
    """Dollars, an item a line."""

    machine: float = 0.0
    address: float = 0.0
    root: float = 0.0
    volume: float = 0.0
    snapshots: float = 0.0
    replaced: float = 0.0

    @property
    def total(self) -> float:
        return math.fsum(getattr(self, each.name) for each in fields(self))

    def __add__(self, other: Self) -> Lines:
        names = [each.name for each in fields(self)]
        return Lines(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def cents(self) -> Sums:
        """In whole cents; the total is rounded once, so the lines may miss it by a cent."""
        cents = {each.name: round(getattr(self, each.name), 2) for each in fields(self)}
        return Sums(**cents, total=round(self.total, 2))


@dataclass(frozen=True)
class Bill:
    """The month: what it has cost, what it will if all stays as it is, and the most it can.

    ``at_most`` are sentences that say why the true sum may be lower.
    """

    so_far: Lines
    projection: Lines
    worst: Lines
    at_most: tuple[str, ...]


def bill(facts: Facts) -> Bill:
    """The month's bill.

    At worst, a request's machine runs every hour that is left at the bid. The projection keeps
    a running machine at the present price (at the bid, if EC2 has no price), a stopped one
    with its root disk, and none without; the volume and the snapshots stay in any case.
    """
    left = (min(max(facts.now, facts.month.start), facts.month.end), facts.month.end)
    so_far = _so_far(facts)
    price = facts.bid if facts.price is None else facts.price
    kept = _storage(facts, left, rooted=facts.stopped)
    projected = _running(facts, left, price or 0.0) if facts.runs else kept
    worst = kept if facts.bid is None else _running(facts, left, facts.bid)
    return Bill(so_far, so_far + projected, so_far + worst, tuple(_doubts(facts)))


def _so_far(facts: Facts) -> Lines:
    month, now = facts.month, facts.now
    up = clipped(facts.uptime.running, month.start, month.end)
    hours = sum(end - begin for begin, end in up) / 3600
    if facts.prices:
        machine = history.cost(facts.prices, month.start, month.end, up)
    else:
        machine = hours * (facts.bid or 0.0)
    machine += math.fsum(_earlier(facts, run) for run in facts.earlier)
    hours += sum(run.seconds for run in facts.earlier) / 3600
    rooted = [*facts.uptime.rooted, *(run.rooted for run in facts.earlier)]
    root = facts.root
    return Lines(
        machine=machine,
        address=_kept_hours(facts, hours) * rates.PUBLIC_IPV4_PER_HOUR,
        # Each machine had a disk of its own, so it is not asked when the present one was made
        root=sum(Disk(root.gib, root.rate).dollars(month, begin, end) for begin, end in rooted)
        if root
        else 0.0,
        volume=facts.volume.dollars(month, month.start, now) if facts.volume else 0.0,
        snapshots=math.fsum(each.dollars(month, month.start, now) for each in facts.snapshots),
        replaced=math.fsum(each.dollars(month, month.start, now) for each in facts.replaced),
    )


def _earlier(facts: Facts, run: Run) -> float:
    """Dollars for the machine of an earlier run, at its own type's and zone's prices."""
    prices = facts.earlier_prices.get(run.place)
    if prices is None:
        return run.seconds / 3600 * (facts.bid or 0.0)
    return history.cost(prices, facts.month.start, facts.month.end, [run.running])


def _kept_hours(facts: Facts, ran: float) -> float:
    """Hours that an address was had: an Elastic IP is the machine's own, and is kept without it."""
    if facts.elastic is None:
        return ran
    return max(ran, (facts.now - max(facts.elastic, facts.month.start)) / 3600)


def _storage(facts: Facts, left: Span, rooted: bool) -> Lines:
    """The cost of all that is kept, whether or not the machine runs."""
    root, volume = facts.root if rooted else None, facts.volume
    hours = 0.0 if facts.elastic is None else (left[1] - left[0]) / 3600
    return Lines(
        address=hours * rates.PUBLIC_IPV4_PER_HOUR,
        root=root.dollars(facts.month, *left) if root else 0.0,
        volume=volume.dollars(facts.month, *left) if volume else 0.0,
        snapshots=math.fsum(each.dollars(facts.month, *left) for each in facts.snapshots),
        replaced=math.fsum(each.dollars(facts.month, *left) for each in facts.replaced),
    )


def _running(facts: Facts, left: Span, dollars_an_hour: float) -> Lines:
    hours = (left[1] - left[0]) / 3600
    own = hours * rates.PUBLIC_IPV4_PER_HOUR if facts.elastic is None else 0.0
    return Lines(machine=hours * dollars_an_hour, address=own) + _storage(facts, left, rooted=True)


def _doubts(facts: Facts) -> Sequence[str]:
    doubts = list(facts.uptime.doubts)
    if facts.uptime.running and not facts.prices:
        doubts.append("EC2 has no price history, so machine hours are counted at the bid")
    for kind, zone in dict.fromkeys(run.place for run in facts.earlier):
        if (kind, zone) not in facts.earlier_prices:
            doubts.append(
                f"EC2 has no price history of {kind} in {zone}, so machine hours there are counted"
                " at the present bid"
            )
    if facts.elastic is not None:
        doubts.append("the Elastic IP is counted since the volume was made: EC2 has no date for it")
    if facts.snapshots:
        doubts.append("snapshots are counted at the full size of their disks")
    return doubts


def shown(
    facts: Facts, sums: Bill, notes: Sequence[str], budget: BudgetStatus | None = None
) -> Money:
    """The bill as status shows it; ``notes`` say which facts are missing."""
    price, bid = facts.price, facts.bid
    return Money(
        month=facts.month.name,
        month_hours=facts.month.hours,
        hours_run=round(facts.seconds / 3600, 2),
        hours_at_most=bool(facts.uptime.doubts),
        price=price,
        bid=bid,
        below_bid=None if price is None or bid is None else round(bid - price, 6),
        so_far=sums.so_far.cents(),
        projection=sums.projection.cents(),
        worst=sums.worst.cents(),
        at_most=sums.at_most,
        notes=tuple(notes),
        budget=budget,
    )
