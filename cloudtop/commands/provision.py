"""``runner.py provision``: the plan, one question, the playbooks and the summary."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cloudtop import rates
from cloudtop.command import Context, confirm, lose_work_option, wait_option
from cloudtop.commands import bake, converge
from cloudtop.commands.status import gathered
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work
from cloudtop.machine.summary import dollars
from cloudtop.playbooks.deeds import MAKE, ROLE, Item
from cloudtop.preflight import plan as preflight
from cloudtop.preflight import spot_role
from cloudtop.preflight.plan import Plan
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules


def run(context: Context) -> None:
    """Check, show the plan, ask if it costs money, run the playbooks, sum up."""
    plan = preflight.check(context.settings, wait=context.options.wait, say=print, ends_left=True)
    print()
    print(describe(context, plan))
    if context.forecast and plan.look and plan.look.lacks_spot_role:
        context.forecast.more.append(Item(MAKE, ROLE, spot_role.NAME, "EC2's own for spot"))
    if context.settings.monthly_budget and not context.dry:
        money = gathered(context).money
        if money and money.budget and money.budget.warning:
            print(f"WARNING: {money.budget.warning}.\n")
    if question := asked(context, plan):
        confirm(context.options.yes, question)
    if plan.look and not context.dry:
        spot_role.make(plan.look)
    try:
        with making_way(context, plan) as more:
            converge.run(context, more | waiting(context))
    except CloudtopError as failed:
        if context.dry:
            raise
        raise CloudtopError(
            "\n".join([failed.message, *left(context, plan)]), failed.hint
        ) from failed


def asked(context: Context, plan: Plan) -> str:
    """The one question of this run; empty if nothing is to be asked."""
    if context.dry:
        return ""
    money = f"Request it, for at most ${plan.month.total:.2f} a month?"
    if plan.left is None:
        return money if context.cloud.costs_money and plan.makes_request else ""
    print(
        f"The machine {plan.left.instance_id} still runs although its request has ended, as after a"
        " renewal that was cut off, and a cloudtop has one machine. It ends, with all on"
        f" {context.settings.ephemeral_mount} and its root disk; git work trees with work found"
        " nowhere else are saved to the volume first.\n"
    )
    question = f"End {plan.left.instance_id} and have another?"
    return f"{question} {money}" if context.cloud.costs_money else question


@contextmanager
def making_way(context: Context, plan: Plan) -> Iterator[dict[str, bool | str]]:
    """Inside, what gives way to a new machine is ready for its end; gives the extra variables."""
    if plan.left is None:
        with bake.renewing(context, plan.resources) as more:
            yield more
        return
    with save_work.ending(context, [plan.left], plan.resources.volume):
        yield {"cloudtop_renew": True}


def left(context: Context, plan: Plan) -> Iterator[str]:
    """Sentences on things of a failed run that cost money or will, each with its end's command."""
    try:
        resources = context.find()
    except CloudtopError:
        return
    name, volume = context.settings.name, resources.volume
    month = f"${rates.worst_month(0, volume.size, 0).volume:.2f}" if volume else ""
    if resources.request and not resources.instance:
        last = resources.request.valid_until
        until = f"until {rules.date_of(last)}" if last else "without end"
        later = "until then" if last else "also months from now"
        yield (
            f"The request {resources.request.spot_instance_request_id} stays open {until}: EC2"
            f" may launch its machine at any time, {later}, for up to"
            f" ${plan.month.machine:.2f} a month. To end it: python runner.py destroy --name {name}"
        )
    if volume and (resources.request is None or not resources.instance):
        yield (
            f"The volume {volume.volume_id} costs {month} a month on AWS, machine or not. To"
            f" delete it with its data: python runner.py destroy --name {name} --delete-volume"
            f" {name}"
        )


def waiting(context: Context) -> dict[str, bool | str]:
    """The extra variable that lets a bid below EC2's price pass, if that is wanted."""
    return {"cloudtop_wait": True} if context.options.wait else {}


def describe(context: Context, plan: Plan) -> str:
    """The plan, as it is shown before anything is made."""
    settings, month = context.settings, plan.month
    disks = f"{plan.disks} x {plan.disk_gb} GB instance store" if plan.disks else "no own disks"
    lines = [
        f"The cloudtop {settings.name!r} of {settings.owner}, in {plan.zone or settings.region}"
        f" of the {context.cloud.name} cloud (account {plan.account}):",
        *_request(settings, plan, disks),
        f"  at worst ${month.total:.2f} a month: machine ${month.machine:.2f},"
        f" volume ${month.volume:.2f}, root disk ${month.root:.2f}, address ${month.address:.2f}"
        + (f", snapshots ${month.snapshots:.2f}" if month.snapshots else ""),
        *([f"  snapshots {plan.snapshots}"] if plan.snapshots else []),
        *(f"  {note}" for note in plan.notes),
        "",
    ]
    return "\n".join(lines)


def _request(settings: Settings, plan: Plan, disks: str) -> Iterator[str]:
    """Type and bid as they will be. A live request keeps its own: EC2 changes nothing of one."""
    request = plan.resources.request
    about = f"{plan.vcpus} vCPUs, {plan.memory_mib / 1024:g} GiB, {disks}"
    if request is None:
        yield f"  {settings.instance_type}: {about}"
        yield from _others(settings.types[1:])
        yield f"  bid ${settings.bid:.2f}/h; when taken away: {settings.interruption}"
        return
    kind, bid = request.instance_type, request.spot_price or settings.bid
    same = kind == settings.instance_type
    yield (
        f"  {kind}{f': {about}' if same else ''}, of the request"
        f" {request.spot_instance_request_id} that is there ({request.state})"
    )
    yield f"  bid {dollars(bid)}/h; when taken away: {request.instance_interruption_behavior}"
    other = rules.differences(request, settings.types, settings.bid, settings.interruption)
    if other:
        wanted = ", ".join(f"{each.what} {each.wanted}" for each in other)
        yield f"  NOT as the settings have it ({wanted}): python runner.py switch changes that"


def _others(types: Sequence[str]) -> Iterator[str]:
    if types:
        yield f"  if EC2 has none: {', then '.join(types)}"


def options(parser: argparse.ArgumentParser) -> None:
    """Options for work that a change of image would lose, and for a bid below the price."""
    lose_work_option(parser)
    wait_option(parser)
