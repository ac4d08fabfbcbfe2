"""Lifecycle policies that tests of them make."""

from __future__ import annotations

import json
from typing import Any

from tests.localcloud.lab import Lab


def role(lab: Lab, service: str = "dlm") -> str:
    """The ARN of a role that the service may assume."""
    iam, name = lab.client("iam"), f"for-{service}"
    known = {each["RoleName"]: each["Arn"] for each in iam.list_roles()["Roles"]}
    if name in known:
        return str(known[name])
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    statement = {**trust, "Principal": {"Service": f"{service}.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])


def details(tag: str = "yes", hours: int = 4, keep: int = 2) -> dict[str, Any]:
    """A policy that takes snapshots of volumes tagged ``saved``."""
    return {
        "ResourceTypes": ["VOLUME"],
        "TargetTags": [{"Key": "saved", "Value": tag}],
        "Schedules": [
            {
                "Name": "now and then",
                "CopyTags": True,
                "TagsToAdd": [{"Key": "role", "Value": "snapshot"}],
                "CreateRule": {"Interval": hours, "IntervalUnit": "HOURS", "Times": ["00:30"]},
                "RetainRule": {"Count": keep},
            }
        ],
    }


def changed(given: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same mapping, with the value at the path, or without it for None."""
    *way, last = path.split(".")
    place = given
    for step in way:
        place = place[step]
    if value is None:
        place.pop(last)
    else:
        place[last] = value
    return given


def create_policy(lab: Lab, **changes: Any) -> str:
    """The id of a new policy."""
    given: dict[str, Any] = {
        "ExecutionRoleArn": role(lab),
        "Description": "every few hours",
        "State": "ENABLED",
        "PolicyDetails": details(),
        **changes,
    }
    wanted = {key: value for key, value in given.items() if value is not None}
    return str(lab.client("dlm").create_lifecycle_policy(**wanted)["PolicyId"])
