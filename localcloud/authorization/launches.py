"""A launch, for who permits it: the resources of RunInstances and their keys.

From the AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon
EC2", RunInstances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.instance_types import DEFAULT_TYPE

Given = Mapping[str, Any]
LAUNCHING = ("RunInstances", "CreateFleet")


def launches(backend: Backend, action: str, given: Given) -> list[Given]:
    """The parameters of each launch that the call may make, with those of its templates.

    A template that is not there gives none: the action itself says so.
    """
    try:
        if action == "RunInstances":
            return [backend.merged(given)]
        return backend.fleet_launches(given) if action == "CreateFleet" else []
    except EC2ClientError:
        return [given] if action == "RunInstances" else []


def resources_of_launch(launch: Given) -> list[tuple[str, str]]:
    """Kinds and ids of all that a launch touches; what it makes has the id *."""
    resources = [("instance", "*"), ("volume", "*"), ("network-interface", "*")]
    if is_spot(launch):
        resources.append(("spot-instances-request", "*"))
    resources += [("image", launch["ImageId"])] if launch.get("ImageId") else []
    resources += [("key-pair", launch["KeyName"])] if launch.get("KeyName") else []
    nics = launch.get("NetworkInterfaces") or [{}]
    subnet = launch.get("SubnetId") or nics[0].get("SubnetId")
    resources.append(("subnet", subnet or "*"))
    groups = [*launch.get("SecurityGroupIds", []), *nics[0].get("Groups", [])]
    resources += [("security-group", one) for one in groups or ["*"]]
    return resources


def template_id(backend: Backend, given: Given) -> str:
    try:
        return backend.template(given).id
    except EC2ClientError:
        return "*"


def is_spot(launch: Given) -> bool:
    return (launch.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"


def keys_at_birth(backend: Backend, kind: str, launch: Given) -> dict[str, str]:
    """The condition keys of what a launch makes: of an instance, and the tags of either."""
    keys = dict(_tags(kind, launch))
    if kind != "instance":
        return keys
    placement, profile = launch.get("Placement") or {}, launch.get("IamInstanceProfile") or {}
    facts = {
        "ec2:instancetype": launch.get("InstanceType") or DEFAULT_TYPE,
        "ec2:instancemarkettype": "spot" if is_spot(launch) else "on-demand",
        "ec2:availabilityzone": placement.get("AvailabilityZone"),
        "ec2:ebsoptimized": str(bool(launch.get("EbsOptimized"))).lower(),
        "ec2:instanceprofile": _profile_arn(backend, profile),
        "ec2:metadatahttptokens": (launch.get("MetadataOptions") or {}).get("HttpTokens"),
        "ec2:rootdevicetype": "ebs",
        "ec2:tenancy": "default",
    }
    return {**keys, **{name: value for name, value in facts.items() if value}}


def _profile_arn(backend: Backend, profile: Given) -> str | None:
    if profile.get("Arn") or not profile.get("Name"):
        return profile.get("Arn")
    name = profile["Name"]
    return f"arn:{backend.partition}:iam::{backend.account_id}:instance-profile/{name}"


def _tags(kind: str, launch: Given) -> Iterator[tuple[str, str]]:
    for given in launch.get("TagSpecifications", []):
        if given.get("ResourceType") == kind:
            for tag in given.get("Tags", []):
                yield f"aws:requesttag/{tag.get('Key', '').lower()}", tag.get("Value", "")
