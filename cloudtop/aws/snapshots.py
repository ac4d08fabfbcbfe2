"""The snapshots of a cloudtop's volume: in words, their cost, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cloudtop import rates
from cloudtop.aws import find as ec2
from cloudtop.aws import snapshot_schedule
from cloudtop.aws.client import Client
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Snapshot


def of_cloudtop(client: Client, name: str, owner: str) -> list[Snapshot]:
    """The snapshots of the cloudtop's volume, newest first."""
    return rules.snapshots_of(ec2.snapshots(client, ec2.tag_filters(name, owner)), name, owner)


def title(snapshot: Snapshot) -> str:
    """Its label or id, by which restore finds it."""
    return snapshot.label or snapshot.snapshot_id


def month(snapshot: Snapshot) -> float:
    """Dollars a month at most: EC2 bills what is stored, which it does not tell."""
    return rates.snapshots(snapshot.volume_size)


def begun(snapshot: Snapshot) -> str:
    """When it was begun: ISO 8601 in UTC, to the second."""
    return snapshot.start_time.isoformat(timespec="seconds") if snapshot.start_time else ""


def is_scheduled(snapshot: Snapshot) -> bool:
    """Whether AWS took it on a schedule."""
    return snapshot_schedule.POLICY_TAG in snapshot.tags


@dataclass(frozen=True)
class Row:
    """A snapshot as ``--json`` prints it; ``gib`` is the size of the disk it was taken of."""

    id: str
    label: str
    volume: str
    gib: int
    state: str
    progress: str
    begun: str
    encrypted: bool
    scheduled: bool
    month_at_most: float


@dataclass(frozen=True)
class Listed:
    """All snapshots as ``--json`` prints them, newest first; money is dollars."""

    snapshots: tuple[Row, ...]
    month_at_most: float


def listed(known: Sequence[Snapshot]) -> Listed:
    """The snapshots as ``snapshot --json`` prints them."""
    rows = (
        Row(
            id=each.snapshot_id,
            label=each.label,
            volume=each.volume_id,
            gib=each.volume_size,
            state=each.state,
            progress=each.progress,
            begun=begun(each),
            encrypted=each.encrypted,
            scheduled=is_scheduled(each),
            month_at_most=round(month(each), 2),
        )
        for each in known
    )
    return Listed(tuple(rows), round(sum(map(month, known)), 2))
