"""All that the role access has made already: nobody is asked for the right to make it again.

Names are those of ``roles/access/vars/main.yml``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError

from cloudtop.aws import client as aws
from cloudtop.aws.client import plain_errors
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules

POLICY = "attach-volume"


@dataclass(frozen=True)
class Access:
    """The parts that are there in EC2 and IAM; ``policy`` if it allows what the settings want."""

    group: bool = False
    pair: bool = False
    role: bool = False
    policy: bool = False


def look_up(settings: Settings, client: Any, volume: str) -> Access:
    """The parts that are there; one that may not be looked at counts as missing.

    ``volume`` may be empty.
    """
    group = group_name(settings)
    with plain_errors():
        groups = client.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": [group]}]
        )["SecurityGroups"]
        pairs = client.describe_key_pairs(
            Filters=[{"Name": "key-name", "Values": [pair_name(settings)]}]
        )["KeyPairs"]
    role = _has_role(settings)
    return Access(bool(groups), bool(pairs), role, role and _policy_fits(settings, volume))


def group_name(settings: Settings) -> str:
    return rules.group_name(settings.name, settings.owner)


def iam_name(settings: Settings) -> str:
    """The name of the role and of its instance profile."""
    return rules.iam_name(settings.name, settings.owner, settings.region)


def pair_name(settings: Settings) -> str:
    """The name of this computer's key pair; one that no pair has while there is no key."""
    try:
        words = Path(f"{settings.ssh_key}.pub").read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        words = []
    return f"{group_name(settings)}-{rules.digest(words[1] if len(words) > 1 else 'new')[:8]}"


def _has_role(settings: Settings) -> bool:
    name = iam_name(settings)
    try:
        profile = aws.client("iam").get_instance_profile(InstanceProfileName=name)
    except (ClientError, BotoCoreError):
        return False
    return any(role["RoleName"] == name for role in profile["InstanceProfile"]["Roles"])


def _policy_fits(settings: Settings, volume: str) -> bool:
    """Whether the role's policy is of that volume, and has what the settings ask for."""
    try:
        document = aws.client("iam").get_role_policy(
            RoleName=iam_name(settings), PolicyName=POLICY
        )["PolicyDocument"]
    except (ClientError, BotoCoreError):
        return False
    if isinstance(document, str):
        document = json.loads(unquote(document))
    ids = {statement.get("Sid") for statement in document["Statement"]}
    ends = settings.idle_stop_minutes > 0
    wanted = {
        "AssociateAddress": settings.elastic_ip,
        "EndThisMachine": ends,
        "CancelItsRequest": ends and settings.idle_action == "terminate",
    }
    fits = all((sid in ids) == is_wanted for sid, is_wanted in wanted.items())
    return fits and bool(volume) and f":volume/{volume}" in json.dumps(document)
