"""Finding a cloudtop in EC2: by its tags and its request, never by a local file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import (
    ClientError,
)

from cloudtop.aws.client import (
    DENIED,
    Client,
    plain_errors,
)
from cloudtop.errors import CloudtopError
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Address, Machine, Request, Snapshot, Volume

__all__ = ["Address", "Machine", "Request", "Resources", "Snapshot", "Volume"]

Filters = list[dict[str, "str | list[str]"]]


@dataclass(frozen=True)
class Resources:
    """All that EC2 has of one cloudtop; None if there is none."""

    request: Request | None
    instance: Machine | None
    volume: Volume | None
    # Its Elastic IP
    address: Address | None = None
    # Volumes that have yet to take the volume's place
    half: tuple[Volume, ...] = ()
    # A machine beside that of the live request, and the dead request that it is of
    ended: Request | None = None
    left: Machine | None = None


def tag_filters(name: str, owner: str) -> Filters:
    """The filters that every resource of this cloudtop passes."""
    return [
        {"Name": "tag:cloudtop:name", "Values": [name]},
        {"Name": "tag:cloudtop:owner", "Values": [owner]},
    ]


def find(ec2: Client, name: str, owner: str) -> Resources:
    """The live request, its instance, the volume and the Elastic IP of a cloudtop.

    Raises CloudtopError if there are two live requests or two volumes.
    """
    filters = tag_filters(name, owner)
    every = requests(ec2, filters)
    live = [each for each in every if rules.is_live(each)]
    by_role = rules.volumes_by_role(volumes(ec2, filters), name, owner)
    _refuse_two([each.spot_instance_request_id for each in live], "live spot requests", name)
    _refuse_two([each.volume_id for each in by_role.live], "persistent volumes", name)
    request = next(iter(live), None)
    ids = [each.spot_instance_request_id for each in every]
    known = machines(ec2, of_requests(ids)) if ids else []
    if request is None:
        # EC2 forgets a dead request sooner than its machine
        known += machines(ec2, filters)
    alive = sorted((each for each in known if each.state not in rules.GONE), key=launched)
    mine = request.spot_instance_request_id if request else ""
    of_live = [each for each in alive if each.spot_instance_request_id == mine] if mine else []
    others = [each for each in alive if not mine or each.spot_instance_request_id != mine]
    left = others[-1] if others else None
    origin = left.spot_instance_request_id if left else ""
    return Resources(
        request=request,
        instance=of_live[-1] if of_live else None,
        volume=next(iter(by_role.live), None),
        address=address_of(ec2, filters),
        half=tuple(by_role.half),
        ended=next((one for one in every if one.spot_instance_request_id == origin), None),
        left=left,
    )


def requests(ec2: Client, filters: Filters) -> list[Request]:
    """The spot requests that pass the filters, dead ones too."""
    with plain_errors():
        pages = ec2.get_paginator("describe_spot_instance_requests").paginate(Filters=filters)
        return [Request.from_ec2(each) for page in pages for each in page["SpotInstanceRequests"]]


def machines(ec2: Client, filters: Filters) -> list[Machine]:
    """The instances that pass the filters, those that are gone too."""
    with plain_errors():
        pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
        reservations = [each for page in pages for each in page["Reservations"]]
    return [Machine.from_ec2(each) for part in reservations for each in part["Instances"]]


def volumes(ec2: Client, filters: Filters) -> list[Volume]:
    """The volumes that pass the filters."""
    with plain_errors():
        pages = ec2.get_paginator("describe_volumes").paginate(Filters=filters)
        return [Volume.from_ec2(each) for page in pages for each in page["Volumes"]]


def snapshots(ec2: Client, filters: Filters) -> list[Snapshot]:
    """The account's own snapshots that pass the filters."""
    with plain_errors():
        pages = ec2.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=filters)
        return [Snapshot.from_ec2(each) for page in pages for each in page["Snapshots"]]


def addresses(ec2: Client, filters: Filters) -> list[Address]:
    """The Elastic IPs that pass the filters."""
    with plain_errors():
        return _addresses(ec2, filters)


def _addresses(ec2: Client, filters: Filters) -> list[Address]:
    return [Address.from_ec2(each) for each in ec2.describe_addresses(Filters=filters)["Addresses"]]


def of_requests(ids: Sequence[str]) -> Filters:
    """The filter that instances of these requests pass; a relaunch has no tags."""
    return [{"Name": "spot-instance-request-id", "Values": list(ids)}]


def of_ids(ids: Sequence[str]) -> Filters:
    """The filter that these instances pass; unlike a list of ids it refuses none that is gone."""
    return [{"Name": "instance-id", "Values": list(ids)}]


def instance_of(ec2: Client, request_id: str) -> Machine | None:
    """The newest instance of the request that is not going."""
    known = machines(ec2, of_requests([request_id]))
    alive = [each for each in known if each.state not in rules.GONE]
    return max(alive, key=launched, default=None)


def launched(machine: Machine) -> float:
    """Seconds since 1970 of a machine's last start."""
    return machine.launch_time.timestamp() if machine.launch_time else 0.0


def address_of(ec2: Client, filters: Filters) -> Address | None:
    """The Elastic IP with these tags; of two, which there are for moments, the one in use.

    Credentials that may not look at addresses have never allocated one.
    """
    with plain_errors():
        try:
            known = _addresses(ec2, filters)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in DENIED:
                raise
            known = []
    return max(known, key=lambda each: bool(each.instance_id), default=None)


def _refuse_two(ids: list[str], what: str, name: str) -> None:
    if len(ids) > 1:
        raise CloudtopError(
            f"The cloudtop {name!r} has {len(ids)} {what}: {', '.join(sorted(ids))}. There may be"
            " one.",
            "Look at them in EC2 and remove the one that is not yours to keep",
        )
