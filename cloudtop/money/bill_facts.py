"""The facts of a cloudtop's bill, from EC2, and the bill as status shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cloudtop import rates
from cloudtop.aws import find as ec2
from cloudtop.aws.client import plain_errors
from cloudtop.aws.find import Resources
from cloudtop.errors import CloudtopError
from cloudtop.money import bill, budget, earlier_machines
from cloudtop.money.bill import Disk, Facts
from cloudtop.money.earlier_machines import Run
from cloudtop.money.journal_cache import Journals
from cloudtop.money.uptime import Machine, month_of, uptime
from cloudtop.prices import history
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules
from spotprices.files import Prices, Table

RATES = {"gp3": rates.GP3_PER_GIB_MONTH, "gp2": rates.GP2_PER_GIB_MONTH}
# Seconds by which this computer's clock may be behind EC2's before that is worth a word
SLACK = 60


def money(
    client_factory: Callable[[], Any],
    settings: Settings,
    resources: Resources,
    journals: Journals,
    now: int,
) -> dict[str, Any]:
    """The part ``money`` of ``status --json``; its keys are stable, money is dollars.

    ``journals`` has the machine's times away; ``now`` is in seconds since 1970. ``notes`` say
    which facts are missing.
    """
    facts, notes = gather(client_factory, settings, resources, journals, now)
    sums = bill.bill(facts)
    standing = budget.standing(settings, sums.so_far.total, bool(sums.at_most))
    return {
        **bill.as_json(facts, sums),
        "notes": notes,
        "budget": standing and standing.as_json(),
    }


def gather(
    client_factory: Callable[[], Any],
    settings: Settings,
    resources: Resources,
    journals: Journals,
    now: int,
) -> tuple[Facts, list[str]]:
    """The facts of a bill, and sentences on those that are missing."""
    client, month = client_factory(), month_of(now)
    request, instance, volume = resources.request, resources.instance, resources.volume
    created, machine = _seconds(request, "CreateTime"), _machine(instance, now)
    notes = _clock_notes(now, created, machine)
    ran = earlier_machines.runs(now, created, journals.earlier)
    prices, snapshots = None, []
    try:
        prices = _prices(client, resources, month.start, now) if request else None
    except CloudtopError as error:
        notes.append(f"the price is unknown: {error.message}")
    try:
        snapshots = _snapshots(client, settings)
    except CloudtopError as error:
        notes.append(f"snapshots are missing: {error.message}")
    replaced = []
    try:
        replaced = _replaced(client, settings)
    except CloudtopError as error:
        notes.append(f"replaced volumes are missing: {error.message}")
    volume_created = _seconds(volume, "CreateTime")
    notes += earlier_machines.notes(now, created, volume_created, journals.earlier, ran)
    if not created and "cloudtop:formatted" in rules.tags_of(volume):
        notes.append(
            "machine hours are missing: their journal is on the volume, and no machine can read it"
            " now"
        )
    return Facts(
        month=month,
        now=now,
        uptime=uptime(now, created, machine, _changed(request), journals.present),
        runs=bool(machine and machine.runs),
        stopped=bool(machine and not machine.runs),
        bid=float(request.get("SpotPrice") or settings.bid) if request else None,
        prices=prices,
        root=_root(client, settings, instance) if request else None,
        volume=_disk(volume) if volume else None,
        snapshots=snapshots,
        replaced=replaced,
        elastic=(volume_created or 0) if resources.address else None,
        earlier=ran,
        earlier_prices=_earlier_prices(client, ran, month.start, now),
    ), notes


def _seconds(resource: Any, key: str) -> int | None:
    moment = (resource or {}).get(key)
    return int(moment.timestamp()) if moment else None


def _changed(request: Any) -> int | None:
    """When the status of the request last changed."""
    return _seconds((request or {}).get("Status"), "UpdateTime")


def _machine(instance: Any, now: int) -> Machine | None:
    if not instance:
        return None
    launched = _seconds(instance, "LaunchTime")
    return Machine(
        id=instance["InstanceId"],
        launched=now if launched is None else launched,
        runs=rules.machine_state(instance) not in rules.STOPPING,
    )


def _clock_notes(now: int, created: int | None, machine: Machine | None) -> list[str]:
    if max(created or 0, machine.launched if machine else 0) <= now + SLACK:
        return []
    return ["this computer's clock is behind EC2's, so machine hours are counted wrongly"]


def _prices(client: Any, resources: Resources, start: int, now: int) -> Prices:
    """The prices of the machine's type and zone. Raises CloudtopError if there are none."""
    instance, asked = resources.instance, (resources.request or {}).get("LaunchSpecification", {})
    source = instance or asked
    kind = source.get("InstanceType", "")
    zone = source.get("Placement", {}).get("AvailabilityZone", "")
    series = history.fetch(lambda: client, [kind], [zone], start, now).get((kind, zone))
    if series is None:
        raise CloudtopError(f"EC2 has no price history of {kind} in {zone}.")
    return series


def _earlier_prices(client: Any, ran: Sequence[Run], start: int, now: int) -> Table:
    """The prices of what ran before, as far as EC2 has them; a volume told the names."""
    if not ran:
        return {}
    kinds, zones = (sorted(set(each)) for each in zip(*(run.place for run in ran), strict=True))
    try:
        return history.fetch(lambda: client, kinds, zones, start, now)
    except CloudtopError:
        return {}


def _snapshots(client: Any, settings: Settings) -> list[Disk]:
    """The cloudtop's own, those of its images with them: both have its tags."""
    with plain_errors():
        pages = client.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=ec2.tag_filters(settings.name, settings.owner)
        )
        listed = [each for page in pages for each in page["Snapshots"]]
    return [
        Disk(each["VolumeSize"], rates.SNAPSHOT_PER_GIB_MONTH, _seconds(each, "StartTime") or 0)
        for each in listed
    ]


def _replaced(client: Any, settings: Settings) -> list[Disk]:
    """Volumes that were put aside, and those that have yet to take a volume's place."""
    aside = {"Name": "tag:cloudtop:role", "Values": ["replaced", "restoring"]}
    with plain_errors():
        pages = client.get_paginator("describe_volumes").paginate(
            Filters=[*ec2.tag_filters(settings.name, settings.owner), aside]
        )
        return [_disk(each) for page in pages for each in page["Volumes"]]


def _root(client: Any, settings: Settings, instance: Any) -> Disk:
    """The machine's own root disk, or as the settings have it while EC2 shows none."""
    as_set = Disk(settings.root_size, rates.GP3_PER_GIB_MONTH)
    mapped = {
        each["DeviceName"]: each.get("Ebs", {}).get("VolumeId")
        for each in (instance or {}).get("BlockDeviceMappings", [])
    }
    ident = mapped.get((instance or {}).get("RootDeviceName"))
    if not ident:
        return as_set
    try:
        with plain_errors():
            (volume,) = client.describe_volumes(VolumeIds=[ident])["Volumes"]
    except CloudtopError:
        # It went with its machine just now
        return as_set
    return _disk(volume)


def _disk(volume: Any) -> Disk:
    rate = RATES.get(volume.get("VolumeType", ""), rates.GP3_PER_GIB_MONTH)
    return Disk(volume["Size"], rate, _seconds(volume, "CreateTime") or 0)
