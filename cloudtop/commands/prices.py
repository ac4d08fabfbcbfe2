"""``runner.py prices``: the price of machines, type by type and zone by zone."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from argparse import Namespace
from dataclasses import fields, replace

from cloudtop.aws import client as aws
from cloudtop.aws import instance_types
from cloudtop.aws.instance_types import Wish
from cloudtop.command import Context
from cloudtop.errors import CloudtopError
from cloudtop.prices import chart, picture
from cloudtop.prices import source as price_source
from cloudtop.prices import table as price_table
from cloudtop.prices.rows import Row, gather, ordered, rounded
from cloudtop.prices.source import Source, described, number
from cloudtop.settings.settings import Settings

HISTORY = "take prices from a file, with no account: CSV, also gzipped, or JSON of aws ec2"
# So many of the cheapest are charted; for others there are TYPE and --zone
CHARTS = 3


def run(context: Context) -> None:
    options, settings = context.options, context.settings
    if options.save:
        picture.check(options.save)
    limit = None
    if options.limit:
        limit = int(number("--limit", options.limit, 1, 1e6, "rows", "10"))
    most = None
    if options.max_interruption is not None:
        most = number("--max-interruption", options.max_interruption, 0, 100, "per cent", "10")
    source, note = _source(options, settings)
    source = described(source, advisor_of(context))
    source, left_out = narrowed(source, options.arch, most)
    note = "\n".join(filter(None, (note, left_out)))
    rows = ordered(gather(source, settings), options.sort)[:limit]
    if options.save:
        # First: a reader such as head may have enough of the rest
        figures = [_charted(row, source, settings) for row in rows[:CHARTS]]
        picture.save(options.save, figures)
        print(f"Saved {options.save}", file=sys.stderr)
    if options.json:
        print(json.dumps(as_json(rows, source, settings), indent=2))
    elif options.csv:
        table = csv.DictWriter(sys.stdout, [field.name for field in fields(Row)])
        table.writeheader()
        table.writerows(map(rounded, rows))
    else:
        out = price_table.console()
        price_table.show(out, rows, source, settings, note)
        for row in rows[:CHARTS] if options.chart else ():
            chart.show(out, _charted(row, source, settings))


def advisor_of(context: Context) -> str | None:
    """The address of the Spot Instance Advisor's file; None if nobody may be asked."""
    return context.cloud.spot_advisor if context.options.history is None else None


def narrowed(source: Source, arch: str | None, most: float | None) -> tuple[Source, str]:
    """Only types of this architecture, and those that EC2 interrupts at most so often a month.

    Returns a note on the types whose band is unknown, which are left out, too. Raises
    CloudtopError if none is left.
    """
    table, unknown = dict(source.table), set[str]()
    if arch:
        infos = instance_types.describe_all(aws.client(), sorted({kind for kind, _ in table}))
        able = {name for name, kind in infos.items() if arch in kind.architectures}
        table = {place: one for place, one in table.items() if place[0] in able}
    if most is not None and source.advisor:
        bands = {place: source.advisor.band(*place) for place in table}
        unknown = {kind for (kind, _), band in bands.items() if band is None}
        table = {
            place: one for place, one in table.items()
            if (band := bands[place]) is not None and band.at_most <= most
        }  # fmt: skip
    if not table:
        wish = [f"of {arch}"] if arch else []
        wish += [f"that EC2 interrupts at most {most:g} % a month"] if most is not None else []
        raise CloudtopError(
            f"No type in {source.place} is {' and '.join(wish)}.",
            "Allow more: --max-interruption 20, or look at more types: --vcpus 8 --disks 1",
        )
    note = f"Left out, as AWS says nothing of their interruptions: {', '.join(sorted(unknown))}."
    return replace(source, table=table), note if unknown else ""


def as_json(rows: list[Row], source: Source, settings: Settings) -> dict[str, object]:
    """The output of ``prices --json``. Keys are stable; money is dollars, times are UTC."""
    return {
        "place": source.place,
        "from": price_source.iso(source.start),
        "to": price_source.iso(source.end),
        "bid": settings.bid,
        "volume_gib": settings.volume_size,
        "root_gib": settings.root_size,
        "on_demand_from": source.on_demand.source,
        "interruption": as_interruption(source),
        "prices": [rounded(row) for row in rows],
    }


def as_interruption(source: Source) -> dict[str, str] | None:
    """The source of the bands, for ``--json``: bands are per cent of machines a month."""
    if source.advisor is None:
        return None
    return {"source": source.advisor.source, "date": source.advisor.date}


def _charted(row: Row, source: Source, settings: Settings) -> chart.Chart:
    series = source.table[row.type, row.zone]
    return chart.Chart(f"{row.type} in {row.zone}", series, *source.window(series), settings.bid)


def _source(options: Namespace, settings: Settings) -> tuple[Source, str]:
    """The prices, and a note on the choice of types, or an empty one."""
    wished = (options.vcpus, options.memory, options.disks)
    if options.arch and not options.types:
        wished = (wished[0] or "0", *wished[1:])
    wish = any(one is not None for one in wished)
    if wish and options.types:
        raise CloudtopError(
            f"Either types are named ({', '.join(options.types)}) or wished for.",
            "For example: python runner.py prices --vcpus 16 --memory 60 --disks 2",
        )
    if options.history is not None:
        if wish or options.arch:
            raise CloudtopError(
                "EC2 alone can tell which types fulfil a wish, and with --history it is not asked.",
                "Name the types, or none for all of the file",
            )
        return price_source.of_file(options, options.types), ""
    types, note = options.types or list(settings.types), ""
    if wish:
        types, note = _wished(wished, options.arch, settings)
    source = price_source.of_ec2(options, settings, list(dict.fromkeys(types)), wish)
    absent = [kind for kind in types if kind not in {place[0] for place in source.table}]
    if absent:
        note += f"\nEC2 has no spot price of {', '.join(absent)} in {source.place}."
    return source, note.strip()


def _wished(
    given: tuple[str | None, ...], arch: str | None, settings: Settings
) -> tuple[list[str], str]:
    asked = (("--vcpus", "vCPUs", "16"), ("--memory", "GiB", "60"), ("--disks", "disks", "2"))
    vcpus, memory, disks = (
        number(name, text or "0", 0, 100_000, unit, example)
        for (name, unit, example), text in zip(asked, given, strict=True)
    )
    client = aws.client()
    processor = arch or instance_types.architecture(client, settings)
    wish = Wish(math.ceil(vcpus), memory, math.ceil(disks))
    types, count = instance_types.fulfilling(client, wish, processor)
    if count == len(types):
        return types, f"{count} types have {wish}."
    return types, f"{count} types have {wish}: the {len(types)} smallest are shown."


def options(parser: argparse.ArgumentParser) -> None:
    """Which types and zones, in which order and form."""
    parser.add_argument(
        "types", metavar="TYPE", nargs="*", help="instance types (default: the setting)"
    )
    parser.add_argument("--vcpus", metavar="N", help="every type with at least N vCPUs")
    parser.add_argument("--memory", metavar="GIB", help="every type with at least so much memory")
    parser.add_argument(
        "--disks", metavar="N", help="every type with at least N instance-store disks"
    )
    parser.add_argument(
        "--arch", choices=("x86_64", "arm64"), help="only types of this architecture"
    )
    parser.add_argument(
        "--max-interruption",
        metavar="PERCENT",
        help="only types that EC2 interrupts at most so often a month: 5, 10, 15 or 20",
    )
    parser.add_argument(
        "--zone", metavar="ZONE", help="only this zone (default: all of the region)"
    )
    parser.add_argument("--days", metavar="N", help="days of history (default 30, at most 90)")
    orders = (
        "average", "price", "interruption", "saving", "now", "p95", "max", "type", "zone",
    )  # fmt: skip
    parser.add_argument(
        "--sort", choices=orders, default="average", help="the order of the rows (default average)"
    )
    parser.add_argument("--limit", metavar="N", help="only the first N rows")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--csv", action="store_true", help="for spreadsheets")
    form.add_argument("--chart", action="store_true", help="draw the first three rows over time")
    parser.add_argument(
        "--save", metavar="FILE", help="save that drawing as a picture: .svg or .png"
    )
    parser.add_argument("--history", metavar="FILE", help=HISTORY)
