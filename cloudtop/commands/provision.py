"""``runner.py provision``: the plan, one question, the playbooks and the summary."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from cloudtop.command import Context, confirm, lose_work_option
from cloudtop.commands import bake, converge, preflight
from cloudtop.commands.preflight import Plan
from cloudtop.commands.status import gathered


def run(context: Context) -> None:
    """Check, show the plan, ask if it costs money, run the playbooks, sum up."""
    plan = preflight.check(context.settings)
    print(describe(context, plan))
    if context.settings.monthly_budget:
        money = gathered(context).money
        if money and money.budget and money.budget.warning:
            print(f"WARNING: {money.budget.warning}.\n")
    if context.cloud.costs_money and plan.makes_request:
        confirm(context.options.yes, f"Request it, for at most ${plan.month.total:.2f} a month?")
    with bake.renewing(context, plan.resources) as more:
        converge.run(context, more)


def describe(context: Context, plan: Plan) -> str:
    """The plan, as it is shown before anything is made."""
    settings, month = context.settings, plan.month
    disks = f"{plan.disks} x {plan.disk_gb} GB instance store" if plan.disks else "no own disks"
    lines = [
        f"The cloudtop {settings.name!r} of {settings.owner}, in {plan.zone or settings.region}"
        f" of the {context.cloud.name} cloud (account {plan.account}):",
        f"  {settings.instance_type}: {plan.vcpus} vCPUs, {plan.memory_mib / 1024:g} GiB, {disks}",
        *_others(settings.types[1:]),
        f"  bid ${settings.bid:.2f}/h; when taken away: {settings.interruption}",
        f"  at worst ${month.total:.2f} a month: machine ${month.machine:.2f},"
        f" volume ${month.volume:.2f}, root disk ${month.root:.2f}, address ${month.address:.2f}"
        + (f", snapshots ${month.snapshots:.2f}" if month.snapshots else ""),
        *([f"  snapshots {plan.snapshots}"] if plan.snapshots else []),
        *(f"  {note}" for note in plan.notes),
        "",
    ]
    return "\n".join(lines)


def _others(types: Sequence[str]) -> Iterator[str]:
    if types:
        yield f"  if EC2 has none: {', then '.join(types)}"


def options(parser: argparse.ArgumentParser) -> None:
    """Options for work that a change of image would lose."""
    lose_work_option(parser)
