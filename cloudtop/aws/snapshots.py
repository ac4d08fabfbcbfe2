"""The snapshots of a volume, as EC2 lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudtop import rates
from cloudtop.aws import find as ec2
from cloudtop.aws import snapshot_schedule
from cloudtop.aws.client import plain_errors
from module_utils import cloudtop_rules as rules


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a persistent volume; ``gib`` is the size of the disk it was taken of.

    ``state`` is EC2's (pending, completed, error), ``progress`` too (say ``40%``), and
    ``begun`` is ISO 8601 in UTC. One that AWS took on a schedule has no label.
    """

    id: str
    label: str
    volume: str
    gib: int
    state: str
    progress: str
    begun: str
    encrypted: bool
    scheduled: bool = False

    @property
    def title(self) -> str:
        """Its label or id, by which restore finds it."""
        return self.label or self.id

    @property
    def month(self) -> float:
        """Dollars a month at most: EC2 bills what is stored, which it does not tell."""
        return rates.snapshots(self.gib)

    def as_json(self) -> dict[str, Any]:
        """As ``snapshot --json`` prints it."""
        return {**self.__dict__, "month_at_most": round(self.month, 2)}


def of_cloudtop(client: Any, name: str, owner: str) -> list[Snapshot]:
    """The snapshots of the cloudtop's volume, newest first."""
    with plain_errors():
        snapshots = [
            each
            for page in client.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"], Filters=ec2.tag_filters(name, owner)
            )
            for each in page["Snapshots"]
        ]
    return [_snapshot(each) for each in rules.snapshots_of(snapshots, name, owner)]


def _snapshot(description: Any) -> Snapshot:
    return Snapshot(
        id=description["SnapshotId"],
        label=rules.label_of(description),
        volume=description["VolumeId"],
        gib=description["VolumeSize"],
        state=description["State"],
        progress=description.get("Progress", ""),
        begun=description["StartTime"].isoformat(timespec="seconds"),
        encrypted=description["Encrypted"],
        scheduled=snapshot_schedule.POLICY_TAG in rules.tags_of(description),
    )


def as_json(known: Sequence[Snapshot]) -> dict[str, Any]:
    """The snapshots as ``--json`` prints them, newest first; money is dollars."""
    total = sum(each.month for each in known)
    return {"snapshots": [each.as_json() for each in known], "month_at_most": round(total, 2)}
