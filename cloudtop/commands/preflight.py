"""Checks before anything is made, and the plan that they give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws import find as ec2
from cloudtop.aws import instance_types, snapshot_schedule
from cloudtop.aws.client import Client, plain_errors
from cloudtop.aws.find import Resources, Volume
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.errors import CloudtopError
from cloudtop.money import budget
from cloudtop.prices import bid_check
from cloudtop.rates import WorstMonth
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules

# "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", in vCPUs
STANDARD_SPOT_QUOTA = "L-34B43A08"
STANDARD_FAMILY = re.compile(r"[acdhimrtz]\d")
# EC2 User Guide, hibernate-spot-instances
HIBERNATION = (
    "Hibernation begins the moment EC2 gives notice: work on the array is not saved first. Without"
    " a hibernation agent and room for the memory on the root disk EC2 stops the machine instead,"
    " as sudden."
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

    @property
    def makes_request(self) -> bool:
        return self.resources.request is None


def check(settings: Settings, moves: bool = False, wait: bool = False) -> Plan:
    """Check credentials, zone, type, bid, image, key and quota without changing anything.

    With ``moves`` a volume in another zone than the wanted one is taken there; with ``wait`` the
    bid may be below EC2's price. Raises CloudtopError for the first thing that would not work.
    """
    check_key(settings)
    with plain_errors():
        account = aws.client("sts").get_caller_identity()["Account"]
    client = aws.client()
    check_bid(settings)
    budget.refuse(settings)
    zones = _zones(client)
    if settings.zone and settings.zone not in zones:
        raise CloudtopError(
            f"cloudtop_zone is {settings.zone!r}, which {settings.region} does not have for you.",
            f"Its zones are: {', '.join(zones)}",
        )
    infos = {each: _instance_type(client, settings, each) for each in settings.types}
    info = infos[settings.instance_type]
    _same_processor(settings, infos)
    offered = {each: _offered(client, each) for each in settings.types}
    resources = ec2.find(client, settings.name, settings.owner)
    zone = _zone(settings, None if moves and settings.zone else resources.volume, offered)
    if settings.image:
        with plain_errors():
            client.describe_images(ImageIds=[settings.image])
    storage = info.get("InstanceStorageInfo", {}).get("Disks", [])
    usable = rules.offered_types(settings.types, zone, offered)
    notes = [
        *rates.not_in_it(settings.types),
        *(
            f"{each} is not offered in {zone} and is passed over."
            for each in settings.types
            if zone and each not in usable
        ),
    ]
    for each in settings.types:
        notes += _quota_notes(each, infos[each]["VCpuInfo"]["DefaultVCpus"])
        if rates.bid_cap(each) is None:
            notes.append(
                f"There is no on-demand price of {each}: the bid was not compared with one."
            )
    if moves or resources.request is None:
        places = usable_places(client, zone, offered)
        notes += bid_check.notes(client, settings, places, wait=wait)
    live = snapshot_schedule.find(aws.client("dlm"), settings.name, settings.owner)
    ended = snapshot_schedule.note_on_end(live, settings.snapshot_hours)
    notes += filter(None, [budget.note_on_request(settings, resources.request), ended])
    if settings.interruption == "hibernate":
        notes.append(HIBERNATION)
    return Plan(
        resources=resources,
        account=account,
        vcpus=info["VCpuInfo"]["DefaultVCpus"],
        memory_mib=info["MemoryInfo"]["SizeInMiB"],
        disks=sum(disk["Count"] for disk in storage),
        disk_gb=storage[0]["SizeInGB"] if storage else 0,
        zone=zone,
        month=settings.worst_month(),
        notes=tuple(notes),
        snapshots=snapshot_schedule.sentence(
            settings.snapshot_hours, settings.snapshot_keep, settings.volume_size
        )
        if settings.snapshot_hours
        else "",
        live_schedule=live,
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
            f"Try: ssh-keygen -y -f {settings.ssh_key} > {public}",
        )
    if public.exists() and not settings.ssh_key.exists():
        raise CloudtopError(
            f"{public} has no private half beside it, so nobody could log in.",
            "Name another key: -e cloudtop_ssh_key=~/.ssh/id_ed25519",
        )


def _zones(client: Any) -> list[str]:
    with plain_errors():
        answer = client.describe_availability_zones(
            Filters=[{"Name": "zone-type", "Values": ["availability-zone"]}]
        )
    return sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"])


def _instance_type(client: Any, settings: Settings, wanted: str) -> Any:
    with plain_errors():
        pages = client.get_paginator("describe_instance_types").paginate(
            Filters=[{"Name": "instance-type", "Values": [wanted]}]
        )
        for page in pages:
            for info in page["InstanceTypes"]:
                if "spot" not in info.get("SupportedUsageClasses", ["spot"]):
                    raise CloudtopError(
                        f"EC2 does not sell {wanted} as a spot instance.",
                        "Try: -e cloudtop_instance_type=m5d.4xlarge",
                    )
                return info
    near = instance_types.similar(client, wanted)
    named = "type is" if wanted == settings.instance_type else "types has"
    raise CloudtopError(
        f"cloudtop_instance_{named} {wanted!r}, which EC2 does not have in this region.",
        f"Did you mean {' or '.join(near)}?"
        if near
        else "Try: -e cloudtop_instance_type=m5d.4xlarge",
    )


def _offered(client: Any, instance_type: str) -> list[str]:
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


def _same_processor(settings: Settings, infos: Mapping[str, Any]) -> None:
    """Every type has to boot the one image that all of them are asked for with."""
    able = {
        each: sorted(info["ProcessorInfo"]["SupportedArchitectures"])
        for each, info in infos.items()
    }
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


def _quota_notes(instance_type: str, vcpus: int) -> Iterable[str]:
    """A note on the spot vCPU quota, if the credentials may read it."""
    if not STANDARD_FAMILY.match(instance_type):
        return
    try:
        with plain_errors():
            quota = aws.client("service-quotas").get_service_quota(
                ServiceCode="ec2", QuotaCode=STANDARD_SPOT_QUOTA
            )["Quota"]["Value"]
    except CloudtopError:
        return
    if quota < vcpus:
        raise CloudtopError(
            f"Your spot quota is {quota:g} vCPUs and {instance_type} has {vcpus}.",
            "Ask for more of 'All Standard Spot Instance Requests' in Service Quotas",
        )
    yield f"Spot quota: {quota:g} vCPUs, of which this takes {vcpus}."
