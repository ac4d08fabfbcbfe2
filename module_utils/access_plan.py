"""Who may log in, from where, and the machine's profile: what there is of it already. Pure."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.cloudtop_resources import tags_of
from ansible.module_utils.ec2_ours import Cloudtop, RefusedError

# A prefix of that length is a few addresses: this many at most
WIDEST = 16
SSH_PORT = 22


@dataclass(frozen=True)
class Caller:
    """The answer of a service that says who called it, or the trouble with it."""

    url: str
    address: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Plan:
    """``step`` is ``open`` or ``keep``; ``group`` is the security group's id, empty for none."""

    step: str
    group: str
    cidr: str


@dataclass(frozen=True)
class Profile:
    """The machine's instance profile: its ARN, empty for none, and whether the role of its name is
    in it; ``policy`` is the document of that role's policy, empty for none."""

    arn: str = ""
    has_role: bool = False
    policy: Mapping[str, Any] = field(default_factory=dict)


def ssh_range(wanted: str, caller: Caller) -> str:
    """The IPv4 range that port 22 is opened to, as EC2 writes it: the wanted one or the caller's.

    Raises RefusedError for one that is none, or that is wider than a few addresses.
    """
    cidr = wanted or f"{caller.address.strip()}/32"
    try:
        # A network mask in place of the prefix's length would be a network, too
        network = ipaddress.IPv4Network(cidr if re.search("/[0-9]+$", cidr) else "", strict=False)
    except ValueError:
        network = None
    if network is None or network.prefixlen < WIDEST:
        answer = (caller.address or caller.trouble).strip()
        claim = (
            f"cloudtop_ssh_cidr is {wanted}"
            if wanted
            else f"Asked where you call from, {caller.url} says {json.dumps(answer)}"
        )
        raise RefusedError(
            f"{claim}, and port {SSH_PORT} is opened to an IPv4 range from /{WIDEST} to /32 only;"
            " run: python runner.py provision -e cloudtop_ssh_cidr=YOUR.IP.V4.ADDRESS/32"
        )
    return str(network)


def is_open_to(permissions: Sequence[Mapping[str, Any]], cidr: str) -> bool:
    """Whether a group's rules let that range reach port 22, and nobody anything else."""
    if len(permissions) != 1:
        return False
    (rule,) = permissions
    ranges = [each["CidrIp"] for each in rule.get("IpRanges", [])]
    others = [rule.get(key) for key in ("Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")]
    ports = (rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort"))
    return ports == ("tcp", SSH_PORT, SSH_PORT) and ranges == [cidr] and not any(others)


def plan(cloudtop: Cloudtop, name: str, groups: Sequence[Mapping[str, Any]], cidr: str) -> Plan:
    """The next step for the security group of that name; ``groups`` are those that EC2 has of it.

    Raises RefusedError for one that is not the cloudtop's.
    """
    if not groups:
        return Plan("open", "", cidr)
    group = groups[0]
    if not cloudtop.identity.items() <= tags_of(group).items():
        raise RefusedError(
            f"The security group {name} ({group['GroupId']}) lacks our tags cloudtop:name and"
            " cloudtop:owner, and cloudtop changes only its own groups; rename or remove it, then"
            " run: python runner.py provision"
        )
    fits = is_open_to(group.get("IpPermissions", []), cidr)
    return Plan("keep" if fits else "open", str(group["GroupId"]), cidr)


def profile(
    cloudtop: Cloudtop, name: str, shown: Mapping[str, Any], policy: Mapping[str, Any]
) -> Profile:
    """The profile and policy of that name; ``shown`` is the profile as IAM has it, empty for none.

    Raises RefusedError for one that is not the cloudtop's.
    """
    if shown and not cloudtop.identity.items() <= tags_of(shown).items():
        raise RefusedError(
            f"The instance profile {name} lacks our tags cloudtop:name and cloudtop:owner, and"
            " cloudtop changes only its own profiles; remove it, then run: python runner.py"
            " provision"
        )
    roles = [each["RoleName"] for each in shown.get("Roles", [])]
    return Profile(str(shown.get("Arn", "")), name in roles, policy)
