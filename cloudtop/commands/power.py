"""``runner.py stop`` and ``start``: the machine off and on again, its request and disks kept."""

from __future__ import annotations

import argparse

from cloudtop import rates
from cloudtop.aws.find import Resources
from cloudtop.command import Context, lose_work_option, run_playbooks
from cloudtop.commands import status
from cloudtop.machine import save_work, summary
from module_utils import cloudtop_rules as rules


def stop(context: Context) -> None:
    """Say what a stop costs and keeps, save work, run the playbook.

    Nobody is asked, as all but the array is there again after ``start``; unless the work could not
    all be saved. Raises CloudtopError with EC2's reason if it can't stop the machine, which goes
    on then.
    """
    resources = context.find()
    if context.dry:
        run_playbooks(context, context.playbooks)
        return
    request = resources.request
    machine = resources.instance.state if resources.instance else ""
    if rules.verdict(request, machine) == "stopped-by-user":
        run_playbooks(context, context.playbooks)
        print(
            f"\n{_machine(resources)} is stopped already; nothing was changed.\n{at_rest(context)}"
        )
        return
    # A machine that EC2 would not stop is not made ready for it; the role says why
    ready = rules.may_stop(request, machine)
    if ready:
        print(announcement(context, resources))
    with save_work.ending(context, [resources.instance] if ready else [], resources.volume, "stop"):
        run_playbooks(context, context.playbooks)
    print(f"\n{_machine(resources)} is stopped.\n{at_rest(context)}")


def start(context: Context) -> None:
    """Start the machine and wait for ssh, then say what is there.

    Raises CloudtopError with EC2's reason if it can't be started.
    """
    resources = context.find()
    runs = resources.instance is not None and resources.instance.state == "running"
    run_playbooks(context, context.playbooks)
    if context.dry:
        return
    print(f"\n{_machine(resources)} {'runs already' if runs else 'runs again'}.\n")
    report = status.gathered(context)
    print(summary.render(report))
    if not (report.image and report.image.baked):
        print("\nIt boots no image of its own; if anything lacks: python runner.py provision")


def announcement(context: Context, resources: Resources) -> str:
    """The effect of a stop, for people."""
    return (
        f"This stops {_machine(resources)}. Everything on {context.settings.ephemeral_mount} is"
        " lost; git work trees with work found nowhere else are saved to the volume first."
    )


def at_rest(context: Context) -> str:
    """The cost of a stopped cloudtop, in dollars a month on AWS, and how it comes back."""
    settings, resources = context.settings, context.find()
    month = rates.worst_month(
        0, resources.volume.size if resources.volume else 0, settings.root_size
    )
    address = f", its Elastic IP ${month.address:.2f}" if resources.address else ""
    free = "the machine costs nothing" if address else "the machine and its address cost nothing"
    return (
        f"The volume still costs ${month.volume:.2f}{address} and the root disk"
        f" ${month.root:.2f} a month on AWS; {free}.\nTo have it back: python runner.py start"
    )


def _machine(resources: Resources) -> str:
    return resources.instance.instance_id if resources.instance else "The machine"


def stop_options(parser: argparse.ArgumentParser) -> None:
    """Options for work that a stop would lose."""
    lose_work_option(parser)
