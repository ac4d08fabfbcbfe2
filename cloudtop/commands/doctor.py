"""``runner.py doctor``: all that a provision needs, checked, and nothing changed."""

from __future__ import annotations

import argparse
import dataclasses
import json

from cloudtop.command import Context, wait_option
from cloudtop.errors import CloudtopError
from cloudtop.preflight import plan as preflight
from cloudtop.preflight.checklist import MISSING, Row


def run(context: Context) -> None:
    """Print each check's outcome. Raises CloudtopError if something is missing."""
    as_json = context.options.json

    def say(row: Row) -> None:
        if not as_json:
            print(row, flush=True)

    rows = preflight.diagnose(context.settings, say, context.options.wait)
    if as_json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
    missing = [row for row in rows if row.state == MISSING]
    if missing:
        names = ", ".join(row.name for row in missing)
        raise CloudtopError(
            f"{len(missing)} of {len(rows)} checks failed: {names}.", missing[0].hint
        )


def options(parser: argparse.ArgumentParser) -> None:
    """Adds --json, and a bid below the price as provision takes it."""
    parser.add_argument("--json", action="store_true", help="for programs")
    wait_option(parser)
