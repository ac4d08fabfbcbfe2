"""``runner.py switch``: another type, bid, image or zone for a cloudtop, with the same data."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from cloudtop.aws import client as aws
from cloudtop.aws import instance_types
from cloudtop.aws.find import Machine, Resources
from cloudtop.command import Context, confirm, lose_work_option, run_playbooks, wait_option
from cloudtop.commands import bake, converge, orphans, switch_cost
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work
from cloudtop.preflight import plan as preflight
from cloudtop.settings.settings import Settings, load
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_rules import Difference

# Changes, each with its setting
SETTINGS = {
    "type": "instance_type",
    "bid": "bid",
    "interruption": "interruption",
    "image": "image",
    "zone": "zone",
}


def run(context: Context) -> None:
    """Show what changes, what it costs and how long it takes, ask once, and do it.

    Raises CloudtopError if there is no cloudtop, if EC2 can't give what is wanted (then
    nothing was changed), and for a no; killed anywhere and run again it goes on.
    ``--delete-old`` deletes the volumes that earlier switches have kept.
    """
    options, settings = context.options, context.settings
    if options.delete_old is not None:
        orphans.replaced_volumes(context, options.delete_old)
        return
    resources = context.find()
    moving = "" if resources.volume else rules.half_moved_zone(resources.half)
    if resources.volume is None and not moving:
        raise CloudtopError(
            f"The cloudtop {settings.name!r} has no volume in {settings.region}, so there is"
            " nothing to switch.",
            "Try: python runner.py provision",
        )
    if moving not in ("", settings.zone):
        raise CloudtopError(
            f"A switch of the cloudtop {settings.name!r} to {moving} is half done.",
            f"Bring it to its end: python runner.py {rules.command_of_half(resources.half)}",
        )
    plan = preflight.check(settings, moves=True, wait=options.wait, ends_left=True)
    own = bake.images_of(context)
    wanted_image, more_image, _ = bake.image_to_launch(context, resources.request, own)
    check_architecture(settings, wanted_image)
    changes = differences(settings, resources, wanted_image)
    prepare, move, *provision = context.playbooks
    if resources.request and not changes:
        # A run that was cut off may have left the machine as it came
        print(f"The cloudtop {settings.name!r} already has that type, bid and image.")
        converge.run(replace(context, playbooks=provision), {"cloudtop_wait": options.wait})
        return
    doomed = save_work.machines(context)
    print(announcement(context, resources, changes, doomed))
    zone = rules.zone_to_move_to(zone_of(resources), settings.zone)
    print(switch_cost.describe(settings, resources, plan, zone, bool(wanted_image)))
    confirm(options.yes or context.dry, "Go on?")
    # The long step first: while the zone can't be had, the machine stays as it is
    if zone:
        save_work.check(context, doomed, resources.volume)
        run_playbooks(context, [prepare], {"cloudtop_switch_zone": zone})
    # An answer and a copy may take long: another machine may run by now
    doomed = save_work.machines(context)
    with save_work.ending(context, doomed, resources.volume):
        if zone:
            run_playbooks(context, [move], {"cloudtop_switch_zone": zone})
        # A dry run has taken nothing to the zone, and the next playbook goes on as if it had
        moved = {"cloudtop_switch_zone": zone} if context.dry else {}
        more = {"cloudtop_switch": True, "cloudtop_wait": options.wait, **moved, **more_image}
        converge.run(replace(context, playbooks=provision), more)
    if context.dry:
        return
    if advice := lasting(settings, load(), changes):
        print(advice)


def zone_of(resources: Resources) -> str:
    return resources.volume.availability_zone if resources.volume else ""


def check_architecture(settings: Settings, wanted_image: str) -> None:
    """Refuse an image that the type can't boot, before a machine is ended for it.

    An empty ``wanted_image`` is what the SSM parameter names.
    """
    client = aws.client()
    kind = instance_types.describe(client, settings.instance_type)
    of_settings = instance_types.image_of_settings(client, settings)
    ident = wanted_image or of_settings
    if not ident:
        # EC2 did not say what the parameter holds: the playbook asks again
        return
    image = instance_types.image_of(client, ident)
    if kind and not rules.boots(image, kind):
        fitting = of_settings if of_settings != ident else "AMI"
        raise CloudtopError(
            f"The image {ident} is for {image.architecture}, and"
            f" {settings.instance_type} runs {' and '.join(kind.architectures)}.",
            f"Try another type, or an image for it: --image {fitting}",
        )


def differences(settings: Settings, resources: Resources, wanted_image: str) -> list[Difference]:
    """The unwanted properties of the volume and of a live request."""
    changes = []
    if zone := rules.zone_to_move_to(zone_of(resources), settings.zone):
        changes.append(Difference("zone", zone_of(resources), zone))
    if resources.request:
        changes += rules.differences(
            resources.request,
            [settings.instance_type],
            settings.bid,
            settings.interruption,
            wanted_image,
            valid_until=settings.valid_until,
        )
    return changes


def _shown(change: Difference) -> str:
    now, wanted = change.now, change.wanted
    if change.what == "bid":
        now, wanted = f"${now:g}/h", f"${wanted:g}/h"
    return f"{now or '?'} -> {wanted}"


def announcement(
    context: Context,
    resources: Resources,
    changes: list[Difference],
    doomed: Sequence[Machine],
) -> str:
    """The changes, what ends and what is kept, for the question."""
    settings, volume = context.settings, resources.volume
    lines = [f"This switches the cloudtop {settings.name!r} of {settings.owner}:"]
    lines += [f"  {each.what:<12} {_shown(each)}" for each in changes]
    if resources.request:
        lines.append(f"The spot request {resources.request.spot_instance_request_id} is cancelled.")
    else:
        lines.append(
            f"It has no request: {settings.instance_type} is asked for at ${settings.bid:g}/h."
        )
    lines += [
        f"The machine {each.instance_id} is ended, with all on {settings.ephemeral_mount} and its"
        " root disk; git work trees with work found nowhere else are saved to the volume first."
        for each in doomed
    ]
    if volume and rules.zone_to_move_to(zone_of(resources), settings.zone):
        lines.append(
            f"The data on the volume {volume.volume_id} is copied to a new one in"
            f" {settings.zone}. The old one and a snapshot of it are kept."
        )
    elif volume:
        lines.append(f"The volume {volume.volume_id} stays as it is.")
    return "\n".join(lines)


def lasting(wanted: Settings, written: Settings, changes: list[Difference]) -> str:
    """Lines of settings for a later provision to ask for the same; empty if the files say so.

    A zone that is not written down is the volume's.
    """
    lines = [
        f"  cloudtop_{key}: {getattr(wanted, key)}"
        for key in (SETTINGS[each.what] for each in changes)
        if getattr(wanted, key) != getattr(written, key) and (key != "zone" or written.zone)
    ]
    heading = "\nA later provision asks for the same with this in settings_local.yml:\n"
    return heading + "\n".join(lines) if lines else ""


def options(parser: argparse.ArgumentParser) -> None:
    """Other values; each is a setting, as if given with ``-e``."""
    for option, setting, metavar, text in (
        ("--type", "instance_type", "TYPE", "another instance type"),
        ("--bid", "bid", "DOLLARS", "another bid, an hour"),
        ("--image", "image", "AMI", "another image"),
        ("--zone", "zone", "ZONE", "another zone: the volume is copied there"),
    ):
        parser.add_argument(
            option,
            dest="given",
            action="append",
            type=f"cloudtop_{setting}={{}}".format,
            metavar=metavar,
            help=text,
        )
    parser.add_argument(
        "--delete-old", metavar="NAME", help="delete the replaced volumes of the cloudtop NAME"
    )
    lose_work_option(parser)
    wait_option(parser)
