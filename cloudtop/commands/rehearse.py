"""``runner.py rehearse``: reaps on demand, a timeline and a list of losses."""

from __future__ import annotations

import argparse
import json
import sys

from cloudtop.command import Context
from cloudtop.errors import CloudtopError
from cloudtop.machine.drill import Drill
from cloudtop.machine.drill_report import render
from cloudtop.settings import clouds


def run(context: Context) -> None:
    """Run the drill as often as asked. Raises CloudtopError if anything is missing."""
    options, settings, cloud = context.options, context.settings, context.cloud
    if options.times < 1:
        raise CloudtopError(
            f"--times is {options.times}; a drill is run once or more.", "Try: --times 3"
        )
    if not cloud.reap:
        clouds.take_away(cloud, "", ())
    resources = context.find()
    context.machine(resources)
    if resources.request:
        need_behavior(context, resources.request.instance_interruption_behavior)
    notice = ["--no-notice"] if options.no_notice else ["--notice", f"{options.notice:g}"]
    drill = Drill(
        look=context.find,
        machine_of=lambda seen: context.machine_of(seen.instance, seen.volume),
        reap=lambda instance: clouds.take_away(
            cloud, instance, [*notice, "--keep-down", f"{options.keep_down:g}"]
        ),
        volume_path=settings.persistent_mount,
        array_path=settings.ephemeral_mount,
        warned=not options.no_notice,
        tell=lambda sentence: print(sentence, file=sys.stderr, flush=True),
    )
    reports = []
    for _ in range(options.times):
        reports.append(drill.run())
        if not options.json:
            print(render(reports[-1]), flush=True)
        if not reports[-1].next_instance:
            break
    if options.json:
        print(json.dumps([report.as_json() for report in reports], indent=2))
    good = sum(report.good for report in reports)
    if good < options.times:
        raise CloudtopError(
            f"The cloudtop survived only {good} of {options.times} reaps with everything.",
            "Look at the machine: python runner.py status, and its console in EC2",
        )
    print(f"{good} of {options.times} reaps: nothing was lost.", file=sys.stderr)


def need_behavior(context: Context, behavior: str) -> None:
    """Refuse a drill of another kind than what the request would do in earnest."""
    wanted = "stop" if context.options.stop else "terminate"
    if behavior != wanted:
        raise CloudtopError(
            f"The request's interruption behaviour is {behavior!r}, and this drill is of"
            f" {wanted!r}: EC2 does what the request says.",
            f"Ask for it anew: python runner.py switch -e cloudtop_interruption={wanted}"
            if wanted == "stop" or behavior != "stop"
            else "Try: python runner.py rehearse --stop",
        )


def options(parser: argparse.ArgumentParser) -> None:
    """How the machine is taken away, and how often."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--notice",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="seconds of notice (default 120)",
    )
    how.add_argument("--no-notice", action="store_true", help="reap without a notice")
    parser.add_argument(
        "--stop", action="store_true", help="expect the request to stop its machine"
    )
    parser.add_argument(
        "--keep-down", type=float, default=0.0, metavar="SECONDS", help="seconds without capacity"
    )
    parser.add_argument(
        "--times", type=int, default=1, metavar="N", help="reap N times, one after the other"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
