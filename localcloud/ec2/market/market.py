"""The spot market: the price of an hour of each type in each zone, and the zones with room."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from localcloud.ec2.errors import invalid
from localcloud.ec2.instance_types import facts, region_of, zones_offering
from localcloud.ec2.market.pool import Pool
from localcloud.ec2.market.series import Replay, Series
from localcloud.ec2.records.reap import NOTICE_SECONDS
from spotprices import feed
from spotprices.files import DEAREST

# Dollars an hour of a type that the feed lacks: the median of a vCPU of those that it has
PER_VCPU = 0.023
# Each further zone is this much dearer, so that the choice of a zone matters
ZONE_STEP = 0.02
# Times faster than the replayed series was
SLOWEST, FASTEST = 0.01, 100_000

Place = tuple[str, str]


def standard(instance_type: str, zone: str) -> float:
    """Dollars an hour while nobody moves it, to four decimals; the zone's letter matters.

    It is EC2's own price of the feed's day, which us-east-1 had, in every region. A type that the
    feed lacks costs the same for each vCPU.
    """
    vcpus: int = facts(instance_type)["VCpuInfo"]["DefaultVCpus"]
    price = feed.prices().get(instance_type, vcpus * PER_VCPU)
    step = ord(zone[-1]) - ord("a")
    return round(price * (1 + ZONE_STEP * step), 4)


class Market:
    """One for the whole cloud; a zone's name says its region. Times are naive UTC."""

    def __init__(self) -> None:
        # Only those that somebody moved, by type and zone
        self.pools: dict[Place, Pool] = {}
        # Types and zones that have no room for another machine
        self.full: set[Place] = set()
        # Replays of availability: a price of 0 means no room
        self.rooms: dict[Place, Replay] = {}
        # Seconds of notice before a reap that the market decides
        self.notice = NOTICE_SECONDS

    def pool(self, instance_type: str, zone: str) -> Pool:
        pool = self.pools.get((instance_type, zone))
        return pool or Pool(standard(instance_type, zone))

    def price(self, instance_type: str, zone: str, when: datetime) -> float:
        """Dollars an hour."""
        return self.pool(instance_type, zone).price(when)

    def has_room(self, instance_type: str, zone: str, when: datetime) -> bool:
        place = instance_type, zone
        return place not in self.full and (
            place not in self.rooms or self.rooms[place].price(when) > 0
        )

    def lost_room(self, place: Place, start: datetime, end: datetime) -> bool:
        """Whether a replay of availability took the room away after ``start``, up to ``end``."""
        if place not in self.rooms:
            return False
        for when, room in self.rooms[place].changes(end):
            if when <= start:
                return False
            if not room:
                return True
        return False

    def zones_by_price(self, region: str, kind: str, when: datetime) -> tuple[str, ...]:
        """Cheap ones first; those without room last."""
        zones = zones_offering(region).get(kind, ())

        def rank(zone: str) -> tuple[bool, float, str]:
            return not self.has_room(kind, zone, when), self.price(kind, zone, when), zone

        return tuple(sorted(zones, key=rank))

    # --- the controls' verbs -----------------------------------------------------------

    def stand(self, place: Place, price: float | None, now: datetime) -> None:
        """From now on this price, or the default one again. Raises EC2's error for a bad one."""
        require_place(*place)
        if price is not None and not 1e-6 <= price <= DEAREST:
            raise invalid(
                f"The price is {price:g}; it has to be dollars an hour above 0, at most {DEAREST}."
            )
        if price is None and place not in self.pools:
            return
        self.pools.setdefault(place, Pool(standard(*place))).stand(price, now)

    def play(self, every: Mapping[Place, Series], origin: int, speed: float, now: datetime) -> None:
        """All series at once, each from the same moment of theirs."""
        for place in every:
            require_place(*place)
        if not SLOWEST <= speed <= FASTEST:
            raise invalid(f"speed is {speed:g}; it has to be from {SLOWEST:g} to {FASTEST}.")
        for place, series in every.items():
            pool = self.pools.setdefault(place, Pool(standard(*place)))
            pool.play(Replay(series, origin, now, speed))

    def play_rooms(
        self, every: Mapping[Place, Series], origin: int, speed: float, now: datetime
    ) -> None:
        """All series of availability at once, 1 for room and 0 for none."""
        for place in every:
            require_place(*place)
        if not SLOWEST <= speed <= FASTEST:
            raise invalid(f"speed is {speed:g}; it has to be from {SLOWEST:g} to {FASTEST}.")
        for place, series in every.items():
            self.full.discard(place)
            self.rooms[place] = Replay(series, origin, now, speed)

    def stop(self, instance_type: str, zone: str, now: datetime) -> list[Place]:
        """End the running replays, only those of a type or zone that is not empty. Prices and
        capacity stay as they are."""
        stopped = []
        for place, pool in sorted(self.pools.items()):
            wanted = instance_type in ("", place[0]) and zone in ("", place[1])
            if wanted and pool.replay and pool.replay.ends > now:
                pool.stand(pool.price(now), now)
                stopped.append(place)
        for place, rooms in sorted(self.rooms.items()):
            if instance_type in ("", place[0]) and zone in ("", place[1]) and rooms.ends > now:
                self.set_room(place, room=rooms.price(now) > 0)
                stopped.append(place)
        return list(dict.fromkeys(stopped))

    def set_room(self, place: Place, *, room: bool) -> None:
        require_place(*place)
        self.rooms.pop(place, None)
        (self.full.discard if room else self.full.add)(place)


def is_place(instance_type: str, zone: str) -> bool:
    region = region_of(zone)
    return region is not None and zone in zones_offering(region).get(instance_type, ())


def require_place(instance_type: str, zone: str) -> None:
    """Raises EC2's error for a type or a zone that does not exist, or not together."""
    facts(instance_type)
    region = region_of(zone)
    if region is None:
        raise invalid(f"There is no zone '{zone}'; EC2's names are like us-east-1a.")
    if not is_place(instance_type, zone):
        zones = zones_offering(region).get(instance_type, ())
        offered = f"it is in {', '.join(zones)}" if zones else f"nor anywhere in {region}"
        raise invalid(f"{instance_type} is not offered in {zone}; {offered}.")
