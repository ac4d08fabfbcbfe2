"""``python -m localcloud replay``: prices of another time on the cloud's own clock."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from localcloud.cli.market import line, number
from localcloud.cli.reap import ask
from localcloud.config import Config
from localcloud.errors import LocalCloudError
from spotprices import availability
from spotprices.files import PriceFileError, moment, read

# Type and zone, and a series of prices or of availability
Place = tuple[str, str]
One = TypeVar("One")
HINT = "See: python -m localcloud prices"


def choose(table: Mapping[Place, One], types: str, zones: str) -> dict[Place, One]:
    """The wanted series, under the type and zone that they are for.

    ``types`` and ``zones`` are empty, a name, or name-in-the-file=name-in-the-cloud.
    """
    kind, _, as_kind = types.partition("=")
    zone, _, as_zone = zones.partition("=")
    for what, name, known in (
        ("type", kind, sorted({place[0] for place in table})),
        ("zone", zone, sorted({place[1] for place in table if kind in ("", place[0])})),
    ):
        if name and name not in known:
            raise LocalCloudError(
                f"The file has no prices of the {what} {name}; it has: {', '.join(known)}.",
                f"To lay one on another: --{what} {known[0]}={name}",
            )
    chosen: dict[Place, One] = {}
    for of_kind, of_zone in sorted(table):
        if kind in ("", of_kind) and zone in ("", of_zone):
            place = as_kind or of_kind, as_zone or of_zone
            if place in chosen:
                raise LocalCloudError(
                    f"The file has several series for {' in '.join(place)}.",
                    f"Say which one: --type {of_kind}={place[0]} --zone {of_zone}={place[1]}",
                )
            chosen[place] = table[of_kind, of_zone]
    return chosen


def replay(config: Config, arguments: argparse.Namespace) -> int:
    if arguments.stop:
        return stop(config, arguments)
    if arguments.availability:
        return replay_availability(config, arguments)
    if not arguments.file:
        raise LocalCloudError(
            "There is no file of prices to replay.",
            "For example: python -m localcloud replay prices.csv.gz --speed 60",
        )
    try:
        table = read(Path(arguments.file))
    except PriceFileError as error:
        raise LocalCloudError(error.message, error.hint) from error
    series = [
        {"type": kind, "zone": zone, "times": one.times, "prices": one.dollars}
        for (kind, zone), one in choose(table, arguments.type, arguments.zone).items()
    ]
    return _replay(config, arguments, "replay", series)


def replay_availability(config: Config, arguments: argparse.Namespace) -> int:
    """Let zones have room and lose it as in a trace: machines are lost at an unmoved price."""
    if arguments.file:
        raise LocalCloudError(
            "Prices and availability are two replays.",
            "Begin one after the other: each goes on with the other",
        )
    try:
        traces = availability.read(Path(arguments.availability), arguments.trace)
    except PriceFileError as error:
        raise LocalCloudError(error.message, error.hint) from error
    series = [
        {"type": kind, "zone": zone, "times": one.times, "available": one.available}
        for (kind, zone), one in choose(traces, arguments.type, arguments.zone).items()
    ]
    return _replay(config, arguments, "replay/availability", series)


def _replay(
    config: Config, arguments: argparse.Namespace, path: str, series: list[dict[str, Any]]
) -> int:
    """Have the cloud replay the series, and say what it does."""
    given = {
        "series": series,
        "from": _begin(arguments.begin),
        "speed": number("speed", arguments.speed, "times as fast"),
        # A type or zone that the user names has to exist
        "lenient": not (arguments.type or arguments.zone),
    }
    answer = ask(config, path, given, HINT)
    _tell(answer)
    if answer["left_out"]:
        print(f"Left out, because this cloud does not have them: {', '.join(answer['left_out'])}.")
    return 0


def stop(config: Config, arguments: argparse.Namespace) -> int:
    """Stop replays. The names are the cloud's, as ``prices`` shows them."""
    if arguments.file:
        raise LocalCloudError(
            "A file and --stop do not go together.",
            "To stop: python -m localcloud replay --stop",
        )
    kind, zone = (one.rpartition("=")[2] for one in (arguments.type, arguments.zone))
    answer = ask(config, "replay/stop", {"type": kind, "zone": zone}, HINT)
    _tell(answer)
    if not answer["prices"]:
        print("No replay runs.")
    return 0


def _tell(answer: dict[str, Any]) -> None:
    for row in answer["prices"]:
        print(line(row))


def _begin(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return moment(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise LocalCloudError(
            f"from is {text!r}; it has to be like 2015-06-01 or 2015-06-01T12:00:00Z.",
            "Without --from a replay begins with the file's first price.",
        ) from error


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb of this module."""
    one = verbs.add_parser("replay", help="replay the prices of another time, at any speed")
    one.add_argument(
        "file", metavar="FILE", nargs="?",
        help="CSV, gzipped or not, or the JSON of aws ec2 describe-spot-price-history",
    )  # fmt: skip
    one.add_argument(
        "--type", default="", metavar="TYPE[=OTHER]",
        help="only this one of the file; for another one of the cloud",
    )  # fmt: skip
    one.add_argument(
        "--zone", default="", metavar="ZONE[=OTHER]",
        help="only this one of the file; for another one of the cloud",
    )  # fmt: skip
    one.add_argument(
        "--from", dest="begin", metavar="TIME",
        help="the file's time to begin at (its first); earlier prices become the history",
    )  # fmt: skip
    one.add_argument(
        "--availability", metavar="FILE",
        help="instead of prices: when there was room for a type in a zone, as CSV",
    )  # fmt: skip
    one.add_argument("--trace", default="", metavar="NAME", help="which trace of that file")
    one.add_argument("--speed", default="1", metavar="N", help="replay N times as fast (1)")
    one.add_argument("--stop", action="store_true", help="stop the replay; the current prices stay")
    one.set_defaults(run=replay)
