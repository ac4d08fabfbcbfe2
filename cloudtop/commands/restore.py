"""``runner.py restore``: a snapshot takes the place of the volume, and the old volume is kept."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws import snapshots
from cloudtop.aws.find import Resources
from cloudtop.aws.snapshots import Snapshot
from cloudtop.command import Context, confirm, lose_work_option, run_playbooks
from cloudtop.commands import orphans
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work
from module_utils import cloudtop_rules as rules


def run(context: Context) -> None:
    """Show what happens and what it costs, ask once, do it, say what comes next.

    Raises CloudtopError if there is no such snapshot, for a no, and if it went wrong;
    run again it goes on. ``--delete-old`` deletes the volumes that earlier restores have kept.
    """
    options, settings = context.options, context.settings
    if options.delete_old is not None:
        orphans.replaced_volumes(context, options.delete_old)
        return
    chosen = choose(
        snapshots.of_cloudtop(aws.client(), settings.name, settings.owner), options.snapshot
    )
    resources = context.find()
    has_request = resources.request is not None
    done = rules.is_restored(
        resources.volume, chosen.id, has_request, resources.half, options.again
    )
    if resources.volume and done:
        print(
            f"The volume {resources.volume['VolumeId']} was made of {chosen.title} ({chosen.id})"
            " and no machine has it: nothing was changed.\n"
            f"To have it anew: python runner.py restore {chosen.title} --again\n"
            "To have a machine with it: python runner.py provision"
        )
        return
    doomed = save_work.machines(context)
    print(announcement(settings.name, resources, chosen, doomed))
    confirm(options.yes, "Go on?")
    given = {"cloudtop_restore_from": chosen.id, "cloudtop_restore_again": options.again}
    *first, last = context.playbooks
    save_work.check(context, doomed, resources.volume)
    # The new volume first: while it can't be had, the machine and the old one stay as they are
    run_playbooks(context, first, given)
    # An answer and a copy may take long: another machine may run by now
    doomed = save_work.machines(context)
    with save_work.ending(context, doomed, resources.volume):
        run_playbooks(context, [last], given)
    print("\n" + outcome(context.find(), chosen))


def choose(known: list[Snapshot], wanted: str) -> Snapshot:
    """The snapshot of that label or id. Raises CloudtopError if it can't be restored."""
    fits = [each for each in known if wanted in (each.id, each.label) and each.state != "error"]
    if not fits:
        labels = ", ".join(each.title for each in known) or "none"
        raise CloudtopError(
            f"There is no snapshot {wanted!r} of this cloudtop's volume; there is: {labels}.",
            "Try: python runner.py snapshot --list",
        )
    if fits[0].state != "completed":
        raise CloudtopError(
            f"The snapshot {fits[0].title} is {fits[0].state} at {fits[0].progress}; it has to be"
            " completed before it can be restored.",
            f"Try: python runner.py snapshot {fits[0].label}, which waits for it"
            if fits[0].label
            else "Try again when python runner.py snapshot --list shows it as completed",
        )
    return fits[0]


def announcement(
    name: str, resources: Resources, chosen: Snapshot, doomed: Sequence[Mapping[str, Any]] = ()
) -> str:
    """The changes and costs of a restore, for the question."""
    old: Any = resources.volume
    gib = max(chosen.gib, old["Size"] if old else 0)
    month = rates.worst_month(0, gib, 0).volume
    ident = "" if chosen.title == chosen.id else f"{chosen.id}, "
    lines = [
        f"This makes the cloudtop {name!r} a volume of the snapshot {chosen.title} ({ident}begun"
        f" {chosen.begun[:16].replace('T', ' ')} UTC):",
        f"  a new volume of {gib} GiB, ${month:.2f} a month on AWS",
    ]
    if resources.request:
        lines.append(
            f"  the spot request {resources.request['SpotInstanceRequestId']} is cancelled"
        )
    lines += [
        f"  the machine {each['InstanceId']} is ended, with all on its own disks;"
        " unsaved work goes to the old volume first"
        for each in doomed
    ]
    if old:
        kept = rates.worst_month(0, old["Size"], 0).volume
        lines.append(
            f"It keeps the old volume {old['VolumeId']}, {old['Size']} GiB, for ${kept:.2f} a month"
            f" until: python runner.py restore --delete-old {name}"
        )
    return "\n".join(lines)


def outcome(resources: Resources, chosen: Snapshot) -> str:
    """The volume as it is now. Raises CloudtopError if it is not of the snapshot."""
    volume: Any = resources.volume or {}
    if rules.origin_of(volume) != chosen.id:
        raise CloudtopError(
            f"EC2 does not show a volume of {chosen.title} in the place of the old one.",
            f"Run it again: python runner.py restore {chosen.title}",
        )
    return (
        f"The volume is now {volume['VolumeId']}, as it was in {chosen.title}."
        "\nTo have a machine with it: python runner.py provision"
    )


def options(parser: argparse.ArgumentParser) -> None:
    """Which snapshot is put back, or which old volume is not needed any more."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "snapshot", nargs="?", metavar="LABEL|ID", help="a snapshot of snapshot --list"
    )
    what.add_argument(
        "--delete-old", metavar="NAME", help="delete the replaced volumes of the cloudtop NAME"
    )
    parser.add_argument(
        "--again", action="store_true", help="restore again, even if that was done just now"
    )
    lose_work_option(parser)
