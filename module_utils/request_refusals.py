"""Refusals about a cloudtop's spot request and its machine: why, and what to do."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.cloudtop_resources import Image, InstanceType
from ansible.module_utils.ec2_ours import Cloudtop, RefusedError
from ansible.module_utils.ec2_requests import Picture, Request


def refuse_strangers(cloudtop: Cloudtop, picture: Picture) -> None:
    """Raise RefusedError for a second request, a machine of none, or a volume that others have."""
    name, volume = cloudtop.name, cloudtop.volume
    if len(picture.live) > 1:
        raise RefusedError(
            f"The cloudtop {name} has {len(picture.live)} live requests"
            f" ({', '.join(sorted(each.id for each in picture.live))}) and may have one, as each"
            " costs money; cancel the wrong one in EC2 and terminate its instance, or end them"
            " all: python runner.py destroy"
        )
    if picture.orphans:
        # Left by a request that was cancelled: it runs, and costs money, beside a new one
        way = (
            "end it: python runner.py destroy"
            if picture.live
            else "to end it, with its work saved, and have another: python runner.py provision"
        )
        raise RefusedError(
            f"The instance {', '.join(sorted(each['id'] for each in picture.orphans))} of the"
            f" cloudtop {name} still runs although its request has ended, and a cloudtop has one"
            f" machine; {way}"
        )
    if volume["instance"] not in ["", *picture.instances]:
        raise RefusedError(
            f"The volume {volume['id']} is attached to {volume['instance']}, which is no machine"
            f" of the cloudtop {name}, and it is never taken from another; detach it there, then"
            " run: python runner.py provision"
        )


def no_image(region: str, image: str, parameter: str) -> str:
    """The refusal if there is no image to launch from."""
    return (
        f"There is no image {image or f'under the SSM parameter {parameter}'} in {region}, or it"
        " may not be used from this account; run: python runner.py provision -e"
        " cloudtop_image=ami-…"
    )


def cannot_boot(image: Image, instance_type: InstanceType, fitting: str) -> str:
    """The refusal if a type can't boot the image; ``fitting`` is an image for it, or empty."""
    way = (
        f"to begin with the image of the settings: python runner.py provision -e"
        f" cloudtop_image={fitting}"
        if fitting
        else f"take a type of {image.architecture}, or an image for it: python runner.py"
        " provision -e cloudtop_image=ami-…"
    )
    return (
        f"The image {image.image_id} is for {image.architecture}, and {instance_type.instance_type}"
        f" runs {' and '.join(instance_type.architectures)}, so no machine would boot; {way}"
    )


def not_offered(cloudtop: Cloudtop, types: Sequence[str], zones: Sequence[str]) -> str:
    """The refusal if the volume's zone offers no type; ``zones`` are those that offer the first."""
    return (
        f"{' or '.join(types)} can't be had in {cloudtop.volume['zone']}, where the volume"
        f" {cloudtop.volume['id']} lies: {cloudtop.region} offers {types[0]} in"
        f" {', '.join(zones) or 'no zone'}, and a default subnet is needed there, too; run: python"
        " runner.py provision -e cloudtop_instance_type=ANOTHER"
    )


def no_machine(request: Request | None, request_id: str, deadline: int) -> str:
    """Why a request has no running machine, and what to do."""
    if request is None:
        return (
            f"EC2 does not show the request {request_id} any more; look again:"
            " python runner.py provision"
        )
    ways = {
        "dead": "it has ended, so make a new one: python runner.py provision",
        "refused": (
            "change what it names, then run: python runner.py destroy, then: python runner.py"
            " provision"
            if request.is_live
            else "it has ended; change what it named, then run: python runner.py provision"
        ),
        "stopped-by-user": "it did not start, so try again: python runner.py provision",
    }
    later = "look again later with: python runner.py provision"
    if rules.is_stopped_by_ec2(request.ec2):
        waiting = f"EC2 stopped the machine, and only EC2 starts it again; {later}"
    else:
        waiting = (
            f"after {deadline} s the request is kept and EC2 goes on trying, also for months, while"
            f" the volume costs money; {later}; to end the request: python runner.py destroy"
        )
    return (
        f"The request {request.id} has no running machine: it is {request.state}, and EC2 says"
        f" {request.code}: {request.message}; {ways.get(request.verdict, waiting)}"
    )


def missing(cloudtop: Cloudtop, picture: Picture, inventory: Sequence[str]) -> str:
    """Why there is no machine to log in to, or nothing. ``inventory`` names Ansible's hosts."""
    if len(picture.live) != 1 or not cloudtop.volume["id"]:
        return (
            f"There is no {'volume' if picture.live else 'live request'} of the cloudtop"
            f" {json.dumps(cloudtop.name)} of {cloudtop.owner} in {cloudtop.region}; run: python"
            " runner.py provision"
        )
    request = picture.live[0]
    instance = request.instance
    if request.verdict != "running" or not instance["address"]:
        return (
            f"The request {request.id} is {request.state} ({request.code}: {request.message}), and"
            f" its machine is {instance.get('state', 'not there')} with the public address"
            f" {instance.get('address') or 'none'}; run: python runner.py provision"
        )
    # Ansible skips a play whose hosts are not in the inventory, and calls that success
    if instance["id"] not in inventory:
        return (
            f"The inventory was read before EC2 showed {instance['id']}, the machine of"
            f" {request.id} (it has {', '.join(inventory) or 'no machine'}), or it is of another"
            " region; run it again: python runner.py converge"
        )
    return ""


def unstoppable(cloudtop: Cloudtop, request: Request | None) -> str:
    """Why the machine can't be stopped, and what to do; or nothing."""
    hindrance = rules.stop_hindrance(request.ec2 if request else None)
    if request is None or hindrance == "none":
        return (
            f"There is no live request of the cloudtop {json.dumps(cloudtop.name)} of"
            f" {cloudtop.owner} in {cloudtop.region}, so nothing runs that could be stopped; to"
            " make one: python runner.py provision"
        )
    reasons = {
        "open": (
            f"The request {request.id} has no machine to stop ({request.code}), and EC2 launches"
            " one as soon as it can; to keep it from that: python runner.py destroy"
        ),
        "one-time": (
            f"The request {request.id} is one-time, and EC2 stops machines of persistent requests"
            " only; to end it, keeping the volume: python runner.py destroy"
        ),
        "by-ec2": (
            f"EC2 itself stopped the machine of {request.id} ({request.code}) and starts it again"
            " when it can, so it cannot be kept stopped; to end it, keeping the volume: python"
            " runner.py destroy"
        ),
    }
    return reasons.get(hindrance, "")


def unstartable(cloudtop: Cloudtop, request: Request | None) -> str:
    """Why nobody can start the machine, and what to do; or nothing."""
    hindrance = rules.start_hindrance(request.ec2 if request else None)
    if request is None or hindrance == "none":
        return (
            f"There is no live request of the cloudtop {json.dumps(cloudtop.name)} of"
            f" {cloudtop.owner} in {cloudtop.region}, so there is no machine to start; to make one,"
            " with the same volume: python runner.py provision"
        )
    reasons = {
        "open": (
            f"The request {request.id} has no machine that could be started ({request.code}), and"
            " EC2 launches one as soon as it can; to wait for it: python runner.py watch"
        ),
        "by-ec2": (
            f"EC2 itself stopped the machine of {request.id} ({request.code}), and only EC2 starts"
            " it again, when it can; to wait for it: python runner.py watch"
        ),
    }
    return reasons.get(hindrance, "")


def power_refusal(code: str, message: str) -> str:
    """EC2's refusal to stop or start a machine, and what to do."""
    remedies = {
        "IncorrectSpotRequestState": (
            "only EC2 starts a machine that EC2 stopped, and none whose request has ended; look"
            " with: python runner.py status"
        ),
        "UnsupportedOperation": (
            "a machine that cannot be stopped can be ended, with its volume kept: python runner.py"
            " destroy"
        ),
        "InsufficientInstanceCapacity": (
            "it has no room for one just now, and the machine stays stopped with its volume; try"
            " again later: python runner.py start"
        ),
        "SpotMaxPriceTooLow": (
            "the price is above the bid, and the machine stays stopped; try again later with python"
            " runner.py start, or bid more with python runner.py switch --bid MORE"
        ),
        "MaxSpotInstanceCountExceeded": (
            "the account's spot quota is used up by other machines; then try again: python"
            " runner.py start"
        ),
        "UnauthorizedOperation": (
            "ask for that permission, then try again; to see what there is: python runner.py status"
        ),
    }
    remedy = remedies.get(code, "look again with: python runner.py status")
    return f"EC2 refused ({code}: {' '.join(message.split()).removesuffix('.')}); {remedy}"
