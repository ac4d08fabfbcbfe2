"""The status of a cloudtop, from EC2 and from the machine itself.

Its values are the JSON of ``status --json``: fields are its keys, which are stable, and a part that
is not there is null. Sizes are GiB, money is dollars, times are ISO 8601 in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudtop import rates
from cloudtop.aws import images
from cloudtop.aws.find import Resources
from cloudtop.aws.request_state import why_ended
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.settings.clouds import Cloud
from cloudtop.settings.settings import Settings
from module_utils.cloudtop_resources import Image

DEFAULT_NAME = "cloudtop"

# One line a file: its name, then the JSON that a boot program left there. After them comes what is
# now, which these programs cannot know
ASK_MACHINE = """
for f in /run/cloudtop/*.json; do
    if [ -r "$f" ]; then printf '%s ' "${f##*/}"; tr -d '\\n' <"$f"; echo; fi
done
if [ -x /usr/local/bin/cloudtop-look ]; then
    printf '%s ' now.json; /usr/local/bin/cloudtop-look || echo
fi
"""


# Parts that a machine looks at anew
LOOKED_AT = ("persistent-mount", "ephemeral-raid")


@dataclass(frozen=True)
class RequestStatus:
    """The request; ``status`` and ``message`` are EC2's code and words."""

    id: str
    state: str
    status: str | None
    message: str | None
    type: str | None
    bid: float
    interruption: str
    image: str | None
    created: str | None
    valid_until: str | None


@dataclass(frozen=True)
class InstanceStatus:
    """The machine as EC2 shows it."""

    id: str
    type: str
    state: str
    zone: str
    address: str | None
    launched: str | None


@dataclass(frozen=True)
class VolumeStatus:
    """The volume."""

    id: str
    state: str
    size: int
    zone: str
    attached_to: tuple[str, ...]


@dataclass(frozen=True)
class ScheduleStatus:
    """The live schedule of snapshots, in numbers and in a sentence for people."""

    id: str
    hours: int
    keep: int
    state: str
    message: str
    sentence: str
    month_at_most: float


@dataclass(frozen=True)
class ImageStatus:
    """An image; ``baked`` is whether it is the cloudtop's own."""

    id: str
    name: str
    created: str
    state: str
    baked: bool


@dataclass(frozen=True)
class Sums:
    """Dollars by item, in whole cents; the total is rounded once, so the items may miss it by a
    cent."""

    machine: float
    address: float
    root: float
    volume: float
    snapshots: float
    replaced: float
    total: float


@dataclass(frozen=True)
class BudgetStatus:
    """How much of the budget is gone; ``level`` is fine, near or spent."""

    dollars: float
    percent: float
    level: str
    action: str
    warning: str


@dataclass(frozen=True)
class Money:
    """The bill of the month; ``at_most`` and ``notes`` are sentences on what is not certain.

    ``price``, ``bid`` and ``below_bid`` are dollars an hour.
    """

    month: str
    month_hours: float
    hours_run: float
    hours_at_most: bool
    price: float | None
    bid: float | None
    below_bid: float | None
    so_far: Sums
    projection: Sums
    worst: Sums
    at_most: tuple[str, ...]
    notes: tuple[str, ...]
    budget: BudgetStatus | None


@dataclass(frozen=True)
class Status:
    """The whole status.

    ``image`` is what the request launches from, ``images`` are the cloudtop's own, newest first;
    ``machine`` is what the machine says, by the names of its programs.
    """

    name: str
    owner: str
    cloud: str
    region: str
    request: RequestStatus | None
    instance: InstanceStatus | None
    volume: VolumeStatus | None
    schedule: ScheduleStatus | None
    image: ImageStatus | None
    images: tuple[ImageStatus, ...]
    next_relaunch: str
    # A machine that its request's end has left running, in words; empty for none. With no live
    # request it is ``instance``, too
    left: str
    machine: Mapping[str, Any] | None
    host_key_differs: bool
    money: Money | None
    worst_month: float
    login: str

    @property
    def journal(self) -> object:
        """The machine's journal of reaps, as it says; None if it says nothing."""
        return self.machine.get("reaps") if self.machine else None


def gather(
    settings: Settings,
    cloud: Cloud,
    resources: Resources,
    baked: Sequence[Image] = (),
    pinned: Image | None = None,
    login: PinnedMachine | None = None,
    timer: Schedule | None = None,
) -> Status:
    """The status, but for ``money``, which bill_facts adds.

    ``baked`` are the cloudtop's own images, newest first, and ``pinned`` is the one that the
    request launches from; ``login`` is the machine, asked for its own view; ``timer`` is the live
    schedule of snapshots.
    """
    request, volume = resources.request, resources.volume
    bid = (request.spot_price if request else 0) or settings.bid
    size = volume.size if volume else settings.volume_size
    kept = timer.keep if timer else settings.snapshots_kept
    machine = ask_machine(login) if login else None
    return Status(
        name=settings.name,
        owner=settings.owner,
        cloud=cloud.name,
        region=settings.region,
        request=_request(resources, bid),
        instance=_instance(resources),
        volume=_volume(resources),
        schedule=_schedule(timer, size) if timer else None,
        image=_image(pinned, images.is_baked(pinned, list(baked))) if pinned else None,
        images=tuple(_image(each, True) for each in baked),
        next_relaunch=images.next_relaunch(pinned, list(baked)),
        left=_left(settings, resources),
        machine=machine,
        host_key_differs=bool(login and machine is None and login.has_other_key()),
        money=None,
        worst_month=round(rates.worst_month(bid, size, settings.root_size, kept).total, 2),
        login=login_command(settings.name),
    )


def ask_machine(machine: PinnedMachine) -> dict[str, Any] | None:
    """The reports of the programs on the machine: file stem to its JSON.

    The machine's look at itself now comes before the words of a boot program.
    """
    answer = machine.ask(ASK_MACHINE)
    if answer is None:
        return None
    report: dict[str, Any] = {}
    for line in answer.splitlines():
        name, _, text = line.partition(" ")
        try:
            report[name.removesuffix(".json")] = json.loads(text)
        except (ValueError, RecursionError):
            report[name.removesuffix(".json")] = {"message": "its status file is not readable"}
    return _as_of_now(report, report.pop("now", None))


def _as_of_now(report: dict[str, Any], now: object) -> dict[str, Any]:
    """The reports with what the machine sees now; a machine of an older converge cannot look."""
    if isinstance(now, dict):
        for name, part in now.items():
            written = report.get(name)
            if isinstance(part, dict):
                report[name] = {**(written if isinstance(written, dict) else {}), **part}
        return report
    for name in LOOKED_AT:
        written = report.get(name)
        if isinstance(written, dict) and written.get("message"):
            was = f"{written['message']} (as its boot left it; now: python runner.py converge)"
            report[name] = {**written, "message": was}
    return report


def login_command(name: str) -> str:
    """The command that logs in to a cloudtop."""
    return "python runner.py ssh" + ("" if name == DEFAULT_NAME else f" --name {name}")


def _request(resources: Resources, bid: float) -> RequestStatus | None:
    request = resources.request
    if request is None:
        return None
    return RequestStatus(
        id=request.spot_instance_request_id,
        state=request.state,
        status=request.status_code or None,
        message=request.status_message or None,
        type=request.instance_type or None,
        bid=bid,
        interruption=request.instance_interruption_behavior,
        image=request.image_id or None,
        created=_time(request.create_time),
        valid_until=_time(request.valid_until),
    )


def _left(settings: Settings, resources: Resources) -> str:
    """A machine whose request has ended, in words; empty for none."""
    request, machine = resources.ended, resources.left
    if machine is None:
        return ""
    ended = f"{request.spot_instance_request_id} " if request else ""
    bid = (request.spot_price if request else 0) or settings.bid
    month = rates.worst_month(bid, 0, settings.root_size)
    state = "still runs" if machine.state == "running" else f"is {machine.state}"
    beside = " beside the live one" if resources.request else ""
    return (
        f"The request {ended}has ended{why_ended(request)}, and its machine {machine.instance_id}"
        f" ({machine.instance_type}) {state}{beside} and costs up to"
        f" ${month.machine + month.root + month.address:.2f} a month. No request can take it over:"
        " to end it and keep the volume: python runner.py destroy"
        "; for a new one then: python runner.py provision"
    )


def _instance(resources: Resources) -> InstanceStatus | None:
    instance = resources.instance or (None if resources.request else resources.left)
    if instance is None:
        return None
    return InstanceStatus(
        id=instance.instance_id,
        type=instance.instance_type,
        state=instance.state,
        zone=instance.availability_zone,
        address=instance.public_ip_address or None,
        launched=_time(instance.launch_time),
    )


def _volume(resources: Resources) -> VolumeStatus | None:
    volume = resources.volume
    if volume is None:
        return None
    return VolumeStatus(
        id=volume.volume_id,
        state=volume.state,
        size=volume.size,
        zone=volume.availability_zone,
        attached_to=tuple(volume.instance_ids),
    )


def _schedule(timer: Schedule, gib: int) -> ScheduleStatus:
    return ScheduleStatus(
        id=timer.id,
        hours=timer.hours,
        keep=timer.keep,
        state=timer.state,
        message=timer.message,
        sentence=timer.sentence(gib),
        month_at_most=round(timer.month(gib), 2),
    )


def _image(image: Image, baked: bool) -> ImageStatus:
    return ImageStatus(image.image_id, image.name, image.creation_date, image.state, baked)


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
