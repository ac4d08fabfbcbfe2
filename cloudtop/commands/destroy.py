"""``runner.py destroy``: removes a cloudtop, keeps its volume and says what that costs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws import orphans, snapshot_schedule, snapshots
from cloudtop.aws.find import Machine, Resources, Snapshot
from cloudtop.aws.orphans import Leftover
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.aws.snapshots import title
from cloudtop.aws.unseen import unseen
from cloudtop.command import Context, confirm, lose_work_option, run_playbooks
from cloudtop.commands.bake import images_of
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work
from module_utils.cloudtop_resources import Image

NOTHING = "Nothing of it is left, and nothing costs money any more."


def run(context: Context) -> None:
    """Show what goes, ask once, run the playbook, say what still costs money.

    Raises CloudtopError if ``--delete-volume`` names another cloudtop, for a no, and if
    something is still there afterwards.
    """
    name, doomed = context.settings.name, context.options.delete_volume
    if doomed is not None and doomed != name:
        raise CloudtopError(
            f"--delete-volume is given {doomed!r}, and this cloudtop is {name!r}."
            " A volume is deleted only for its own cloudtop's name.",
            f"To delete the data of {name!r} for good: python runner.py destroy --delete-volume"
            f" {name}",
        )
    if context.dry:
        run_playbooks(context, context.playbooks, {"cloudtop_delete_volume": doomed or ""})
        return
    resources = context.find()
    taken = snapshots.of_cloudtop(aws.client(), name, context.settings.owner)
    timer = snapshot_schedule.find(aws.client("dlm"), name, context.settings.owner)
    machines = save_work.machines(context)
    own = images_of(context)
    print(announcement(name, resources, own, doomed is not None, taken, timer, machines=machines))
    confirm(context.options.yes, "Go on?")
    # An answer may take long: another machine may run by now
    machines = save_work.machines(context)
    # There is no volume to save to if it is deleted, too
    with save_work.ending(context, machines if doomed is None else [], resources.volume):
        run_playbooks(context, context.playbooks, {"cloudtop_delete_volume": doomed or ""})
    left = context.find()
    if left.request or left.address or save_work.machines(context):
        raise CloudtopError(
            f"The cloudtop {name!r} is still there after its removal.",
            "Run it again: python runner.py destroy",
        )
    if resources.address:
        print(f"\nThe Elastic IP {resources.address.public_ip} is released.", end="")
    taken = snapshots.of_cloudtop(aws.client(), name, context.settings.owner)
    hidden = unseen(name, context.settings.owner)
    try:
        more = others(context)
    except CloudtopError:
        # The look at all of the owner's things includes those that may not be looked at
        if not hidden:
            raise
        more = []
    kept = remains(name, left, images_of(context), taken, more)
    if hidden:
        known = "" if kept == NOTHING else f"{kept}\n"
        raise CloudtopError(
            "\n".join([f"{known}What could be seen of the cloudtop {name!r} is removed.", *hidden]),
            "Ask for that permission, then run the same command again",
        )
    print("\n" + kept)


def announcement(
    name: str,
    resources: Resources,
    baked: list[Image],
    delete: bool,
    taken: Sequence[Snapshot] = (),
    timer: Schedule | None = None,
    *,
    machines: Sequence[Machine] = (),
) -> str:
    """The resources that a destroy removes and keeps, for the question."""
    volume = resources.volume
    live = resources.instance.instance_id if resources.instance else ""
    lines = [f"This removes, of the cloudtop {name!r}:"]
    if resources.request:
        lines.append(f"  the spot request  {resources.request.spot_instance_request_id}")
    lines += [
        f"  the machine       {each.instance_id}, with all on its own disks"
        + ("" if each.instance_id == live else "; its request has ended")
        for each in machines
    ]
    if resources.address:
        lines.append(f"  the Elastic IP    {resources.address.public_ip} (it cannot be recovered)")
    if timer:
        lines.append(
            f"  the schedule      {timer.id}: no more snapshots every {timer.hours} h;"
            " the next provision sets it again"
        )
    lines.append("  its security group, key pair and instance profile")
    if delete:
        lines += [f"  the image         {each.image_id}, {each.name}" for each in baked]
    if volume and delete:
        size = f"{volume.size} GiB, and all data on it"
        lines.append(f"  THE VOLUME        {volume.volume_id}, {size}")
    elif volume:
        lines.append(f"It keeps the volume {volume.volume_id}, {volume.size} GiB.")
    if taken:
        lines.append(f"It keeps {_count(taken)} of the volume: {', '.join(map(title, taken))}.")
    if baked and not delete:
        lines.append(f"It keeps {', '.join(each.name for each in baked)} for the next provision.")
    return "\n".join(lines)


def others(context: Context) -> list[Leftover]:
    """Its other resources that cost money: replaced volumes, parts of a bake, root disks."""
    settings = context.settings
    left = orphans.sort_out(orphans.look(aws.client(), settings.owner)).orphans
    mine = [each for each in left if each.name == settings.name]
    return [each for each in mine if each.kind not in ("image", "snapshot")]


def remains(
    name: str,
    left: Resources,
    baked: list[Image],
    taken: Sequence[Snapshot] = (),
    more: Sequence[Leftover] = (),
) -> str:
    """The resources that are left and their cost, in dollars a month on AWS."""
    if not (left.volume or baked or taken or more):
        return NOTHING
    lines = []
    if left.volume:
        month = rates.worst_month(0, left.volume.size, 0).at_rest
        lines.append(
            f"The volume {left.volume.volume_id} is kept and costs ${month:.2f} a month on AWS."
        )
    if baked:
        month = rates.snapshots(sum(each.size for each in baked))
        lines.append(
            f"{len(baked)} image{'s are' if len(baked) > 1 else ' is'} kept and cost"
            f"{'' if len(baked) > 1 else 's'} at most ${month:.2f} a month on AWS."
        )
    if left.volume or baked:
        lines.append(f"To delete that too: python runner.py destroy --delete-volume {name}")
    if taken:
        month = sum(map(snapshots.month, taken))
        lines.append(
            f"{_count(taken)} of the volume {'are' if len(taken) > 1 else 'is'} kept and cost"
            f"{'' if len(taken) > 1 else 's'} at most ${month:.2f} a month on AWS."
            + ("" if left.volume else " To delete that: python runner.py orphans --delete")
        )
    if more:
        lines.append(
            f"{', '.join(each.id for each in more)} of it: at most"
            f" ${sum(each.month for each in more):.2f} a month, too. Look: python runner.py orphans"
        )
    return "\n".join(lines)


def _count(taken: Sequence[Snapshot]) -> str:
    return f"{len(taken)} snapshot{'s' if len(taken) > 1 else ''}"


def options(parser: argparse.ArgumentParser) -> None:
    """Whether the data goes, too."""
    parser.add_argument(
        "--delete-volume", metavar="NAME", help="also delete the volume of the cloudtop NAME"
    )
    lose_work_option(parser)
