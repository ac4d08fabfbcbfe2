"""``runner.py bid``: the cheapest bid for an availability, by the history of prices."""

from __future__ import annotations

import argparse
import json
import textwrap
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloudtop.aws import client as aws
from cloudtop.aws.client import Client
from cloudtop.command import Context
from cloudtop.commands import prices
from cloudtop.commands.prices import HISTORY
from cloudtop.errors import CloudtopError
from cloudtop.machine import reap_journal
from cloudtop.prices import backtest, history, offers
from cloudtop.prices import source as price_source
from cloudtop.prices import table as price_table
from cloudtop.prices.backtest import Outcome
from cloudtop.prices.interruption import Band
from cloudtop.prices.source import Source, described, number
from cloudtop.rates import BID_FACTOR
from cloudtop.settings.settings import Settings

# Rows that are shown beside those that have a name
SHOWN = 8
# A type that EC2 interrupts less may cost so many times as much
MOST_MORE = 1.25
CAPACITY = (
    "Since the end of 2017 EC2 takes machines mostly for their capacity, which no history of prices"
    " shows: a higher bid does not keep those."
)
FLOOR = f"The reaps below are a floor. {CAPACITY}"


@dataclass(frozen=True)
class Replay:
    """One zone: every bid that makes a difference, ascending, and the one recommended."""

    type: str
    zone: str
    outcomes: Sequence[Outcome]
    recommended: Outcome
    on_demand: float | None
    # The price now
    price: float


@dataclass(frozen=True)
class Advice:
    """The type to take, the bid for it in dollars an hour, and the band of its interruptions."""

    type: str
    bid: float
    band: Band | None
    # In words, empty for this type with nothing to compare it with
    why: str = ""


def run(context: Context) -> None:
    options, settings = context.options, context.settings
    availability = number("--availability", options.availability, 0, 100, "per cent", "99")
    source = described(_source(options, settings), prices.advisor_of(context))
    replays = replay(source, settings, availability)
    given = advice(replays, source, None if options.history is not None else aws.client())
    if options.json:
        print(json.dumps(as_json(replays, source, settings, availability, given), indent=2))
        return
    out = price_table.console()
    _show_bands(out, replays, source)
    _show(out, replays[0], source, settings, availability)
    for other in replays[1:]:
        enough = other.recommended
        out.print(
            f"In {other.zone}: ${enough.bid:g}, {_percent(enough)},"
            f" ${enough.month(settings.volume_size, settings.root_size):.2f} a month."
        )
    out.print(Text(f"\n{given.why}".rstrip()))
    out.print(
        Text(f"Take: -e cloudtop_instance_type={given.type} -e cloudtop_bid={given.bid:g}"),
        style="bold",
    )


def replay(source: Source, settings: Settings, availability: float) -> list[Replay]:
    """Every zone of the source, that with the cheapest month for the availability first.

    Raises CloudtopError if the prices of none span any time.
    """
    replays = []
    for (kind, zone), series in source.table.items():
        start, end = source.window(series)
        if end <= start:
            continue
        on_demand = source.on_demand.prices.get(kind)
        named = [settings.bid, *([on_demand] if on_demand else [])]
        wanted = backtest.candidates(series, start, end, named)
        outcomes = backtest.replay(series, start, end, wanted)
        cheapest = backtest.cheapest(outcomes, availability)
        now = history.price_at(series, end)
        replays.append(Replay(kind, zone, outcomes, cheapest, on_demand, now))
    if not replays:
        raise CloudtopError(
            f"The history of {source.place} is one moment long, too short to replay a bid.",
            "Take a longer one: --history FILE",
        )
    volume, root = settings.volume_size, settings.root_size
    return sorted(replays, key=lambda one: (one.recommended.month(volume, root), one.zone))


def advice(replays: Sequence[Replay], source: Source, client: Client | None) -> Advice:
    """The type that EC2 interrupts less for about as much money, or this one, and a bid for it.

    The bid is above the price of now as the original recipe's was above its own, and no less than
    what the history asks for. Without ``client`` there are no other types to look at.
    """
    first = replays[0]
    band = source.advisor.band(first.type, first.zone) if source.advisor else None
    price = max(first.recommended.bid, first.price * BID_FACTOR)
    best = Advice(first.type, round(price, 2) or price, band)
    if client is None or band is None or source.advisor is None:
        return best
    wanted, every = offers.like(client, first.type, [one.zone for one in replays], (8, 12, 16))
    bands = {offer: source.advisor.band(offer.type, offer.zone) for offer in every}
    better = [
        (known.index, offer.dollars, offer)
        for offer, known in bands.items()
        if known and known.index < band.index and offer.likeness(wanted) == 1
        and offer.disks >= wanted.disks and offer.dollars <= first.price * MOST_MORE
    ]  # fmt: skip
    if not better:
        more = f"{MOST_MORE - 1:.0%}".replace("%", " %")
        return replace(best, why=f"No type that has as much is taken less for {more} more money.")
    index, dollars, offer = min(better, key=lambda one: (one[0], one[1], one[2].type))
    why = f"{_why(first.type, band)} {_why(offer.type, Band(index))} It has {offer}."
    return Advice(offer.type, round(dollars * BID_FACTOR, 2), Band(index), why)


def _why(instance_type: str, band: Band | None) -> str:
    if band is None:
        return f"AWS does not say how often EC2 interrupts {instance_type}."
    return f"EC2 interrupts {band.label} of the {instance_type} machines a month."


def shown(market: Replay, bid: float) -> list[Outcome]:
    """Those with a name, and some between them that differ most in time away."""
    first, last = market.outcomes[0], market.outcomes[-1]
    named = {first.bid, market.recommended.bid, bid, market.on_demand, last.bid}
    spread: list[Outcome] = []
    for one in market.outcomes:
        if one.bid in named or one.away <= spread[-1].away - (first.away - last.away) / SHOWN:
            spread.append(one)
    return spread


def _source(options: Namespace, settings: Settings) -> Source:
    if options.history is None:
        options.zone = options.zone or settings.zone
        return price_source.of_ec2(options, settings, [options.type or settings.instance_type])
    source = price_source.of_file(options, [options.type] if options.type else [])
    types = sorted({kind for kind, _ in source.table})
    if len(types) > 1 and settings.instance_type in types:
        return price_source.of_file(options, [settings.instance_type])
    if len(types) > 1:
        raise CloudtopError(
            f"{source.place} has prices of {len(types)} types, and a bid is for one.",
            f"Name it: python runner.py bid {types[0]} --history {options.history}",
        )
    return source


def _show_bands(out: Console, replays: Sequence[Replay], source: Source) -> None:
    """How often EC2 interrupts the types, before any history of prices."""
    if source.advisor:
        for kind, zone in dict.fromkeys((one.type, one.zone) for one in replays[:1]):
            out.print(Text(_why(kind, source.advisor.band(kind, zone)), style="bold"))
        out.print(Text(f"From {source.advisor.source}."), style="dim")
    out.print(Text(f"{textwrap.fill(FLOOR, 80)}\n"))


def _show(
    out: Console, market: Replay, source: Source, settings: Settings, availability: float
) -> None:
    out.print(Text(f"{market.type} in {market.zone}, {source.span}", style="bold"))
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    heads = ("bid", "runs", "reaps", "longest away", "away in all", "paid/h", "$/month", "")
    for head in heads:
        table.add_column(head, justify="left" if not head else "right", no_wrap=True)
    for one in shown(market, settings.bid):
        recommended = one is market.recommended
        table.add_row(
            f"{one.bid:.4f}",
            _percent(one),
            str(one.reaps),
            reap_journal.span(int(one.longest_away)) if one.away else "-",
            reap_journal.span(int(one.away)) if one.away else "-",
            price_table.dollars(one.mean),
            price_table.month(one.month(settings.volume_size, settings.root_size)),
            _name(one, market, settings.bid),
            style="green" if recommended else None,
        )
    price_table.print_whole(out, table)
    enough = market.recommended
    month = enough.month(settings.volume_size, settings.root_size)
    out.print(
        f"\n${enough.bid:g} an hour is the cheapest bid that ran {availability:g} % of the time:"
        f" ${month:.2f} a month,"
    )
    out.print(
        f"{settings.volume_size} GiB of volume, {settings.root_size} GiB of root disk and the"
        " public IPv4 address included."
    )
    if market.on_demand and enough.bid > market.on_demand:
        out.print(
            f"On demand the machine is ${market.on_demand:g} an hour, and nobody takes it away."
        )
    out.print(Text(f"On-demand: {source.on_demand.source}"), style="dim")


def _name(one: Outcome, market: Replay, bid: float) -> str:
    names = {
        "recommended": one is market.recommended,
        "your bid": one.bid == bid,
        "on-demand": one.bid == market.on_demand,
    }
    return ", ".join(name for name, fits in names.items() if fits)


def _percent(one: Outcome) -> str:
    """No bid that was ever away is said to have run 100 per cent."""
    if not one.away:
        return "100 %"
    return f"{min(one.availability, 99.99):.2f} %"


def as_json(
    replays: Sequence[Replay],
    source: Source,
    settings: Settings,
    availability: float,
    given: Advice,
) -> dict[str, object]:
    """The output of ``bid --json``. Keys are stable; money is dollars, times are UTC or seconds."""
    return {
        "from": price_source.iso(source.start),
        "to": price_source.iso(source.end),
        "bid": settings.bid,
        "availability": availability,
        "note": FLOOR,
        "interruption": prices.as_interruption(source),
        "recommended": {
            "type": given.type,
            "bid": given.bid,
            "interruption": given.band.label if given.band else None,
        },
        "on_demand_from": source.on_demand.source,
        "zones": [
            {
                "type": one.type,
                "zone": one.zone,
                "interruption": _label(source, one),
                "on_demand": one.on_demand,
                "recommended": one.recommended.bid,
                "bids": [_row(each, settings) for each in one.outcomes],
            }
            for one in replays
        ],
    }


def _label(source: Source, one: Replay) -> str | None:
    band = source.advisor.band(one.type, one.zone) if source.advisor else None
    return band.label if band else None


def _row(one: Outcome, settings: Settings) -> dict[str, object]:
    return {
        "bid": one.bid,
        "reaps": one.reaps,
        "longest_away_seconds": round(one.longest_away),
        "away_seconds": round(one.away),
        "availability": round(one.availability, 4),
        "mean_paid": None if one.mean is None else round(one.mean, 6),
        "month": round(one.month(settings.volume_size, settings.root_size), 2),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """The history to replay, and the wanted availability."""
    parser.add_argument(
        "type", metavar="TYPE", nargs="?", help="the instance type (default: the setting)"
    )
    parser.add_argument(
        "--zone", metavar="ZONE", help="only this zone (default: the setting, or all)"
    )
    parser.add_argument("--days", metavar="N", help="days of history (default 30, at most 90)")
    parser.add_argument(
        "--availability",
        metavar="PERCENT",
        default="99",
        help="the wanted share of the time (default 99)",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--history", metavar="FILE", help=HISTORY)
