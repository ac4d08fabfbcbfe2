"""Finding a cloudtop in EC2: by its tags and its request, never by a local file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    ClientError,
)

from cloudtop.aws.client import (
    DENIED,
    plain_errors,
)
from cloudtop.errors import CloudtopError
from module_utils import cloudtop_rules as rules


@dataclass(frozen=True)
class Resources:
    """All that EC2 has of one cloudtop, as botocore returns it; None if there is none."""

    request: dict[str, Any] | None
    instance: dict[str, Any] | None
    volume: dict[str, Any] | None
    # Its Elastic IP
    address: dict[str, Any] | None = None
    # Volumes that have yet to take the volume's place
    half: tuple[dict[str, Any], ...] = ()


def tag_filters(name: str, owner: str) -> list[dict[str, Any]]:
    """The filters that every resource of this cloudtop passes."""
    return [
        {"Name": "tag:cloudtop:name", "Values": [name]},
        {"Name": "tag:cloudtop:owner", "Values": [owner]},
    ]


def find(ec2: Any, name: str, owner: str) -> Resources:
    """The live request, its instance, the volume and the Elastic IP of a cloudtop.

    Raises CloudtopError if there are two live requests or two volumes.
    """
    with plain_errors():
        filters: Any = tag_filters(name, owner)
        requests = [
            request
            for page in ec2.get_paginator("describe_spot_instance_requests").paginate(
                Filters=filters
            )
            for request in page["SpotInstanceRequests"]
            if rules.is_live(request)
        ]
        volumes = [
            volume
            for page in ec2.get_paginator("describe_volumes").paginate(Filters=filters)
            for volume in page["Volumes"]
        ]
    request = _only(requests, "SpotInstanceRequestId", "live spot requests", name)
    by_role = rules.volumes_by_role(volumes, name, owner)
    volume = _only(by_role.live, "VolumeId", "persistent volumes", name)
    instance = instance_of(ec2, request["SpotInstanceRequestId"]) if request else None
    address = address_of(ec2, filters)
    return Resources(request, instance, volume, address, tuple(by_role.half))


def instance_of(ec2: Any, request_id: str) -> dict[str, Any] | None:
    """The newest instance of the request that is not going; a relaunch has no tags."""
    with plain_errors():
        reservations = ec2.describe_instances(
            Filters=[{"Name": "spot-instance-request-id", "Values": [request_id]}]
        )["Reservations"]
    instances: list[Any] = [each for r in reservations for each in r["Instances"]]
    alive = [each for each in instances if rules.machine_state(each) not in rules.GONE]
    return max(alive, key=lambda each: each["LaunchTime"], default=None)


def address_of(ec2: Any, filters: Any) -> dict[str, Any] | None:
    """The Elastic IP with these tags; of two, which there are for moments, the one in use.

    Credentials that may not look at addresses have never allocated one.
    """
    with plain_errors():
        try:
            addresses = ec2.describe_addresses(Filters=filters)["Addresses"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in DENIED:
                raise
            addresses = []
    return max(addresses, key=lambda each: "InstanceId" in each, default=None)


def _only(candidates: list[Any], key: str, what: str, name: str) -> Any | None:
    if len(candidates) > 1:
        ids = ", ".join(sorted(each[key] for each in candidates))
        raise CloudtopError(
            f"The cloudtop {name!r} has {len(candidates)} {what}: {ids}. There may be one.",
            "Look at them in EC2 and remove the one that is not yours to keep",
        )
    return candidates[0] if candidates else None
