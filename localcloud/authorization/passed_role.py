"""The role that a call gives to a machine, for which IAM wants PassRole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.iam.models import iam_backends

from localcloud.authorization.launches import LAUNCHING, launches
from localcloud.ec2.backend.whole import Backend


def passed_roles(backend: Backend, action: str, given: Mapping[str, Any]) -> list[str]:
    """ARNs of the roles of the instance profiles that the call, or its launch template, names."""
    calls = launches(backend, action, given) if action in LAUNCHING else [given]
    roles = [_passed_role(backend, one) for one in calls]
    return [role for role in dict.fromkeys(roles) if role]


def _passed_role(backend: Backend, given: Mapping[str, Any]) -> str | None:
    """ARN of the role of the instance profile that the call names, or None.

    A profile that does not exist, or has no role, gives the ARN of no role.
    """
    named = given.get("IamInstanceProfile") or given.get("LaunchSpecification", {}).get(
        "IamInstanceProfile"
    )
    if not named:
        return None
    iam = iam_backends[backend.account_id][backend.partition]
    for profile in iam.instance_profiles.values():
        if profile.roles and (profile.name == named.get("Name") or profile.arn == named.get("Arn")):
            return str(profile.roles[0].arn)
    return f"arn:{backend.partition}:iam::{backend.account_id}:role/"
