"""``runner.py watch``: looks at EC2 and the budget, and acts on both."""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Collection
from dataclasses import replace

from cloudtop.aws.find import Resources
from cloudtop.command import Context, lose_work_option
from cloudtop.commands import bake, converge, power, status
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work, watch
from cloudtop.machine.status import Money
from cloudtop.money.budget_watch import BudgetWatch
from module_utils import cloudtop_rules as rules

STOP = ("stop.yml",)


def run(context: Context) -> None:
    """Wait for the machine and converge it, each time EC2 relaunches it."""
    every = context.options.every
    if not 1 <= every <= 3600:
        raise CloudtopError(
            f"--every is {every:g}; it is the seconds between two looks, from 1 to 3600.",
            "Try: --every 15",
        )
    tell = watch.teller(context.options.notify, context.settings.name)
    if context.dry:
        make_whole(context, print)
        return
    watch.Watch(
        look=context.find,
        make_whole=lambda: make_whole(context, tell),
        tell=tell,
        every=every,
        once=context.options.once,
        holds=budget_holds(context, tell),
        lacks=lambda seen: rules.has_alternative(seen.request, context.settings.types),
    ).run()


def make_whole(context: Context, tell: Callable[[str], None]) -> Collection[str]:
    """Run the playbooks; the hosts that they ran on.

    If the setting wants a live request to give way to a new image, its machine saves its work
    first. One whose work can't all be saved stays, and is converged as it is.
    """
    # It waits for a machine as long as that takes, whatever the price is now
    waits: dict[str, bool | str] = {"cloudtop_wait": True}
    if not context.settings.renew:
        return converge.run(context, waits)
    try:
        with bake.renewing(context, context.find()) as more:
            return converge.run(context, more | waits)
    except save_work.NotSaved as refused:
        tell(f"the machine keeps its image: {refused.message}")
        return converge.run(context, {**waits, "cloudtop_renew": False})


def budget_holds(context: Context, tell: Callable[[str], None]) -> Callable[[Resources], bool]:
    """The budget's part of each look: whether the machine was stopped."""
    settings = context.settings
    if not settings.monthly_budget:
        return lambda resources: False

    def look() -> tuple[Money, bool]:
        report = status.gathered(context)
        assert report.money is not None
        return report.money, isinstance(report.journal, list)

    # The setting has said yes, and nobody may be there to be asked
    options = Namespace(**{**vars(context.options), "yes": True})
    stopping = replace(context, options=options, playbooks=STOP, on_failure=())
    stops = settings.budget_action == "stop"
    return BudgetWatch(look, (lambda: power.stop(stopping)) if stops else None, tell).holds


def options(parser: argparse.ArgumentParser) -> None:
    """How often it looks, whom it notifies, and when it ends."""
    parser.add_argument(
        "--every",
        type=float,
        default=15.0,
        metavar="SECONDS",
        help="between two looks (default 15)",
    )
    parser.add_argument(
        "--notify", metavar="COMMAND", help="run this with each message as its last argument"
    )
    parser.add_argument("--once", action="store_true", help="end once the machine is converged")
    lose_work_option(parser)
