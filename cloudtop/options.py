"""The options of each subcommand that has its own, by its name.

Read before the project's packages are there, so nothing of them is imported here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable


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


ADD: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "snapshot": snapshot_options,
    "restore": restore_options,
    "orphans": orphans_options,
}
