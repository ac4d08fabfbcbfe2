"""Finding a cloudtop in EC2: by its tags and its request, never by a local file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from cloudtop.errors import CloudtopError
from cloudtop.foreign import plain

# States in which a request can still make or hold an instance. EC2's own list of the
# `state` filter leaves out `disabled`, so the states are compared here, not there.
LIVE_STATES = frozenset({"open", "active", "disabled"})
GONE_STATES = frozenset({"terminated", "shutting-down"})

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_BAD_KEYS = {
    "AuthFailure",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}
_NO_REGION = {"InvalidRegion", "OptInRequired"}


@dataclass(frozen=True)
class Found:
    """What EC2 knows of one cloudtop, as botocore returns it; None where there is none."""

    request: dict[str, Any] | None
    instance: dict[str, Any] | None
    volume: dict[str, Any] | None
    # Its Elastic IP
    address: dict[str, Any] | None = None


def client(service: str = "ec2", region: str | None = None) -> Any:
    """A client of the cloud that the environment names, in its region or in another."""
    with plain_errors():
        config = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard"})
        # A session of its own: the default one keeps the first credentials it has seen
        return boto3.session.Session().client(service, region_name=region, config=config)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn botocore's errors into one sentence and the command to try."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise CloudtopError(
            "There are no AWS credentials in the environment, the configuration or the role.",
            "Try: aws configure, or --profile NAME, or rehearse at no cost: --cloud rehearsal",
        ) from error
    except ProfileNotFound as error:
        raise CloudtopError(f"{error}.", "Try: aws configure list-profiles") from error
    except EndpointConnectionError as error:
        raise CloudtopError(f"{error}", "Is the network up, and the region right?") from error
    except ClientError as error:
        raise _sentence(error) from error
    except BotoCoreError as error:
        raise CloudtopError(f"EC2 could not be asked: {error}.", "Try again with -v") from error


def _sentence(error: ClientError) -> CloudtopError:
    code = plain(error.response.get("Error", {}).get("Code", ""))
    message = plain(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    hint = "The whole call is in the log"
    if code in _EXPIRED:
        hint = "The credentials have expired. Try: aws sso login, or new keys"
    elif code in _BAD_KEYS:
        hint = "The credentials are not valid. Try: aws sts get-caller-identity"
    elif code in DENIED:
        hint = "These credentials may not do that; ask for the permission named above"
    elif code in _NO_REGION:
        hint = "Try: --region us-east-1"
    return CloudtopError(f"EC2 answered {code}: {message}.", hint)


def check_region(region: str) -> None:
    """Refuse a region that no partition of AWS has (as of this botocore)."""
    session = boto3.session.Session()
    known = [
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("ec2", partition)
    ]
    if region not in known:
        near = difflib.get_close_matches(region, known, n=3, cutoff=0.4)
        raise CloudtopError(
            f"cloudtop_region is {region!r}, which is no region of EC2.",
            f"Did you mean {' or '.join(near)}?" if near else "Try: --region us-east-1",
        )


def tag_filters(name: str, owner: str) -> list[dict[str, Any]]:
    """The filters that every resource of this cloudtop passes."""
    return [
        {"Name": "tag:cloudtop:name", "Values": [name]},
        {"Name": "tag:cloudtop:owner", "Values": [owner]},
    ]


def find(ec2: Any, name: str, owner: str) -> Found:
    """The live request, its instance, the volume and the Elastic IP of a cloudtop.

    Raises CloudtopError where there are two live requests or two volumes.
    """
    with plain_errors():
        filters: Any = tag_filters(name, owner)
        requests = [
            request
            for page in ec2.get_paginator("describe_spot_instance_requests").paginate(
                Filters=filters
            )
            for request in page["SpotInstanceRequests"]
            if request.get("State") in LIVE_STATES
        ]
        volumes = [
            volume
            for page in ec2.get_paginator("describe_volumes").paginate(Filters=filters)
            for volume in page["Volumes"]
            # A machine's root disk, and a copy of it on its way to an image, have the tags too
            if "cloudtop:role" not in tags(volume) and volume["State"] != "deleting"
        ]
    request = _only(requests, "SpotInstanceRequestId", "live spot requests", name)
    volume = _only(volumes, "VolumeId", "persistent volumes", name)
    instance = instance_of(ec2, request["SpotInstanceRequestId"]) if request else None
    address = address_of(ec2, filters)
    return Found(request=request, instance=instance, volume=volume, address=address)


def instance_of(ec2: Any, request_id: str) -> dict[str, Any] | None:
    """The newest instance of the request that is not going; a relaunch has no tags."""
    with plain_errors():
        reservations = ec2.describe_instances(
            Filters=[{"Name": "spot-instance-request-id", "Values": [request_id]}]
        )["Reservations"]
    instances: list[Any] = [each for r in reservations for each in r["Instances"]]
    alive = [each for each in instances if each["State"]["Name"] not in GONE_STATES]
    return max(alive, key=lambda each: each["LaunchTime"], default=None)


def address_of(ec2: Any, filters: Any) -> dict[str, Any] | None:
    """The Elastic IP with these tags; of two, which there are for moments, the one in use.

    Credentials that may not look at addresses have never allocated one.
    """
    with plain_errors():
        try:
            found = ec2.describe_addresses(Filters=filters)["Addresses"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in DENIED:
                raise
            found = []
    return max(found, key=lambda each: "InstanceId" in each, default=None)


def tags(resource: Any) -> dict[str, str]:
    """The tags of a resource as a plain mapping."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def _only(found: list[Any], key: str, what: str, name: str) -> Any | None:
    if len(found) > 1:
        ids = ", ".join(sorted(each[key] for each in found))
        raise CloudtopError(
            f"The cloudtop {name!r} has {len(found)} {what}: {ids}. There may be one.",
            "Look at them in EC2 and remove the one that is not yours to keep",
        )
    return found[0] if found else None
