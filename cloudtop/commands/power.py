"""``runner.py stop`` and ``start``: the machine off and on again, its request and disks kept."""

from __future__ import annotations

import argparse
from typing import Any

from cloudtop import rates
from cloudtop.aws.find import Found
from cloudtop.command import Context, lose_work_option, run_playbooks
from cloudtop.commands import status
from cloudtop.machine import login, save_work, summary


def stop(context: Context) -> None:
    """Say what a stop costs and keeps, save work, run the playbook.

    Nobody is asked, as all but the array is there again after ``start``; unless the work could not
    all be saved. Raises CloudtopError with EC2's reason if it can't stop the machine, which goes
    on then.
    """
    found = context.find()
    if stopped(found):
        run_playbooks(context, context.playbooks)
        print(f"\n{_machine(found)} is stopped already; nothing was changed.\n{at_rest(context)}")
        return
    # A machine that EC2 would not stop is not made ready for it; the role says why
    ready = may_stop(found)
    if ready:
        print(announcement(context, found))
    with save_work.ending(context, [found.instance] if ready else [], found.volume, "stop"):
        run_playbooks(context, context.playbooks)
    print(f"\n{_machine(found)} is stopped.\n{at_rest(context)}")


def start(context: Context) -> None:
    """Start the machine and wait for ssh, then say what is there.

    Raises CloudtopError with EC2's reason where it can't be started.
    """
    found = context.find()
    runs = found.instance is not None and found.instance["State"]["Name"] == "running"
    run_playbooks(context, context.playbooks)
    print(f"\n{_machine(found)} {'runs already' if runs else 'runs again'}.\n")
    told = status.gathered(context)
    print(summary.render(told))
    if not (told["image"] or {}).get("baked"):
        print("\nIt boots no image of its own; if anything lacks: python runner.py provision")


def stopped(found: Found) -> bool:
    """Whether the machine is stopped and stays so until somebody starts it."""
    return bool(
        found.instance
        and found.instance["State"]["Name"] == "stopped"
        and (found.request or {}).get("Status", {}).get("Code") == login.STOPPED_CODE
    )


def may_stop(found: Found) -> bool:
    """Whether EC2 would stop the machine: it runs, for a persistent request."""
    request: dict[str, Any] = found.request or {}
    return bool(
        found.instance
        and found.instance["State"]["Name"] == "running"
        and request.get("Type") == "persistent"
        and request.get("State") == "active"
    )


def announcement(context: Context, found: Found) -> str:
    """What a stop does, before it is done."""
    return (
        f"This stops {_machine(found)}. What is on {context.settings.ephemeral_mount} is gone then:"
        " git work trees with work found nowhere else are saved to the volume first."
    )


def at_rest(context: Context) -> str:
    """What a stopped cloudtop still costs, in dollars a month on AWS, and how it comes back."""
    settings, found = context.settings, context.find()
    month = rates.worst_month(0, found.volume["Size"] if found.volume else 0, settings.root_size)
    address = f", its Elastic IP ${month.address:.2f}" if found.address else ""
    free = "the machine costs nothing" if address else "the machine and its address cost nothing"
    return (
        f"The volume still costs ${month.volume:.2f}{address} and the root disk"
        f" ${month.root:.2f} a month on AWS; {free}.\nTo have it back: python runner.py start"
    )


def _machine(found: Found) -> str:
    return str(found.instance["InstanceId"]) if found.instance else "The machine"


def stop_options(parser: argparse.ArgumentParser) -> None:
    """What happens to work that a stop would lose."""
    lose_work_option(parser)
