"""``runner.py status``: the cloudtop's resources and their cost."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace

from cloudtop.aws import client as aws
from cloudtop.aws import images, snapshot_schedule
from cloudtop.command import Context
from cloudtop.commands import bake
from cloudtop.machine import status, summary
from cloudtop.machine.status import Status
from cloudtop.money import bill_facts
from cloudtop.money.journal_cache import journals


def run(context: Context) -> None:
    """Print what is there, as text or as JSON."""
    report = gathered(context)
    print(json.dumps(asdict(report), indent=2) if context.options.json else summary.render(report))


def gathered(context: Context) -> Status:
    """Status of what is there now, the machine's own view with it."""
    resources, own = context.find(), bake.images_of(context)
    client = aws.client()
    pinned = images.pinned(client, resources.request, own)
    timer = snapshot_schedule.find(aws.client("dlm"), context.settings.name, context.settings.owner)
    machine = resources.instance or (None if resources.request else resources.left)
    login = context.machine_of(machine, resources.volume)
    report = status.gather(context.settings, context.cloud, resources, own, pinned, login, timer)
    known = journals(context.state, resources, report.journal)
    now = int(time.time())
    money = bill_facts.money(lambda: client, context.settings, resources, known, now)
    return replace(report, money=money)


def options(parser: argparse.ArgumentParser) -> None:
    """The form of the answer."""
    parser.add_argument("--json", action="store_true", help="for programs")
