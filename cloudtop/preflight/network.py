"""A default subnet for the machine, which gives it a public address."""

from __future__ import annotations

from collections.abc import Sequence

from cloudtop.aws.client import plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.preflight.checklist import Look


def check(look: Look) -> str:
    """The default subnets where the machine may be. Raises CloudtopError if there is none."""
    zones = [look.zone] if look.zone else _offering(look)
    with plain_errors():
        subnets = look.client.describe_subnets(
            Filters=[
                {"Name": "default-for-az", "Values": ["true"]},
                {"Name": "availability-zone", "Values": zones},
            ]
        )["Subnets"]
    region = look.settings.region
    if not subnets:
        raise CloudtopError(
            f"There is no default subnet in {' or '.join(zones)}, where the machine would be.",
            f"Try: aws ec2 create-default-subnet --region {region} --availability-zone {zones[0]}"
            f" (with no default VPC: aws ec2 create-default-vpc --region {region})",
        )
    public = [one for one in subnets if one.get("MapPublicIpOnLaunch")]
    if not public:
        subnet = subnets[0]["SubnetId"]
        raise CloudtopError(
            f"The default subnet {subnet} gives machines no public address, so that you could not"
            " log in.",
            f"Try: aws ec2 modify-subnet-attribute --region {region} --subnet-id {subnet}"
            " --map-public-ip-on-launch",
        )
    names = sorted(f"{one['SubnetId']} in {one['AvailabilityZone']}" for one in public)
    return f"default subnet {names[0]}" if len(names) == 1 else f"{len(names)} default subnets"


def _offering(look: Look) -> Sequence[str]:
    offered = look.need("offered", "type")
    return sorted({zone for zones in offered.values() for zone in zones})
