"""Instance types and zones: facts from moto's copy of EC2's own answers."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from localcloud.ec2.errors import invalid, refusal
from localcloud.machines.interface import InstanceStoreDisk

# EC2 launches this type if the call names none (API reference, RunInstances)
DEFAULT_TYPE = "m1.small"
GB = 10**9
MIB = 1 << 20
# Instance-store disks are made this much smaller than the type has them: 1900 GB become 1.9.
# No smaller than this, as XFS is made on nothing below 300 MB and docker needs some room.
INSTANCE_STORE_SCALE, INSTANCE_STORE_LEAST = 1 / 1000, 1 << 30


def facts(instance_type: str) -> dict[str, Any]:
    """The type as DescribeInstanceTypes shows it. Raises EC2's error for an unknown type."""
    entry: dict[str, Any] | None = INSTANCE_TYPES.get(instance_type)
    if entry is None:
        raise invalid(f"Invalid value '{instance_type}' for InstanceType.")
    return entry


@lru_cache
def zones_offering(region: str) -> dict[str, tuple[str, ...]]:
    """By instance type, the zones of the region that DescribeInstanceTypeOfferings names."""
    by_type: dict[str, list[str]] = {}
    for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, []):
        by_type.setdefault(offering["InstanceType"], []).append(offering["Location"])
    return {kind: tuple(sorted(zones)) for kind, zones in by_type.items()}


@lru_cache
def region_of(zone: str) -> str | None:
    """The region that the zone is in, or None for a zone that there is not."""
    every: dict[str, list[dict[str, Any]]] = INSTANCE_TYPE_OFFERINGS["availability-zone"]
    for region, offerings in every.items():
        if zone.startswith(region) and any(one["Location"] == zone for one in offerings):
            return region
    return None


def require_offered(region: str, instance_type: str, zone: str) -> None:
    zones = zones_offering(region).get(instance_type, ())
    if zone not in zones:
        raise refusal(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported in your requested"
            f" Availability Zone ({zone}). Please retry your request by not specifying an"
            f" Availability Zone or choosing {', '.join(zones) or 'another region'}.",
        )


def require_architecture(instance_type: str, architecture: str) -> None:
    supported = facts(instance_type)["ProcessorInfo"]["SupportedArchitectures"]
    if architecture not in supported:
        raise invalid(
            f"The architecture '{','.join(supported)}' of the specified instance type does not"
            f" match the architecture '{architecture}' of the specified AMI. Specify an instance"
            " type and an AMI that have matching architectures, and try again."
        )


def require_drivers(instance_type: str, ena: bool) -> None:
    if facts(instance_type).get("NetworkInfo", {}).get("EnaSupport") == "required" and not ena:
        raise refusal(
            "InvalidParameterCombination",
            "Enhanced networking with the Elastic Network Adapter (ENA) is required for the"
            f" '{instance_type}' instance type. Ensure that you are using an AMI that is enabled"
            " for ENA.",
        )


def instance_store(instance_type: str) -> tuple[InstanceStoreDisk, ...]:
    """Blank disks for one start of a machine of this type, with new serials."""
    disks = facts(instance_type).get("InstanceStorageInfo", {}).get("Disks", [])
    return tuple(
        InstanceStoreDisk(
            serial=f"AWS{secrets.token_hex(9)[:17].upper()}",
            size=max(
                int(disk["SizeInGB"] * GB * INSTANCE_STORE_SCALE) // MIB * MIB,
                INSTANCE_STORE_LEAST,
            ),
        )
        for disk in disks
        for _ in range(disk["Count"])
    )
