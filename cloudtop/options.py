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


ADD: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "snapshot": snapshot_options,
}
