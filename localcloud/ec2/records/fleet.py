"""One EC2 Fleet: what was asked, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localcloud.ec2.filters import tags_of

INSTANT, REQUEST, MAINTAIN = "instant", "request", "maintain"
# Deleted, while its instances end, go on, or after
ENDING, RUNNING, DELETED = "deleted_terminating", "deleted_running", "deleted"
# Whether instances stay that are too many for a smaller target
POLICIES = ("no-termination", "termination")


@dataclass(frozen=True)
class Member:
    """One of its instances: ``weight`` is units of the target, ``shown`` template and override."""

    lifecycle: str
    weight: float
    kind: str
    shown: Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """As DescribeFleetHistory shows it; ``kind`` is its EventType."""

    time: datetime
    kind: str
    name: str
    text: str
    instance_id: str | None = None


class Fleet:
    """One of type instant is launched with the call, the others are afterwards, step by step.

    ``errors`` are those of the last attempt, as CreateFleet answers them.
    """

    def __init__(
        self,
        backend: Any,
        params: Mapping[str, Any],
        configs: Sequence[Mapping[str, Any]],
        ident: str,
    ) -> None:
        self.ec2_backend = backend
        self.id = ident
        self.type: str = params.get("Type") or MAINTAIN
        self.params = dict(params)
        self.configs = list(configs)
        self.create_time: datetime = backend.now()
        # By instance id, those that ended too
        self.members: dict[str, Member] = {}
        self.errors: list[dict[str, Any]] = []
        self.is_deleted = self.ends_machines = False
        # Whether one of another type than instant has begun, and when it tries again
        self.has_begun = self.type == INSTANT
        self.retry_at: datetime | None = None
        self.history: list[Event] = []
        self.note("fleet-change", "submitted", "The fleet was accepted.")

    @staticmethod
    def new_id() -> str:
        return f"fleet-{uuid.uuid4()}"

    def add(self, instance_ids: Sequence[str], member: Member) -> None:
        self.members |= dict.fromkeys(instance_ids, member)
        for ident in instance_ids:
            text = f"{member.kind}, {member.lifecycle}"
            self.note("instance-change", "launched", text, ident)

    def note(self, kind: str, name: str, text: str, instance_id: str | None = None) -> None:
        """Add to the history what is new there."""
        last = self.history[-1] if self.history else None
        if instance_id or not last or (last.name, last.text) != (name, text):
            self.history.append(Event(self.ec2_backend.now(), kind, name, text, instance_id))
            self.ec2_backend.touch()

    @property
    def live_ids(self) -> list[str]:
        known = map(self.ec2_backend.known, self.members)
        return [one.id for one in known if one and one.live]

    @property
    def active(self) -> dict[str, Member]:
        """The members that count: whatever ends does not."""
        known = map(self.ec2_backend.known, self.members)
        going = {one.id for one in known if one and one.live and one.state != "shutting-down"}
        return {ident: one for ident, one in self.members.items() if ident in going}

    def units(self, lifecycle: str = "") -> float:
        """Units of the target that it has, of one lifecycle or of both."""
        some = self.members if self.type == INSTANT else self.active
        return sum(one.weight for one in some.values() if lifecycle in ("", one.lifecycle))

    @property
    def target(self) -> int:
        return int(self.params["TargetCapacitySpecification"]["TotalTargetCapacity"])

    @property
    def excess_policy(self) -> str | None:
        """Only one of type maintain has it."""
        given = self.params.get("ExcessCapacityTerminationPolicy")
        return (given or "termination") if self.type == MAINTAIN else None

    @property
    def state(self) -> str:
        if not self.is_deleted:
            return "active" if self.has_begun else "submitted"
        if not self.live_ids:
            return DELETED
        return ENDING if self.ends_machines else RUNNING

    @property
    def activity(self) -> str:
        if self.state == ENDING:
            return "pending_termination"
        if self.errors:
            return "error"
        short = self.type != INSTANT and self.units() < self.target
        if short:
            return "pending_fulfillment"
        ending = self.type != INSTANT and len(self.active) < len(self.live_ids)
        return "pending_termination" if ending else "fulfilled"

    @property
    def launched(self) -> list[dict[str, Any]]:
        """As CreateFleet answers it: by pool and lifecycle."""
        entries: list[dict[str, Any]] = []
        for ident, member in self.members.items():
            entry = next((one for one in entries if _is_of(one, member)), None)
            if entry is None:
                entry = {
                    "LaunchTemplateAndOverrides": member.shown,
                    "Lifecycle": member.lifecycle,
                    "InstanceIds": [],
                    "InstanceType": member.kind,
                }
                entries.append(entry)
            entry["InstanceIds"].append(ident)
        return entries

    @property
    def shown(self) -> dict[str, Any]:
        """As DescribeFleets shows it."""
        given = self.params
        names = (
            "ClientToken", "OnDemandOptions", "SpotOptions", "TargetCapacitySpecification",
            "ValidFrom", "ValidUntil",
        )  # fmt: skip
        of_instant = {"Errors": self.errors, "Instances": self.launched}
        return {
            **{name: given[name] for name in names if name in given},
            "FleetId": self.id,
            "FleetState": self.state,
            "ActivityStatus": self.activity,
            "CreateTime": self.create_time,
            "Type": self.type,
            "LaunchTemplateConfigs": self.configs,
            "FulfilledCapacity": self.units(),
            "FulfilledOnDemandCapacity": self.units("on-demand"),
            "ExcessCapacityTerminationPolicy": self.excess_policy,
            "TerminateInstancesWithExpiration": bool(given.get("TerminateInstancesWithExpiration")),
            "ReplaceUnhealthyInstances": False,
            **(of_instant if self.type == INSTANT else {}),
            "Tags": [{"Key": key, "Value": value} for key, value in tags_of(self).items()],
        }


def _is_of(entry: Mapping[str, Any], member: Member) -> bool:
    same = entry["LaunchTemplateAndOverrides"] == member.shown
    return bool(same and entry["Lifecycle"] == member.lifecycle)
