"""``runner.py restore``: a snapshot takes the place of the volume, and the old volume is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws import snapshots
from cloudtop.aws.find import Machine, Resources, Snapshot
from cloudtop.aws.snapshots import begun, title
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
    name, has_request = title(chosen), resources.request is not None
    done = rules.is_restored(
        resources.volume, chosen.snapshot_id, has_request, resources.half, options.again
    )
    if resources.volume and done:
        print(
            f"The volume {resources.volume.volume_id} was made of {name} ({chosen.snapshot_id})"
            " and no machine has it: nothing was changed.\n"
            f"To have it anew: python runner.py restore {name} --again\n"
            "To have a machine with it: python runner.py provision"
        )
        return
    doomed = save_work.machines(context)
    print(announcement(settings.name, resources, chosen, doomed))
    confirm(options.yes or context.dry, "Go on?")
    given = {"cloudtop_restore_from": chosen.snapshot_id, "cloudtop_restore_again": options.again}
    *first, last = context.playbooks
    save_work.check(context, doomed, resources.volume)
    # The new volume first: while it can't be had, the machine and the old one stay as they are
    run_playbooks(context, first, given)
    # An answer and a copy may take long: another machine may run by now
    doomed = save_work.machines(context)
    with save_work.ending(context, doomed, resources.volume):
        run_playbooks(context, [last], given)
    if context.dry:
        return
    print("\n" + outcome(context.find(), chosen))


def choose(known: list[Snapshot], wanted: str) -> Snapshot:
    """The snapshot of that label or id. Raises CloudtopError if it can't be restored."""
    chosen = rules.which_snapshot(known, wanted)
    if chosen is None:
        labels = ", ".join(map(title, known)) or "none"
        raise CloudtopError(
            f"There is no snapshot {wanted!r} of this cloudtop's volume; there is: {labels}.",
            "Try: python runner.py snapshot --list",
        )
    if chosen.state != "completed":
        raise CloudtopError(
            f"The snapshot {title(chosen)} is {chosen.state} at {chosen.progress}; it has to be"
            " completed before it can be restored.",
            f"Try: python runner.py snapshot {chosen.label}, which waits for it"
            if chosen.label
            else "Try again when python runner.py snapshot --list shows it as completed",
        )
    return chosen


def announcement(
    name: str, resources: Resources, chosen: Snapshot, doomed: Sequence[Machine] = ()
) -> str:
    """The changes and costs of a restore, for the question."""
    old = resources.volume
    gib = max(chosen.volume_size, old.size if old else 0)
    month = rates.worst_month(0, gib, 0).volume
    ident = f"{chosen.snapshot_id}, " if chosen.label else ""
    lines = [
        f"This makes the cloudtop {name!r} a volume of the snapshot {title(chosen)} ({ident}begun"
        f" {begun(chosen)[:16].replace('T', ' ')} UTC):",
        f"  a new volume of {gib} GiB, ${month:.2f} a month on AWS",
    ]
    if resources.request:
        lines.append(
            f"  the spot request {resources.request.spot_instance_request_id} is cancelled"
        )
    lines += [
        f"  the machine {each.instance_id} is ended, with all on its own disks;"
        " unsaved work goes to the old volume first"
        for each in doomed
    ]
    if old:
        kept = rates.worst_month(0, old.size, 0).volume
        lines.append(
            f"It keeps the old volume {old.volume_id}, {old.size} GiB, for ${kept:.2f} a month"
            f" until: python runner.py restore --delete-old {name}"
        )
    return "\n".join(lines)


def outcome(resources: Resources, chosen: Snapshot) -> str:
    """The volume as it is now. Raises CloudtopError if it is not of the snapshot."""
    volume, name = resources.volume, title(chosen)
    if volume is None or rules.origin_of(volume) != chosen.snapshot_id:
        raise CloudtopError(
            f"EC2 does not show a volume of {name} in the place of the old one.",
            f"Run it again: python runner.py restore {name}",
        )
    return (
        f"The volume is now {volume.volume_id}, as it was in {name}."
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
