"""The market by hand: prices, replays and capacity, as HTTP paths below /localcloud/."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

from localcloud.api.control_arguments import Arguments, number, seconds, text
from localcloud.ec2.backend.base import Base
from localcloud.ec2.backend.whole import backends
from localcloud.ec2.errors import invalid, missing
from localcloud.ec2.instance_types import facts, zones_offering
from localcloud.ec2.market.market import Market, Place, is_place, require_place, standard
from localcloud.ec2.market.series import UNIT, Replay, Series, moment_of
from localcloud.ec2.records.reap import Terms, moment
from spotprices.files import DEAREST

# Shown before any call was made; the one that `python -m localcloud env` names
FIRST_REGION = "us-east-1"
# Seconds since 1970: more is no date
LATEST = 2**32


def prices(arguments: Arguments) -> object:
    """GET: the prices that somebody set or that machines pay, or all of a ``type``."""
    market, now = _market()
    regions = sorted({FIRST_REGION, *(backend.region_name for backend in backends())})
    if kind := arguments.get("type"):
        facts(kind)
        every = {(kind, zone) for one in regions for zone in zones_offering(one).get(kind, ())}
        if not every:
            raise invalid(f"{kind} is not offered in {', '.join(regions)}.")
    else:
        paying = {
            (i.instance_type, i.availability_zone or "")
            for backend in backends()
            for i in backend.every_instance()
            if i.live and i.spot_instance_request_id
        }
        moved = {place for place, pool in market.pools.items() if pool.source != "default"}
        every = paying | moved | market.full | set(market.rooms)
    return _shown(market, sorted(every), now)


def price(arguments: Arguments) -> object:
    """POST: type, zone, price (dollars, or null for the default one); notice (seconds) of all
    reaps that the market makes, alone or with it."""
    market, now = _market()
    notice = Terms(notice=seconds("notice", arguments.get("notice", market.notice)))
    places: list[Place] = []
    if "type" in arguments or "notice" not in arguments:
        place = text(arguments, "type"), text(arguments, "zone")
        if "price" not in arguments:
            raise missing("price")
        dollars = arguments["price"]
        dollars = dollars if dollars is None else number("price", dollars, "dollars")
        market.stand(place, dollars, now)
        places = [place]
    market.notice = notice.notice or 0.0
    Base.cloud.touch()
    return _shown(market, places, now)


def replay(arguments: Arguments) -> object:
    """POST: series, each with type, zone, times (whole seconds since 1970) and prices
    (dollars); from (seconds since 1970, or null for their beginning); speed. With ``lenient``,
    series of types and zones that the cloud does not have are left out."""
    return _play(arguments, _series, Market.play)


def replay_availability(arguments: Arguments) -> object:
    """POST: as for prices, but each of the series has available (true or false) for its times."""
    return _play(arguments, _rooms, Market.play_rooms)


def _play(
    arguments: Arguments, series_of: Callable[[Arguments], Series], play: Callable[..., None]
) -> object:
    market, now = _market()
    every: dict[Place, Series] = {}
    left_out = []
    for one in arguments.get("series") or []:
        if not isinstance(one, dict):
            raise missing("type")
        place = text(one, "type"), text(one, "zone")
        if arguments.get("lenient") is True and not is_place(*place):
            left_out.append(" ".join(place))
            continue
        require_place(*place)
        if place in every:
            raise invalid(f"There are two series for {place[0]} in {place[1]}.")
        every[place] = series_of(one)
    if not every:
        others = f"; it has {', '.join(left_out)}" if left_out else ""
        raise invalid(f"There is no series for a type and zone of this cloud{others}.")
    first = min(one.times[0] for one in every.values())
    last = max(one.times[-1] for one in every.values())
    origin = arguments.get("from")
    origin = first if origin is None else seconds("from", origin)
    if not first <= origin <= last:
        known = abs(origin) < LATEST
        raise invalid(
            f"from is {moment(moment_of(origin)) if known else origin}; the series are from"
            f" {moment(moment_of(first))} to {moment(moment_of(last))}."
        )
    play(market, every, int(origin), number("speed", arguments.get("speed", 1)), now)
    Base.cloud.touch()
    return {**_shown(market, sorted(every), now), "left_out": left_out}


def stop(arguments: Arguments) -> object:
    """POST: type, zone, or neither for all running replays. The current prices stay."""
    market, now = _market()
    stopped = market.stop(arguments.get("type") or "", arguments.get("zone") or "", now)
    Base.cloud.touch()
    return _shown(market, stopped, now)


def capacity(arguments: Arguments) -> object:
    """POST: type, zone, capacity (none or some); with ``reap`` the running ones are taken."""
    market, now = _market()
    place = text(arguments, "type"), text(arguments, "zone")
    wanted, reap = text(arguments, "capacity"), arguments.get("reap", False) is True
    if wanted not in ("none", "some"):
        raise invalid(f"capacity is {wanted!r}; valid: none, some.")
    if reap and wanted == "some":
        raise invalid("EC2 takes machines if there is no capacity; reap goes with none.")
    market.set_room(place, room=wanted == "some")
    Base.cloud.touch()
    reaps = [one for backend in backends() if reap for one in backend.reap_all(place)]
    return {**_shown(market, [place], now), "reaps": [one.timeline() for one in reaps]}


def _market() -> tuple[Market, datetime]:
    return Base.cloud.market, Base.cloud.clock()


def _series(arguments: Arguments) -> Series:
    times, dollars = _times(arguments, "prices")
    units = [round(number("price", one, "dollars") * UNIT) for one in dollars]
    if not all(0 < one <= DEAREST * UNIT for one in units):
        raise invalid(f"A price has to be above 0 and at most {DEAREST} dollars an hour.")
    return Series(times, units)


def _rooms(arguments: Arguments) -> Series:
    times, available = _times(arguments, "available")
    if not all(isinstance(one, bool) for one in available):
        raise invalid("A value of available has to be true or false.")
    return Series(times, [UNIT if one else 0 for one in available])


def _times(arguments: Arguments, name: str) -> tuple[list[int], list[Any]]:
    times, values = arguments.get("times"), arguments.get(name)
    if not isinstance(times, list) or not isinstance(values, list):
        raise missing(f"times and {name}")
    if not times or len(times) != len(values):
        raise invalid(f"There are {len(times)} times and {len(values)} {name}.")
    if not all(isinstance(one, int) and 0 <= one < LATEST for one in times):
        raise invalid("A time has to be whole seconds since 1970.")
    if any(later < earlier for earlier, later in pairwise(times)):
        raise invalid("The times have to be in order, the oldest first.")
    return times, values


def _shown(market: Market, places: list[Place], now: datetime) -> dict[str, object]:
    return {
        "notice_seconds": market.notice,
        "prices": [_row(market, place, now) for place in places],
    }


def _row(market: Market, place: Place, now: datetime) -> dict[str, object]:
    pool = market.pool(*place)
    played = pool.replay
    return {
        "type": place[0],
        "zone": place[1],
        "price": pool.price(now),
        "default": standard(*place),
        "source": pool.source,
        "capacity": "some" if market.has_room(*place, now) else "none",
        "replay": _progress(played, now),
        "availability": _progress(market.rooms.get(place), now),
    }


def _progress(played: Replay | None, now: datetime) -> dict[str, object] | None:
    if played is None:
        return None
    return {
        "speed": played.speed,
        "time": moment(played.in_series(min(now, played.ends))),
        "ends": moment(played.ends),
        "over": now >= played.ends,
    }
