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


def snapshot_options(added: argparse.ArgumentParser) -> None:
    """What the snapshot is called, or that they are to be listed."""
    added.add_argument("label", nargs="?", default="", metavar="LABEL", help="(the time of day)")
    added.add_argument("--list", action="store_true", help="only list what is there")
    added.add_argument("--json", action="store_true", help="for programs")


def restore_options(added: argparse.ArgumentParser) -> None:
    """Which snapshot is put back, or which old volume is not needed any more."""
    what = added.add_mutually_exclusive_group(required=True)
    what.add_argument("snapshot", nargs="?", metavar="LABEL|ID", help="one of snapshot --list")
    what.add_argument(
        "--delete-old", metavar="NAME", help="delete replaced volumes of the cloudtop of this name"
    )
    added.add_argument("--again", action="store_true", help="also where that was done just now")


def switch_options(added: argparse.ArgumentParser) -> None:
    """What is wanted instead; each is a setting, as if given with ``-e``."""
    for option, setting, metavar, told in (
        ("--type", "instance_type", "TYPE", "another instance type"),
        ("--bid", "bid", "DOLLARS", "another bid, an hour"),
        ("--image", "image", "AMI", "another image"),
        ("--zone", "zone", "ZONE", "another zone: the volume is copied there"),
    ):
        added.add_argument(
            option,
            dest="given",
            action="append",
            type=f"cloudtop_{setting}={{}}".format,
            metavar=metavar,
            help=told,
        )
    added.add_argument(
        "--delete-old", metavar="NAME", help="delete replaced volumes of the cloudtop of this name"
    )


def orphans_options(added: argparse.ArgumentParser) -> None:
    """Whether what is left is listed or deleted."""
    added.add_argument("--delete", action="store_true", help="ask for each kind, and delete it")
    added.add_argument(
        "--delete-volume",
        metavar="NAME",
        action="append",
        help="with --delete: what has data, of the cloudtop of this name (may be repeated)",
    )
    added.add_argument("--json", action="store_true", help="for programs")


def lose_work_option(added: argparse.ArgumentParser) -> None:
    """Whether a machine is ended although its work could not all be saved."""
    added.add_argument(
        "--lose-work",
        action="store_true",
        help="end a machine although not all of its work could be saved",
    )


# Subcommands that end or stop a machine
ENDS = ("provision", "watch", "stop", "restore", "switch", "orphans", "destroy")
ADD = {
    "prices": prices_options,
    "bid": bid_options,
    "snapshot": snapshot_options,
    "restore": restore_options,
    "switch": switch_options,
    "orphans": orphans_options,
}
