"""``runner.py rehearse``: reaps on demand, a timeline and a list of losses."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws import images, interruption
from cloudtop.aws.find import Resources
from cloudtop.aws.holdings import MACHINE
from cloudtop.aws.interruption import Interrupter
from cloudtop.command import Context, confirm, run_playbooks
from cloudtop.commands import bake
from cloudtop.errors import CloudtopError
from cloudtop.machine import trace
from cloudtop.machine.drill import Drill
from cloudtop.machine.drill_report import Report, render
from cloudtop.playbooks.deeds import CHANGE, END, Item
from cloudtop.playbooks.forecast import Forecast
from cloudtop.preflight import account, checklist, rehearsal
from cloudtop.preflight.checklist import Look
from cloudtop.settings import clouds
from cloudtop.settings.clouds import Cloud
from module_utils.cloudtop_resources import Request
from spotprices import availability

# Minutes of one rehearsal on AWS, of which the notice is two
MINUTES = 6


def run(context: Context) -> None:
    """Run the drill as often as asked. Raises CloudtopError if anything is missing."""
    options, cloud = context.options, context.cloud
    if options.times < 1:
        raise CloudtopError(
            f"--times is {options.times}; a drill is run once or more.", "Try: --times 3"
        )
    if options.trace:
        play_trace(context)
        return
    own = wishes(options)
    if own and not cloud.reap:
        raise CloudtopError(
            f"{own} is for the rehearsal cloud: AWS interrupts by order with its own notice of two"
            " minutes, and keeps no capacity away.",
            "Try without it, or: python runner.py rehearse --cloud rehearsal",
        )
    resources = context.find()
    # To have it at hand pins the machine's key on this computer
    instance = resources.instance
    if not (context.dry and instance and instance.state == "running"):
        context.machine(resources)
    if resources.request:
        need_behavior(context, resources.request.instance_interruption_behavior)
        need_image(context, resources.request)
    if context.forecast:
        foretell(context.forecast, resources)
        return
    reap = by_control(context) if own else by_order(context)
    drill = drill_of(context, reap)
    # EC2 does not start what an experiment has stopped
    drill.start = None if own or not options.stop else start_again
    reports = []
    for _ in range(options.times):
        reports.append(drill.run())
        if not options.json:
            print(render(reports[-1]), flush=True)
        if not reports[-1].next_instance:
            break
    conclude(context, reports)


def play_trace(context: Context) -> None:
    """The drill on a day of a real market. Raises CloudtopError if anything was lost."""
    options, cloud = context.options, context.cloud
    if options.no_notice or options.keep_down or options.times != 1:
        raise CloudtopError(
            "--trace has the market take the machine: --no-notice, --keep-down and --times do not"
            " go with it.",
            "Try: python runner.py rehearse --trace",
        )
    if not options.speed > 0:
        raise CloudtopError(
            f"--speed is {options.speed:g}; it has to be above 0.", "Try: --speed 60"
        )
    before = json.loads(clouds.move_market(cloud, ["prices", "--json"]))["notice_seconds"]
    resources = context.find()
    machine = resources.instance
    if not context.dry or machine is None:
        context.machine(resources)
    assert machine is not None
    if resources.request:
        need_behavior(context, resources.request.instance_interruption_behavior)
        need_image(context, resources.request)
    if context.forecast:
        foretell(context.forecast, resources)
        return
    place = machine.instance_type, machine.availability_zone
    path = Path(options.trace if isinstance(options.trace, str) else availability.DAY)
    day = trace.load(path, options.trace_name, place[1])
    drill = drill_of(context, lambda _instance: None)

    def play(points: trace.Points) -> None:
        _play(cloud, place, points, options.speed)

    say(
        f"{day.seconds / 3600:.1f} h of {day.instance_type} in {day.zone} take about"
        f" {day.seconds / options.speed / 60:.0f} minutes, and each loss its notice and boot."
    )
    try:
        clouds.move_market(cloud, ["price", "--notice", f"{options.notice:g}"])
        report = trace.Day(day, drill, play, options.speed, say).run()
    finally:
        clouds.move_market(cloud, ["capacity", *place, "some"])
        clouds.move_market(cloud, ["price", "--notice", f"{before:g}"])
    text = json.dumps(report.as_json(), indent=2)
    print(text if options.json else trace.render(report, " in ".join(place)), flush=True)
    if not report.good:
        raise CloudtopError(
            "The cloudtop did not survive the day with everything.",
            "Look at the machine: python runner.py status, and its console in EC2",
        )
    say(f"{len(report.losses)} losses: nothing was lost.")


def _play(cloud: Cloud, place: tuple[str, str], points: trace.Points, speed: float) -> None:
    """Have the market play these points; the last one stays."""
    rows = [f"day,1,{trace.iso(when)},{place[1]},{place[0]},{int(room)}" for when, room in points]
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("\n".join([",".join(availability.COLUMNS), *rows, ""]))
        file.flush()
        clouds.move_market(cloud, ["replay", "--availability", file.name, "--speed", f"{speed:g}"])


def drill_of(context: Context, reap: Callable[[str], float | None]) -> Drill:
    """The drill of this call of the command line."""
    return Drill(
        look=context.find,
        machine_of=lambda seen: context.machine_of(seen.instance, seen.volume),
        reap=reap,
        volume_path=context.settings.persistent_mount,
        array_path=context.settings.ephemeral_mount,
        warned=not context.options.no_notice,
        tell=say,
    )


def conclude(context: Context, reports: list[Report]) -> None:
    """The sum of all. Raises CloudtopError if anything was lost."""
    times = context.options.times
    if context.options.json:
        print(json.dumps([report.as_json() for report in reports], indent=2))
    good = sum(report.good for report in reports)
    if good < times:
        raise CloudtopError(
            f"The cloudtop survived only {good} of {times} reaps with everything.",
            "Look at the machine: python runner.py status, and its console in EC2",
        )
    say(f"{good} of {times} reaps: nothing was lost.")


def wishes(options: argparse.Namespace) -> str:
    """The option by which the rehearsal cloud's own control is wanted; empty for FIS."""
    if options.no_notice:
        return "--no-notice"
    if options.notice != interruption.NOTICE_SECONDS:
        return f"--notice {options.notice:g}"
    return f"--keep-down {options.keep_down:g}" if options.keep_down else ""


def by_control(context: Context) -> Callable[[str], None]:
    """Reaps by the rehearsal cloud's own control, which can do what EC2 does only by itself."""
    options = context.options
    notice = ["--no-notice"] if options.no_notice else ["--notice", f"{options.notice:g}"]
    down = ["--keep-down", f"{options.keep_down:g}"]
    return lambda instance: clouds.take_away(context.cloud, instance, [*notice, *down])


def by_order(context: Context) -> Callable[[str], None]:
    """Reaps by FIS: checked, asked for once if they cost money, and FIS given its role."""
    options, settings = context.options, context.settings
    look = Look(settings, aws.client())
    checks = (("credentials", account.credentials), ("permissions", rehearsal.check))
    checklist.run(checks, look, lambda row: say(str(row)))
    question = price(options.times, settings.region)
    if context.cloud.costs_money:
        confirm(options.yes, f"{question} Go on?")
    elif not options.yes:
        say(f"On AWS: {question}")
    with contextlib.redirect_stdout(sys.stderr):
        changed = run_playbooks(context, context.playbooks)
    partition, place = look.partition, f"{settings.region}:{look.account}"
    name = interruption.role_name(settings.name, settings.owner, settings.region)
    interrupter = Interrupter(
        fis=aws.client("fis"),
        role=f"arn:{partition}:iam::{look.account}:role/{name}",
        place=f"arn:{partition}:ec2:{place}:instance/",
        tags={"cloudtop:name": settings.name, "cloudtop:owner": settings.owner},
        fresh=any(changed.values()),
        tell=say,
    )
    for ident in interrupter.remove_left():
        say(f"The experiment template {ident}, which an earlier rehearsal left, is deleted.")
    return interrupter.interrupt


def price(times: int, region: str) -> str:
    """The cost of so many rehearsals on AWS, and how long they take."""
    minutes = interruption.MINUTES
    one = rates.experiments(1, region)
    dollars = rates.experiments(minutes * times, region)
    often = "once" if times == 1 else f"{times} times"
    return (
        f"AWS's Fault Injection Service interrupts the machine {often}: {minutes} action-minutes"
        f" each at ${one:.2f} (AWS FIS pricing), ${dollars:.2f} in all, in about {times * MINUTES}"
        " minutes. The machine costs what it does."
    )


def start_again(instance: str) -> None:
    """Start a machine that an experiment has stopped: only its owner does."""
    with aws.plain_errors():
        aws.client().start_instances(InstanceIds=[instance])


def say(sentence: str) -> None:
    """Progress; what is asked for goes to stdout."""
    print(sentence, file=sys.stderr, flush=True)


def foretell(forecast: Forecast, resources: Resources) -> None:
    """The machine that the drill takes away, and what EC2 does then."""
    instance, request = resources.instance, resources.request
    if instance is None or request is None:
        return
    ident = instance.instance_id
    if request.instance_interruption_behavior == "terminate":
        forecast.more.append(Item(END, MACHINE, ident, "with its disks; its volume is kept"))
        forecast.later.append(
            f"EC2 launches another machine of {request.spot_instance_request_id} then, at the same"
            " bid: a month costs the same."
        )
    else:
        forecast.more.append(Item(CHANGE, MACHINE, ident, "is stopped and started again by EC2"))


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


def need_image(context: Context, request: Request) -> None:
    """Refuse a drill after which nothing makes the machine whole, unless somebody watches it.

    A machine that is stopped keeps its root disk, so it needs no image.
    """
    if context.options.watched or context.options.stop:
        return
    own = bake.images_of(context)
    image = images.pinned(aws.client(), request, own)
    if image is None or images.is_baked(image, own):
        return
    raise CloudtopError(
        f"The next machine boots {image.image_id}, which is not baked of this cloudtop: it would"
        " come back without its array, its volume and its tools.",
        "Make an image, then have the request take it: python runner.py bake; or have another"
        " terminal run python runner.py watch, and add --watched",
    )


def options(parser: argparse.ArgumentParser) -> None:
    """How the machine is taken away, and how often."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--notice",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="seconds of notice (120, which is EC2's)",
    )
    how.add_argument("--no-notice", action="store_true", help="reap without a notice")
    parser.add_argument(
        "--stop", action="store_true", help="expect the request to stop its machine"
    )
    parser.add_argument(
        "--watched", action="store_true", help="rehearse without a baked image: `watch` runs"
    )
    parser.add_argument(
        "--keep-down", type=float, default=0.0, metavar="SECONDS", help="seconds without capacity"
    )
    parser.add_argument(
        "--times", type=int, default=1, metavar="N", help="reap N times, one after the other"
    )
    parser.add_argument(
        "--trace",
        nargs="?",
        const=True,
        metavar="FILE",
        help="let a real market take it, for as long as the trace: a day of r5.16xlarge of 2023",
    )
    parser.add_argument(
        "--trace-name", default="", metavar="NAME", help="which trace of a file of several"
    )
    parser.add_argument(
        "--speed", type=float, default=60.0, metavar="N", help="play a trace N times as fast (60)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
