"""The cost of a switch and its minutes, for the question."""

from __future__ import annotations

import time

from cloudtop import rates
from cloudtop.aws import client as aws
from cloudtop.aws.find import Resources, Volume
from cloudtop.errors import CloudtopError
from cloudtop.preflight.plan import Plan
from cloudtop.prices import history
from cloudtop.settings.settings import Settings
from spotprices.files import Table

# Without a machine, on AWS: EC2 ends the old one (up to a minute or two), launches the next and
# boots it; then the roles run, which is quick on an image that was baked
MINUTES_BAKED, MINUTES_BASE = 4, 8
# A snapshot of little, a volume of it, and the proof that it is whole
MINUTES_ZONE = 3
# Speed of a first snapshot, in MiB/s, a guess: AWS promises no rate ("can take several hours",
# EBS User Guide, "Create Amazon EBS snapshots")
SNAPSHOT_RATE = 100


def describe(
    settings: Settings, resources: Resources, plan: Plan, to_zone: str, baked: bool
) -> str:
    """Dollars now and at worst, before and after, what the plan notes, and the minutes without
    a machine."""
    lines = [*price_lines(settings, resources, to_zone), worst_line(settings, resources, plan)]
    if to_zone and resources.volume:
        lines += kept_lines(settings, resources.volume)
    return "\n".join([*lines, *plan.notes, *time_lines(resources, to_zone, baked)])


def places(settings: Settings, resources: Resources, to_zone: str) -> list[tuple[str, str]]:
    """Type and zone as they are, if there is a request, and as they are wanted."""
    zone = resources.volume.availability_zone if resources.volume else ""
    now = [(resources.request.instance_type, zone)] if resources.request else []
    return [*now, (settings.instance_type, to_zone or zone)]


def price_lines(settings: Settings, resources: Resources, to_zone: str) -> list[str]:
    """The spot price before and after, with a warning if the bid is below it."""
    wanted = places(settings, resources, to_zone)
    now = time.time()
    client = aws.client()
    try:
        table = history.fetch(
            lambda: client,
            sorted({kind for kind, _ in wanted}),
            sorted({zone for _, zone in wanted}),
            now,
            now,
        )
    except CloudtopError as error:
        return [f"The price now is unknown: {error.message}"]
    return [price_sentence(table, wanted, settings.bid, now)]


def price_sentence(table: Table, wanted: list[tuple[str, str]], bid: float, now: float) -> str:
    """The price of each place; the last one is that of the coming machine."""
    prices = {place: history.price_at(table[place], now) for place in wanted if place in table}
    sentences = [
        f"{kind} in {zone} ${prices[kind, zone]:.4f}/h" if (kind, zone) in prices
        else f"{kind} in {zone} unknown"
        for kind, zone in dict.fromkeys(wanted)
    ]  # fmt: skip
    text = f"The spot price now: {', '.join(sentences)}."
    if prices.get(wanted[-1], 0) > bid:
        text += f" It is above the bid of ${bid:g}/h: EC2 launches no machine until it falls."
    return text


def worst_line(settings: Settings, resources: Resources, plan: Plan) -> str:
    """The worst month, before and after."""
    after = f"${plan.month.total:.2f} a month"
    if not resources.request:
        return f"At worst it costs {after}."
    volume = resources.volume
    before = rates.worst_month(
        resources.request.spot_price,
        volume.size if volume else settings.volume_size,
        settings.root_size,
        plan.live_schedule.keep if plan.live_schedule else 0,
    )
    return f"At worst it costs {after}; it was ${before.total:.2f}."


def kept_lines(settings: Settings, volume: Volume) -> list[str]:
    """The cost of the old volume and its snapshot beside the new one."""
    old = rates.worst_month(0, volume.size, 0).volume
    return [
        f"The old volume costs ${old:.2f} a month until: python runner.py switch --delete-old"
        f" {settings.name}",
        f"The snapshot costs at most ${rates.snapshots(volume.size):.2f} a month while it is"
        " kept: python runner.py snapshot --list",
    ]


def time_lines(resources: Resources, to_zone: str, baked: bool) -> list[str]:
    """How long it takes, and how long of that there is no machine."""
    minutes = (MINUTES_BAKED if baked else MINUTES_BASE) + (MINUTES_ZONE if to_zone else 0)
    image = "an image that was baked" if baked else "a plain image"
    lines = [f"About {minutes} minutes without a machine on AWS, with {image}."]
    volume = resources.volume
    if to_zone and volume:
        copy = max(1, round(volume.size * 1024 / SNAPSHOT_RATE / 60))
        lines.insert(
            0,
            f"Copying up to {volume.size} GiB: perhaps {copy} minutes on AWS, which promises"
            + (" no rate; the machine works meanwhile." if resources.instance else " no rate."),
        )
    return lines
