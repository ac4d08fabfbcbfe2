"""``runner.py snapshot``: a named snapshot of the volume."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict

from cloudtop.aws import client as aws
from cloudtop.aws.find import Resources, Snapshot
from cloudtop.aws.snapshots import begun, is_scheduled, listed, month, of_cloudtop
from cloudtop.command import Context, run_playbooks
from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain

# How long a machine may take to write down what it holds in memory
SYNC_SECONDS = 30


def run(context: Context) -> None:
    """Take a snapshot of the volume and let old ones go, or list what is there."""
    options, settings = context.options, context.settings
    if context.dry and not options.list:
        run_playbooks(context, context.playbooks, {"cloudtop_snapshot_label": options.label})
        return
    if not options.list:
        # Words for people are not for a program
        with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
            print(settle(context, context.find()))
            run_playbooks(context, context.playbooks, {"cloudtop_snapshot_label": options.label})
    known = of_cloudtop(aws.client(), settings.name, settings.owner)
    if not options.list and not known:
        raise CloudtopError(
            "EC2 shows no snapshot although one was taken.", "Try: python runner.py snapshot --list"
        )
    if options.json:
        print(json.dumps(asdict(listed(known)), indent=2))
    else:
        print(render(settings.name, known))


def settle(context: Context, resources: Resources) -> str:
    """Have a running machine write what it holds in memory; says how good the snapshot will be."""
    if not (resources.volume and resources.volume.attachments):
        return "No machine has the volume: it is taken as it lies."
    machine = context.machine_of(resources.instance, resources.volume)
    command = f"sudo sync --file-system {shlex.quote(context.settings.persistent_mount)}"
    if machine is None or machine.ask(command, SYNC_SECONDS) is None:
        return "The machine did not answer: the snapshot will be as of a power cut."
    return (
        "The machine has written all that it held in memory;"
        " what programs write from now on is as of a power cut."
    )


def render(name: str, known: Sequence[Snapshot]) -> str:
    """The snapshots and what they cost, for people."""
    if not known:
        return f"The cloudtop {name!r} has no snapshot: python runner.py snapshot"
    shown = [each.label or ("by schedule" if is_scheduled(each) else "-") for each in known]
    width = max(len("label"), *map(len, shown))
    lines = [f"  {'label':<{width}}  {'id':<22}  {'GiB':>5}  {'begun (UTC)':<16}  $/month at most"]
    for each, label in zip(known, shown, strict=True):
        note = "" if each.state == "completed" else f"  {each.state} {each.progress}"
        lines.append(
            f"  {label:<{width}}  {each.snapshot_id:<22}  {each.volume_size:>5}"
            f"  {begun(each)[:16].replace('T', ' ')}  {month(each):15.2f}{note}"
        )
    total = sum(map(month, known))
    lines.append(f"Together at most ${total:.2f} a month on AWS: EC2 bills what is stored of them.")
    return "\n".join(map(plain, lines))


def options(parser: argparse.ArgumentParser) -> None:
    """The snapshot's label, or a list of all."""
    parser.add_argument(
        "label", nargs="?", default="", metavar="LABEL", help="its label (default: the time of day)"
    )
    parser.add_argument("--list", action="store_true", help="only list the snapshots")
    parser.add_argument("--json", action="store_true", help="for programs")
