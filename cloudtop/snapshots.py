"""``runner.py snapshot``, and the snapshots of a volume as EC2 lists them."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudtop import costs, ec2, schedule, ssh, status
from cloudtop.context import Context, run_playbooks
from cloudtop.ec2 import Found, plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain

ROLE = "snapshot"
# How long a machine may take to write down what it holds in memory
SYNC_SECONDS = 30


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
        """What it is called, and what restore finds it by."""
        return self.label or self.id

    @property
    def month(self) -> float:
        """Dollars a month at most: EC2 bills what is stored, which it does not tell."""
        return costs.snapshots(self.gib)

    def as_json(self) -> dict[str, Any]:
        """As ``snapshot --json`` prints it."""
        return {**self.__dict__, "month_at_most": round(self.month, 2)}


def of_cloudtop(client: Any, name: str, owner: str) -> list[Snapshot]:
    """The snapshots of the cloudtop's volume, newest first."""
    with plain_errors():
        found = [
            each
            for page in client.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"], Filters=ec2.tag_filters(name, owner)
            )
            for each in page["Snapshots"]
        ]
    mine = {"cloudtop:name": name, "cloudtop:owner": owner, "cloudtop:role": ROLE}
    ours = [each for each in found if mine.items() <= ec2.tags(each).items()]
    return [_snapshot(each) for each in sorted(ours, key=_age, reverse=True)]


def _age(found: Any) -> tuple[Any, str]:
    return found["StartTime"], found["SnapshotId"]


def _snapshot(found: Any) -> Snapshot:
    return Snapshot(
        id=found["SnapshotId"],
        label=ec2.tags(found).get("cloudtop:label", ""),
        volume=found["VolumeId"],
        gib=found["VolumeSize"],
        state=found["State"],
        progress=found.get("Progress", ""),
        begun=found["StartTime"].isoformat(timespec="seconds"),
        encrypted=found["Encrypted"],
        scheduled=schedule.POLICY_TAG in ec2.tags(found),
    )


def snapshot(context: Context) -> None:
    """Take a snapshot of the volume and let old ones go, or list what is there."""
    options, settings = context.options, context.settings
    if not options.list:
        # What is told on the way is not for a program
        with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
            print(settle(context, context.find()))
            run_playbooks(context, context.playbooks, {"cloudtop_snapshot_label": options.label})
    known = of_cloudtop(ec2.client(), settings.name, settings.owner)
    if not options.list and not known:
        raise CloudtopError(
            "EC2 shows no snapshot although one was taken.", "Try: python runner.py snapshot --list"
        )
    if options.json:
        print(json.dumps(as_json(known), indent=2))
    else:
        print(render(settings.name, known))


def as_json(known: Sequence[Snapshot]) -> dict[str, Any]:
    """What ``--json`` prints, newest first; money is dollars."""
    total = sum(each.month for each in known)
    return {"snapshots": [each.as_json() for each in known], "month_at_most": round(total, 2)}


def settle(context: Context, found: Found) -> str:
    """Have a running machine write what it holds in memory; says how good the snapshot will be."""
    holders = [each["InstanceId"] for each in (found.volume or {}).get("Attachments", [])]
    if not holders:
        return "No machine has the volume: it is taken as it lies."
    target = status.target_of(context.settings, context.cloud, found.instance)
    if target is not None:
        status.pin_from_tag(target, found.volume)
    command = f"sudo sync --file-system {shlex.quote(context.settings.persistent_mount)}"
    known = target is not None and target.known_hosts.exists()
    if target is None or not known or ssh.ask(target, command, SYNC_SECONDS) is None:
        return "The machine did not answer: the snapshot will be as of a power cut."
    return (
        "The machine has written all that it held in memory;"
        " what programs write from now on is as of a power cut."
    )


def render(name: str, known: Sequence[Snapshot]) -> str:
    """The snapshots and what they cost, for people."""
    if not known:
        return f"The cloudtop {name!r} has no snapshot: python runner.py snapshot"
    shown = [each.label or ("by schedule" if each.scheduled else "-") for each in known]
    width = max(len("label"), *map(len, shown))
    lines = [f"  {'label':<{width}}  {'id':<22}  {'GiB':>5}  {'begun (UTC)':<16}  $/month at most"]
    for each, label in zip(known, shown, strict=True):
        note = "" if each.state == "completed" else f"  {each.state} {each.progress}"
        lines.append(
            f"  {label:<{width}}  {each.id:<22}  {each.gib:>5}"
            f"  {each.begun[:16].replace('T', ' ')}  {each.month:15.2f}{note}"
        )
    total = sum(each.month for each in known)
    lines.append(f"Together at most ${total:.2f} a month on AWS: EC2 bills what is stored of them.")
    return "\n".join(map(plain, lines))
