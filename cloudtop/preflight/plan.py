"""Checks before anything is made, and the plan that they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from shlex import quote

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws import find as ec2
from cloudtop.aws import instance_types, snapshot_schedule
from cloudtop.aws.client import Client, plain_errors
from cloudtop.aws.find import Machine, Resources, Volume
from cloudtop.aws.request_state import end_is_near
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.errors import CloudtopError
from cloudtop.money import budget
from cloudtop.preflight import (
    account,
    checklist,
    key,
    network,
    permissions,
    quota,
    request,
    spot_role,
)
from cloudtop.preflight.checklist import Check, Look, Row
from cloudtop.prices import bid_check
from cloudtop.rates import WorstMonth
from cloudtop.settings.rules import NO_PROFILE
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import InstanceType

# EC2 User Guide, hibernate-spot-instances
HIBERNATION = (
    "Hibernation begins the moment EC2 gives notice: work on the array is not saved first. Without"
    " a hibernation agent and room for the memory on the root disk EC2 stops the machine instead,"
    " as sudden."
)
WITHOUT_ROLE = (
    "The machine has no role, so it can't act in EC2 by itself: after a reap its volume, and its"
    " Elastic IP, come when your computer does (python runner.py watch, or python runner.py"
    " converge); its journal"
    " lacks EC2's reasons and prices; it can't stop itself when idle."
)


@dataclass(frozen=True)
class Plan:
    """The resources that a provision would find or make, and the worst month of it in dollars."""

    resources: Resources
    account: str
    vcpus: int
    memory_mib: int
    disks: int
    disk_gb: int
    zone: str
    month: WorstMonth
    notes: tuple[str, ...]
    # The schedule of snapshots that is wanted, in words, empty for none
    snapshots: str = ""
    # The one that is there now
    live_schedule: Schedule | None = None
    # The facts behind it, for what provision makes first
    look: Look | None = None

    @property
    def left(self) -> Machine | None:
        """The machine of an ended request that gives way to another."""
        return self.resources.left if self.makes_request else None

    @property
    def makes_request(self) -> bool:
        return self.resources.request is None


def check(
    settings: Settings,
    moves: bool = False,
    wait: bool = False,
    say: Callable[[Row], None] | None = None,
    ends_left: bool = False,
) -> Plan:
    """Go through the checklist without changing anything.

    With ``moves`` a volume in another zone than the wanted one is taken there; with ``wait`` the
    bid may be below EC2's price; with ``ends_left`` a machine whose request has ended gives way to
    another; ``say`` gets each check's outcome. Raises CloudtopError for the first thing that would
    not work.
    """
    look = Look(settings, aws.client(), moves, wait, ends_left)
    checklist.run(CHECKS, look, say or (lambda _: None))
    return _plan(look)


def diagnose(settings: Settings, say: Callable[[Row], None], wait: bool = False) -> list[Row]:
    """All checks, also after one that fails; with ``wait`` as ``check`` has it."""
    return checklist.run(CHECKS, Look(settings, aws.client(), wait=wait), say, every=True)


def _plan(look: Look) -> Plan:
    """The plan of a look that went through the checklist."""
    settings, resources = look.settings, look.need("resources", "type")
    infos, offered = look.need("infos", "type"), look.need("offered", "type")
    info = infos[settings.instance_type]
    usable = rules.offered_types(settings.types, look.zone, offered)
    notes = [
        *rates.not_in_it(settings.types),
        *look.notes,
        *_on_profile(settings),
        *_on_date(settings),
        *filter(None, [end_is_near(resources.request and resources.request.valid_until)]),
        *(
            f"{each} is not offered in {look.zone} and is passed over."
            for each in settings.types
            if look.zone and each not in usable
        ),
    ]
    for each in settings.types:
        if rates.bid_cap(each) is None:
            notes.append(
                f"There is no on-demand price of {each}: the bid was not compared with one."
            )
    # Nothing of a live request can be changed
    kept = None if look.moves else resources.request
    live_bid = (kept.spot_price if kept else 0) or settings.bid
    live = snapshot_schedule.find(aws.client("dlm"), settings.name, settings.owner)
    ended = snapshot_schedule.note_on_end(live, settings.snapshot_hours)
    notes += filter(None, [budget.note_on_request(settings, resources.request), ended])
    if settings.interruption == "hibernate":
        notes += [HIBERNATION, *_short_root(settings, info.memory_mib)]
    return Plan(
        resources=resources,
        account=look.account,
        vcpus=info.vcpus,
        memory_mib=info.memory_mib,
        disks=info.store_disks,
        disk_gb=info.disks[0].size_gb if info.disks else 0,
        zone=look.zone,
        month=replace(settings, bid=live_bid).worst_month(),
        notes=tuple(notes),
        snapshots=snapshot_schedule.sentence(
            settings.snapshot_hours, settings.snapshot_keep, settings.volume_size
        )
        if settings.snapshot_hours
        else "",
        live_schedule=live,
        look=look,
    )


def _on_profile(settings: Settings) -> Iterable[str]:
    """Notes on what a machine can't do, or may not, without a role that cloudtop made."""
    if settings.instance_profile == NO_PROFILE:
        yield WITHOUT_ROLE
    elif settings.instance_profile:
        yield (
            f"The profile {settings.instance_profile} stays as it is. If its role lacks what"
            " docs/machine-policy.json allows, the machine needs your computer after each reap:"
            " python runner.py watch."
        )


def _on_date(settings: Settings) -> Iterable[str]:
    if last := rules.moment(settings.valid_until):
        yield (
            f"The request ends itself at {rules.date_of(last)}: EC2 launches no machine after that,"
            " and one that runs then goes on, and costs money, until destroy."
        )


def _short_root(settings: Settings, memory_mib: int) -> Iterable[str]:
    """A note if the memory does not fit on the root disk, where hibernation writes it."""
    if settings.root_size * 1024 <= memory_mib:
        yield (
            f"The root disk has {settings.root_size} GiB, and hibernation writes"
            f" {memory_mib / 1024:g} GiB of memory to it: EC2 would stop the machine instead. Try:"
            f" -e cloudtop_root_size={memory_mib // 1024 + 16}"
        )


def _see_zone(look: Look) -> str:
    look.need("account", "credentials")
    settings = look.settings
    look.zones = _zones(look.client)
    if settings.zone and settings.zone not in look.zones:
        raise CloudtopError(
            f"cloudtop_zone is {settings.zone!r}, which {settings.region} does not have for you.",
            f"Its zones are: {', '.join(look.zones)}",
        )
    return settings.zone or f"any of {', '.join(look.zones)}"


def _see_type(look: Look) -> str:
    settings, client = look.settings, look.client
    look.need("zones", "zone")
    infos = {each: _instance_type(client, settings, each) for each in settings.types}
    offered = {each: _offered(client, each) for each in settings.types}
    look.resources = ec2.find(client, settings.name, settings.owner)
    moved = look.moves and settings.zone
    look.zone = _zone(settings, None if moved else look.resources.volume, offered)
    look.infos, look.offered = infos, offered
    return f"{', '.join(settings.types)}; offered in {look.zone or settings.region}"


def _see_architecture(look: Look) -> str:
    settings = look.settings
    infos = look.need("infos", "type")
    _same_processor(settings, infos)
    image = instance_types.architecture(look.client, settings)
    able = infos[settings.instance_type].architectures
    if image not in able:
        named = settings.image or settings.image_parameter
        raise CloudtopError(
            f"The image ({named}) is for {image}, and {settings.instance_type} runs"
            f" {' and '.join(sorted(able))}.",
            "Try another type, or an image for it: -e cloudtop_image=ami-…",
        )
    return image


def _see_price(look: Look) -> str:
    check_bid(look.settings)
    budget.refuse(look.settings)
    resources, offered = look.need("resources", "type"), look.need("offered", "type")
    if look.moves or resources.request is None:
        check_date(look.settings)
        places = usable_places(look.client, look.zone, offered)
        look.notes += bid_check.notes(look.client, look.settings, places, wait=look.wait)
    return f"a bid of ${look.settings.bid:g} an hour"


def _see_key(look: Look) -> str:
    check_key(look.settings)
    path = look.settings.ssh_key
    return f"{path}" if path.exists() else f"{path}, which provision makes"


# In this order, as a later check needs what an earlier one saw
CHECKS: tuple[tuple[str, Check], ...] = (
    ("credentials", account.credentials),
    ("region", account.region),
    ("zone", _see_zone),
    ("type", _see_type),
    ("request", request.check),
    ("architecture", _see_architecture),
    ("price", _see_price),
    ("quota", quota.check),
    ("spot role", spot_role.check),
    ("key", key.check),
    ("permissions", permissions.check),
    ("network", network.check),
    ("ssh key", _see_key),
)


def check_date(settings: Settings) -> None:
    """Refuse a last date that is past, for a request that is to be made."""
    last = rules.moment(settings.valid_until)
    if last and last <= datetime.now(UTC):
        raise CloudtopError(
            f"cloudtop_valid_until is {settings.valid_until!r}, which is past: the request would"
            " end before its machine.",
            "Give a later one, or none: -e cloudtop_valid_until=",
        )


def check_bid(settings: Settings) -> None:
    """Refuse a bid that looks like a slip of the finger."""
    for each in settings.types:
        cap = rates.bid_cap(each)
        if cap is not None and settings.bid > cap and not settings.force_bid:
            raise CloudtopError(
                f"cloudtop_bid is ${settings.bid:g} an hour, more than {rates.BID_CAP_FACTOR} times"
                f" the on-demand price of {each} (${cap / rates.BID_CAP_FACTOR:g}).",
                "Lower it, or mean it: -e cloudtop_force_bid=true",
            )


def check_key(settings: Settings) -> None:
    """A private key without its public half cannot be given to EC2."""
    public = settings.ssh_key.with_name(settings.ssh_key.name + ".pub")
    if settings.ssh_key.exists() and not public.exists():
        raise CloudtopError(
            f"The ssh key {settings.ssh_key} has no public half beside it.",
            f"Try: ssh-keygen -y -f {quote(str(settings.ssh_key))} > {quote(str(public))}",
        )
    if public.exists() and not settings.ssh_key.exists():
        raise CloudtopError(
            f"{public} has no private half beside it, so nobody could log in.",
            "Name another key: -e cloudtop_ssh_key=~/.ssh/id_ed25519",
        )


def _zones(client: Client) -> list[str]:
    with plain_errors():
        answer = client.describe_availability_zones(
            Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}]
        )
    return sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"])


def _instance_type(client: Client, settings: Settings, wanted: str) -> InstanceType:
    kind = instance_types.describe(client, wanted)
    if kind is not None:
        if kind.usage_classes and "spot" not in kind.usage_classes:
            raise CloudtopError(
                f"EC2 does not sell {wanted} as a spot instance.",
                "Try: -e cloudtop_instance_type=m5d.4xlarge",
            )
        return kind
    near = instance_types.similar(client, wanted)
    named = "type is" if wanted == settings.instance_type else "types has"
    raise CloudtopError(
        f"cloudtop_instance_{named} {wanted!r}, which EC2 does not have in this region.",
        f"Did you mean {' or '.join(near)}?"
        if near
        else "Try: -e cloudtop_instance_type=m5d.4xlarge",
    )


def _offered(client: Client, instance_type: str) -> list[str]:
    with plain_errors():
        answer = client.describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [instance_type]}],
        )
    return sorted(each["Location"] for each in answer["InstanceTypeOfferings"])


def usable_places(
    client: Client, zone: str, offered: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """By type, the zones that the request may be fulfilled in: ``zone``, or if that is empty
    every one that offers the type and has a default subnet."""
    if zone:
        return {each: [zone] for each, zones in offered.items() if zone in zones}
    with plain_errors():
        pages = client.get_paginator("describe_subnets").paginate(
            Filters=[{"Name": "default-for-az", "Values": ["true"]}]
        )
        with_subnet = {one["AvailabilityZone"] for page in pages for one in page["Subnets"]}
    return {each: sorted(with_subnet & set(zones)) for each, zones in offered.items()}


def _same_processor(settings: Settings, infos: Mapping[str, InstanceType]) -> None:
    """Every type has to boot the one image that all of them are asked for with."""
    able = {each: sorted(info.architectures) for each, info in infos.items()}
    first = able[settings.instance_type]
    for each in settings.types:
        if not set(able[each]) & set(first):
            raise CloudtopError(
                f"cloudtop_instance_types has {each}, which runs {' and '.join(able[each])}, and"
                f" {settings.instance_type} runs {' and '.join(first)}: one image does not fit"
                " both.",
                "Try: -e cloudtop_instance_types=m6id.4xlarge,c5d.4xlarge",
            )


def _zone(settings: Settings, volume: Volume | None, by_type: Mapping[str, list[str]]) -> str:
    """The zone of the request: the volume's, else the one asked for, else open ('').

    One of the types has to be offered there.
    """
    offered = sorted({zone for zones in by_type.values() for zone in zones})
    types = " or ".join(settings.types)
    lies = volume.availability_zone if volume else ""
    zone = rules.machine_zone(lies, settings.zone)
    if volume and rules.is_zone_refused(lies, settings.zone):
        raise CloudtopError(
            f"cloudtop_zone is {settings.zone}, but the persistent volume {volume.volume_id}"
            f" lies in {zone}, and a volume and its machine share a zone.",
            f"Try: -e cloudtop_zone={zone}, or take it there: python runner.py switch --zone"
            f" {settings.zone}",
        )
    usable = rules.offered_types(settings.types, zone, by_type)
    if zone and not usable:
        raise CloudtopError(
            f"{types} is not offered in {zone}.",
            f"It is in: {', '.join(offered) or 'no zone of this region'}",
        )
    if not usable:
        raise CloudtopError(
            f"{types} is offered in no zone of {settings.region}.",
            "Try another type or region: -e cloudtop_instance_type=i4i.4xlarge",
        )
    return zone
