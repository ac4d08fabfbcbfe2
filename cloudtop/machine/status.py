"""The status of a cloudtop, from EC2 and from the machine itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloudtop import rates
from cloudtop.aws import images
from cloudtop.aws.find import Resources
from cloudtop.aws.images import Image
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.machine.login import (
    ask_machine,
    login,
    pin_from_tag,
    pinned_differs,
    target_of,
)
from cloudtop.settings.clouds import Cloud
from cloudtop.settings.settings import Settings


def gather(
    settings: Settings,
    cloud: Cloud,
    resources: Resources,
    baked: Sequence[Image] = (),
    pinned: Image | None = None,
    ask: bool = True,
    timer: Schedule | None = None,
) -> dict[str, Any]:
    """The whole status, as ``status --json`` prints it.

    Keys are stable; a part that is not there is null. Sizes are GiB, money is dollars.
    ``baked`` are the cloudtop's own images, newest first, and ``pinned`` is the one that the
    request launches from; ``ask`` logs in to the machine for its own view; ``timer`` is the live
    schedule of snapshots. ``money`` is added by bill_facts.
    """
    request, instance, volume = resources.request, resources.instance, resources.volume
    bid = float(request["SpotPrice"]) if request and request.get("SpotPrice") else settings.bid
    size = volume["Size"] if volume else settings.volume_size
    kept = timer.keep if timer else settings.snapshots_kept
    month = rates.worst_month(bid, size, settings.root_size, kept)
    target = target_of(settings, cloud, instance) if ask else None
    machine = None
    if target:
        pin_from_tag(target, volume)
        machine = ask_machine(target)
    return {
        "name": settings.name,
        "owner": settings.owner,
        "cloud": cloud.name,
        "region": settings.region,
        "request": request
        and {
            "id": request["SpotInstanceRequestId"],
            "state": request["State"],
            "status": request.get("Status", {}).get("Code"),
            "message": request.get("Status", {}).get("Message"),
            "type": request.get("LaunchSpecification", {}).get("InstanceType"),
            "bid": bid,
            "interruption": request.get("InstanceInterruptionBehavior", "terminate"),
            "image": request.get("LaunchSpecification", {}).get("ImageId"),
            "created": _time(request.get("CreateTime")),
            "valid_until": _time(request.get("ValidUntil")),
        },
        "instance": instance
        and {
            "id": instance["InstanceId"],
            "type": instance["InstanceType"],
            "state": instance["State"]["Name"],
            "zone": instance["Placement"]["AvailabilityZone"],
            "address": instance.get("PublicIpAddress"),
            "launched": _time(instance.get("LaunchTime")),
        },
        "volume": volume
        and {
            "id": volume["VolumeId"],
            "state": volume["State"],
            "size": volume["Size"],
            "zone": volume["AvailabilityZone"],
            "attached_to": [each["InstanceId"] for each in volume.get("Attachments", [])],
        },
        "schedule": timer and timer.as_json(size),
        "image": pinned and pinned.as_json(),
        "images": [each.as_json() for each in baked],
        "next_relaunch": images.next_relaunch(pinned, list(baked)),
        "machine": machine,
        "host_key_differs": bool(target and machine is None and pinned_differs(target)),
        "money": None,
        "worst_month": round(month.total, 2),
        "login": login(settings.name),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
