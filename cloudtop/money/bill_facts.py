"""The facts of a cloudtop's bill, from EC2, and the bill as status shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cloudtop import rates
from cloudtop.aws import find as ec2
from cloudtop.aws.client import Client
from cloudtop.aws.find import Resources, Volume
from cloudtop.errors import CloudtopError
from cloudtop.machine.status import Money
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
    client_factory: Callable[[], Client],
    settings: Settings,
    resources: Resources,
    journals: Journals,
    now: int,
) -> Money:
    """The month's bill as status shows it.

    ``journals`` has the machine's times away; ``now`` is in seconds since 1970.
    """
    facts, notes = gather(client_factory, settings, resources, journals, now)
    sums = bill.bill(facts)
    standing = budget.standing(settings, sums.so_far.total, bool(sums.at_most))
    return bill.shown(facts, sums, notes, standing.shown() if standing else None)


def gather(
    client_factory: Callable[[], Client],
    settings: Settings,
    resources: Resources,
    journals: Journals,
    now: int,
) -> tuple[Facts, list[str]]:
    """The facts of a bill, and sentences on those that are missing."""
    client, month = client_factory(), month_of(now)
    # The machine of a request that has ended costs what it cost before
    request = resources.request or resources.ended
    instance = resources.instance or (None if resources.request else resources.left)
    volume = resources.volume
    created = _seconds(request.create_time) if request else None
    changed = _seconds(request.status_update_time) if request else None
    machine = _machine(instance, now)
    notes = _clock_notes(now, created, machine)
    ran = earlier_machines.runs(now, created, journals.earlier)
    prices, snapshots = None, []
    try:
        prices = _prices(client, instance or request, month.start, now) if request else None
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
    volume_created = _seconds(volume.create_time) if volume else None
    notes += earlier_machines.notes(now, created, volume_created, journals.earlier, ran)
    if not created and volume and "cloudtop:formatted" in volume.tags:
        notes.append(
            "machine hours are missing: their journal is on the volume, and no machine can read it"
            " now"
        )
    return Facts(
        month=month,
        now=now,
        uptime=uptime(now, created, machine, changed, journals.present),
        runs=bool(machine and machine.runs),
        stopped=bool(machine and not machine.runs),
        bid=(request.spot_price or settings.bid) if request else None,
        prices=prices,
        root=_root(client, settings, instance) if request else None,
        volume=_disk(volume) if volume else None,
        snapshots=snapshots,
        replaced=replaced,
        elastic=(volume_created or 0) if resources.address else None,
        earlier=ran,
        earlier_prices=_earlier_prices(client, ran, month.start, now),
    ), notes


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None


def _machine(instance: ec2.Machine | None, now: int) -> Machine | None:
    if not instance:
        return None
    launched = _seconds(instance.launch_time)
    return Machine(
        id=instance.instance_id,
        launched=now if launched is None else launched,
        runs=instance.state not in rules.STOPPING,
    )


def _clock_notes(now: int, created: int | None, machine: Machine | None) -> list[str]:
    if max(created or 0, machine.launched if machine else 0) <= now + SLACK:
        return []
    return ["this computer's clock is behind EC2's, so machine hours are counted wrongly"]


def _prices(client: Client, source: ec2.Machine | ec2.Request, start: int, now: int) -> Prices:
    """The prices of the machine's type and zone. Raises CloudtopError if there are none."""
    kind, zone = source.instance_type, source.availability_zone
    series = history.fetch(lambda: client, [kind], [zone], start, now).get((kind, zone))
    if series is None:
        raise CloudtopError(f"EC2 has no price history of {kind} in {zone}.")
    return series


def _earlier_prices(client: Client, ran: Sequence[Run], start: int, now: int) -> Table:
    """The prices of what ran before, as far as EC2 has them; a volume told the names."""
    if not ran:
        return {}
    kinds, zones = (sorted(set(each)) for each in zip(*(run.place for run in ran), strict=True))
    try:
        return history.fetch(lambda: client, kinds, zones, start, now)
    except CloudtopError:
        return {}


def _snapshots(client: Client, settings: Settings) -> list[Disk]:
    """The cloudtop's own, those of its images with them: both have its tags."""
    return [
        Disk(each.volume_size, rates.SNAPSHOT_PER_GIB_MONTH, _seconds(each.start_time) or 0)
        for each in ec2.snapshots(client, ec2.tag_filters(settings.name, settings.owner))
    ]


def _replaced(client: Client, settings: Settings) -> list[Disk]:
    """Volumes that were put aside, and those that have yet to take a volume's place."""
    name, owner = settings.name, settings.owner
    volumes = ec2.volumes(client, ec2.tag_filters(name, owner))
    by_role = rules.volumes_by_role(volumes, name, owner)
    return [_disk(each) for each in by_role.replaced + by_role.half]


def _root(client: Client, settings: Settings, instance: ec2.Machine | None) -> Disk:
    """The machine's own root disk, or as the settings have it while EC2 shows none."""
    as_set = Disk(settings.root_size, rates.GP3_PER_GIB_MONTH)
    if not instance or not instance.root_volume_id:
        return as_set
    by_id: ec2.Filters = [{"Name": "volume-id", "Values": [instance.root_volume_id]}]
    try:
        # There is none if it went with its machine just now
        disks = [_disk(each) for each in ec2.volumes(client, by_id)]
    except CloudtopError:
        return as_set
    return disks[0] if disks else as_set


def _disk(volume: Volume) -> Disk:
    rate = RATES.get(volume.volume_type, rates.GP3_PER_GIB_MONTH)
    return Disk(volume.size, rate, _seconds(volume.create_time) or 0)
