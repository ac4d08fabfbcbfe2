"""A lifecycle policy, what it may say, and when it acts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from localcloud.dlm.errors import invalid, not_rehearsed

# DLM API reference, CreateRule
INTERVALS = (1, 2, 3, 4, 6, 8, 12, 24)
# Anything else of a schedule needs other regions, accounts or storage tiers
REHEARSED = {"Name", "CopyTags", "TagsToAdd", "CreateRule", "RetainRule"}


@dataclass
class Policy:
    """``state`` is ENABLED, DISABLED or ERROR; ``looked`` is up to when its times are done."""

    id: str
    arn: str
    description: str
    state: str
    role_arn: str
    details: dict[str, Any]
    created: datetime
    modified: datetime
    looked: datetime
    tags: dict[str, str] = field(default_factory=dict)
    status_message: str = ""

    @property
    def target_tags(self) -> list[tuple[str, str]]:
        return [(tag["Key"], tag["Value"]) for tag in self.details["TargetTags"]]

    @property
    def schedules(self) -> list[dict[str, Any]]:
        return list(self.details["Schedules"])

    def summary(self) -> dict[str, Any]:
        return {
            "PolicyId": self.id,
            "Description": self.description,
            "State": self.state,
            "Tags": self.tags,
            "PolicyType": self.details["PolicyType"],
            "DefaultPolicy": False,
        }

    def whole(self) -> dict[str, Any]:
        return {
            **self.summary(),
            "StatusMessage": self.status_message or self.state,
            "ExecutionRoleArn": self.role_arn,
            "DateCreated": self.created,
            "DateModified": self.modified,
            "PolicyDetails": self.details,
            "PolicyArn": self.arn,
        }


def last_due(rule: Mapping[str, Any], after: datetime, now: datetime) -> datetime | None:
    """The newest of the rule's times that is later than ``after`` and not later than ``now``.

    Every interval divides a day, so the times are the same on all days. Snapshots that were
    missed while the cloud was off are not taken later: the bytes of then are gone.
    """
    hour, minute = map(int, rule["Times"][0].split(":"))
    begin = now.replace(hour=hour, minute=minute, second=0, microsecond=0) - timedelta(days=1)
    step = timedelta(hours=rule["Interval"])
    due = begin + (now - begin) // step * step
    return due if due > after else None


def checked(details: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A policy's details as they are kept. Raises InvalidRequestException for what can't be."""
    kept = copy.deepcopy(dict(details))
    kind = kept.setdefault("PolicyType", "EBS_SNAPSHOT_MANAGEMENT")
    if kind != "EBS_SNAPSHOT_MANAGEMENT" or kept.get("PolicyLanguage") == "SIMPLIFIED":
        raise not_rehearsed(f"policies of the type {kind} and default policies")
    lacking = [name for name in ("ResourceTypes", "TargetTags", "Schedules") if not kept.get(name)]
    if lacking:
        raise invalid(f"The following required parameter(s) are missing: {{{', '.join(lacking)}}}")
    if kept["ResourceTypes"] != ["VOLUME"] or kept.get("ResourceLocations", ["CLOUD"]) != ["CLOUD"]:
        raise not_rehearsed("policies for anything but volumes of the Region")
    if kept.get("Parameters"):
        raise invalid("Parameters are for policies that target instances.")
    kept.setdefault("ResourceLocations", ["CLOUD"])
    _require_distinct("TargetTags", [(tag["Key"], tag["Value"]) for tag in kept["TargetTags"]])
    _require_distinct("Schedules", [one.get("Name") for one in kept["Schedules"]])
    kept["Schedules"] = [_schedule(one, now) for one in kept["Schedules"]]
    return kept


def _schedule(schedule: dict[str, Any], now: datetime) -> dict[str, Any]:
    rule, retain = schedule.get("CreateRule") or {}, schedule.get("RetainRule") or {}
    if not schedule.get("Name"):
        raise invalid("The following required parameter(s) are missing: {Schedule.Name}")
    if schedule.get("VariableTags"):
        raise invalid("VariableTags are for policies that target instances.")
    if more := sorted(name for name in schedule if name not in REHEARSED):
        raise not_rehearsed(f"{', '.join(more)} of a schedule")
    _require_distinct("TagsToAdd", [tag["Key"] for tag in schedule.get("TagsToAdd", [])])
    for tag in schedule.get("TagsToAdd", []):
        if tag["Key"].lower().startswith(("aws:", "dlm:")):
            raise invalid(f"The tag key {tag['Key']} is reserved.")
    if rule.get("CronExpression") or rule.get("Scripts"):
        raise not_rehearsed("CronExpression and Scripts of a CreateRule")
    if rule.get("Interval") not in INTERVALS:
        allowed = ", ".join(map(str, INTERVALS))
        raise invalid(f"Interval is {rule.get('Interval')}; it has to be one of {allowed}.")
    if rule.get("IntervalUnit") != "HOURS":
        raise invalid("Interval needs an IntervalUnit, which is HOURS.")
    if rule.get("Location", "CLOUD") != "CLOUD":
        raise not_rehearsed("snapshots outside of the Region")
    if "Interval" in retain or "IntervalUnit" in retain:
        raise not_rehearsed("retention by age")
    if not retain.get("Count"):
        raise invalid("RetainRule needs a Count of 1 to 1000.")
    # Without a time DLM chooses one within a day
    times = rule.get("Times") or [now.strftime("%H:%M")]
    rule = {**rule, "Location": "CLOUD", "Times": times}
    return {"CopyTags": False, "TagsToAdd": [], **schedule, "CreateRule": rule}


def _require_distinct(what: str, given: list[Any]) -> None:
    if len(set(given)) < len(given):
        raise invalid(f"{what} has the same one twice.")
