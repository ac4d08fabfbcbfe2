"""``python -m localcloud price|prices|capacity``: the spot market, by hand."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any
from urllib.parse import quote

from localcloud.cli.reap import ask, clock
from localcloud.config import Config
from localcloud.errors import LocalCloudError

HINT = "See: python -m localcloud prices TYPE"


def number(name: str, text: str, unit: str) -> float:
    """Raises LocalCloudError; argparse would end with a usage and another code."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise LocalCloudError(f"{name} is {text!r}; it has to be a number of {unit}.", HINT)
    return value


def line(row: dict[str, Any]) -> str:
    """One type and zone, for people."""
    played = row["replay"]
    if played:
        at = f"{played['time'][:10]} {clock(played['time'])[:8]}"
        state = "over" if played["over"] else f"until {played['ends'][:16].replace('T', ' ')}"
        why = f"replay at {at}, {played['speed']:g} times as fast, {state}"
    else:
        why = "set by hand" if row["source"] == "hand" else "default"
    full = "" if row["capacity"] == "some" else "; no capacity"
    if rooms := row["availability"]:
        full += f"; availability replay at {rooms['time'][:16].replace('T', ' ')}"
        full += f", {rooms['speed']:g} times as fast"
    return f"{row['type']}  {row['zone']}  ${row['price']:.4f}/h  {why}{full}"


def price(config: Config, arguments: argparse.Namespace) -> int:
    given: dict[str, Any] = {}
    if arguments.notice is not None:
        given["notice"] = number("notice", arguments.notice, "seconds")
    if arguments.type:
        if not arguments.zone or (arguments.dollars is None) != arguments.default:
            raise LocalCloudError(
                "A type needs a zone, and then either dollars an hour or --default.",
                "For example: python -m localcloud price m5d.4xlarge us-east-1b 0.70",
            )
        dollars = arguments.dollars
        given |= {"type": arguments.type, "zone": arguments.zone, "price": None}
        if dollars is not None:
            given["price"] = number("The price", dollars, "dollars")
    elif not given:
        raise LocalCloudError(
            "There is nothing to set: neither a type nor a notice.",
            "For example: python -m localcloud price m5d.4xlarge us-east-1b 0.70",
        )
    answer = ask(config, "price", given, HINT)
    for row in answer["prices"]:
        print(line(row), flush=True)
    if arguments.notice is not None:
        lead = f"{answer['notice_seconds']:g} seconds"
        print(f"From now on the market gives {lead} of notice before a reap.", flush=True)
    return 0


def prices(config: Config, arguments: argparse.Namespace) -> int:
    path = f"prices?type={quote(arguments.type)}" if arguments.type else "prices"
    answer = ask(config, path, hint="For example: python -m localcloud prices m5d.4xlarge")
    if arguments.json:
        print(json.dumps(answer, indent=2), flush=True)
        return 0
    for row in answer["prices"]:
        print(line(row))
    if not answer["prices"]:
        print("Every price is the default one. Try: python -m localcloud prices m5d.4xlarge")
    return 0


def capacity(config: Config, arguments: argparse.Namespace) -> int:
    answer = ask(
        config,
        "capacity",
        {
            "type": arguments.type,
            "zone": arguments.zone,
            "capacity": arguments.capacity,
            "reap": arguments.reap,
        },
        HINT,
    )
    print(line(answer["prices"][0]))
    for one in answer["reaps"]:
        print(f"EC2 takes {one['instance']} at {clock(one['due'])} UTC ({one['id']}).")
    return 0


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs of this module."""
    one = verbs.add_parser("price", help="set the spot price of a type in a zone")
    one.add_argument("type", metavar="TYPE", nargs="?")
    one.add_argument("zone", metavar="ZONE", nargs="?")
    one.add_argument("dollars", metavar="DOLLARS", nargs="?", help="an hour")
    one.add_argument("--default", action="store_true", help="set the default price again")
    one.add_argument(
        "--notice", metavar="SECONDS",
        help="notice before each reap by the market (120); alone or with a price",
    )  # fmt: skip
    one.set_defaults(run=price)
    every = verbs.add_parser(
        "prices", help="show prices that were set or are paid, or all of a type"
    )
    every.add_argument("type", metavar="TYPE", nargs="?")
    every.add_argument("--json", action="store_true", help="for programs")
    every.set_defaults(run=prices)
    room = verbs.add_parser("capacity", help="set whether there is room for spot machines")
    room.add_argument("type", metavar="TYPE")
    room.add_argument("zone", metavar="ZONE")
    room.add_argument("capacity", metavar="none|some")
    room.add_argument("--reap", action="store_true", help="with none: also take the running ones")
    room.set_defaults(run=capacity)
