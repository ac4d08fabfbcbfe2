"""Options of subcommands that have many. Imported before the packages are there: no others."""

from __future__ import annotations

import argparse

HISTORY = "prices of a file, with no account: CSV, gzipped or not, or the JSON of aws ec2"


def prices_options(added: argparse.ArgumentParser) -> None:
    """Which types and zones, in which order and form."""
    added.add_argument("types", metavar="TYPE", nargs="*", help="(the setting)")
    added.add_argument("--vcpus", metavar="N", help="or every type with at least so many")
    added.add_argument("--memory", metavar="GIB", help="at least so much")
    added.add_argument("--disks", metavar="N", help="at least so many instance-store disks")
    added.add_argument("--zone", metavar="ZONE", help="only this one (all of the region)")
    added.add_argument("--days", metavar="N", help="so far back (30, at most 90)")
    orders = ("average", "now", "p95", "max", "saving", "type", "zone")
    added.add_argument("--sort", choices=orders, default="average", help="(average)")
    added.add_argument("--limit", metavar="N", help="only the first N rows")
    form = added.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--csv", action="store_true", help="for spreadsheets")
    form.add_argument("--chart", action="store_true", help="draw the first three rows over time")
    added.add_argument("--save", metavar="FILE", help="that drawing as a picture: .svg or .png")
    added.add_argument("--history", metavar="FILE", help=HISTORY)


def bid_options(added: argparse.ArgumentParser) -> None:
    """Which history is replayed, and what is wanted of a bid."""
    added.add_argument("type", metavar="TYPE", nargs="?", help="(the setting)")
    added.add_argument("--zone", metavar="ZONE", help="only this one (the setting, or all)")
    added.add_argument("--days", metavar="N", help="so far back (30, at most 90)")
    added.add_argument(
        "--availability", metavar="PERCENT", default="99", help="of the time, wanted (99)"
    )
    added.add_argument("--json", action="store_true", help="for programs")
    added.add_argument("--history", metavar="FILE", help=HISTORY)


ADD = {"prices": prices_options, "bid": bid_options}
