"""``runner.py watch``: what is looked at, and what is done about it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cloudtop import commands, power, type_list, watch
from cloudtop.budget_watch import BudgetWatch
from cloudtop.context import Context
from cloudtop.ec2 import Found
from cloudtop.errors import CloudtopError

STOP = ("stop.yml",)


def watch_over(context: Context) -> None:
    """Wait for the machine and make it whole, each time EC2 brings it back."""
    every = context.options.every
    if not 1 <= every <= 3600:
        raise CloudtopError(
            f"--every is {every:g}; it is the seconds between two looks, from 1 to 3600.",
            "Try: --every 15",
        )
    tell = watch.teller(context.options.notify, context.settings.name)
    watch.Watch(
        look=context.find,
        make_whole=lambda: commands.converge(context),
        tell=tell,
        every=every,
        once=context.options.once,
        holds=budget_holds(context, tell),
        lacks=lambda found: type_list.lacks(context.settings.types, found.request),
    ).run()


def budget_holds(context: Context, tell: Callable[[str], None]) -> Callable[[Found], bool]:
    """What a look at the budget decides: whether the machine was stopped."""
    settings = context.settings
    if not settings.monthly_budget:
        return lambda found: False

    def look() -> tuple[dict[str, Any], bool]:
        told = commands.gathered(context)
        return told["money"], isinstance((told["machine"] or {}).get("reaps"), list)

    # The setting has said yes, and nobody may be there to be asked
    options = Namespace(**{**vars(context.options), "yes": True})
    stopping = replace(context, options=options, playbooks=STOP, on_failure=())
    stops = settings.budget_action == "stop"
    return BudgetWatch(look, (lambda: power.stop(stopping)) if stops else None, tell).holds
