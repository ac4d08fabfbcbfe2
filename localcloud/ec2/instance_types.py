"""Instance types and zones: facts from moto's copy of EC2's own answers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
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
VIRTUAL_NAME = re.compile(r"ephemeral(\d|1\d|2[0-3])")
# The families whose first disk comes with a file system, which Linux images mount at /mnt; the
# disks of the others are blank (EC2 User Guide of 2015, "Instance store volumes")
FORMATTED_FAMILIES, FORMATTED_AS = ("c1", "c3", "m1", "m2", "m3"), "ext3"


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


def is_mapped(instance_type: str) -> bool:
    """Whether its instance store is not NVMe: a machine has the disks only that are mapped."""
    storage = facts(instance_type).get("InstanceStorageInfo", {})
    return bool(storage.get("NvmeSupport") == "unsupported")


def disk_sizes(instance_type: str) -> list[int]:
    """Bytes of each instance-store disk that a machine of this type has."""
    disks = facts(instance_type).get("InstanceStorageInfo", {}).get("Disks", [])
    return [
        max(int(disk["SizeInGB"] * GB * INSTANCE_STORE_SCALE) // MIB * MIB, INSTANCE_STORE_LEAST)
        for disk in disks
        for _ in range(disk["Count"])
    ]


def instance_store(
    instance_type: str, mapped: Mapping[str, str] | None = None
) -> tuple[InstanceStoreDisk, ...]:
    """The disks for one start of a machine of this type, with new serials.

    NVMe disks are always there. Disks of Xen's kind are those that ``mapped`` has: device names
    (``sdb``) by virtual name (``ephemeral0``).
    """
    sizes = disk_sizes(instance_type)
    if not is_mapped(instance_type):
        return tuple(InstanceStoreDisk(_serial(), size) for size in sizes)
    formatted = instance_type.partition(".")[0] in FORMATTED_FAMILIES
    disks = []
    for name, device in sorted((mapped or {}).items(), key=lambda entry: _number(entry[0])):
        disks.append(
            InstanceStoreDisk(
                _serial(),
                sizes[_number(name)],
                device=xen_name(device),
                filesystem=FORMATTED_AS if formatted and name == "ephemeral0" else "",
            )
        )
    return tuple(disks)


def attached_store(
    instance_type: str, by_image: Mapping[str, str], by_launch: Mapping[str, str]
) -> dict[str, str]:
    """Device names of the instance-store disks that EC2 attaches, by virtual name.

    Both mappings have virtual names by device name. EC2 ignores entries for NVMe disks, those for
    more disks than the type has, and for M3 all that are the image's (API reference,
    BlockDeviceMapping). Raises EC2's error for a name that is none.
    """
    for name in by_launch.values():
        require_virtual_name(name)
    if not is_mapped(instance_type):
        return {}
    family = instance_type.partition(".")[0]
    entries = {**({} if family == "m3" else by_image), **by_launch}
    count = len(disk_sizes(instance_type))
    return {
        name: device.removeprefix("/dev/")
        for device, name in entries.items()
        if _number(name) < count
    }


def require_virtual_name(name: str) -> None:
    """Raises EC2's error for a name that no instance-store disk has."""
    if not VIRTUAL_NAME.fullmatch(name):
        raise refusal(
            "InvalidBlockDeviceMapping",
            f"Invalid virtual name '{name}': it has to be ephemeral0 to ephemeral23",
        )


def xen_name(device: str) -> str:
    """The name that a kernel on Xen gives to what is mapped as ``sdb`` (EC2 User Guide)."""
    name = device.removeprefix("/dev/")
    return f"xvd{name.removeprefix('sd')}" if name.startswith("sd") else name


def _number(virtual_name: str) -> int:
    return int(virtual_name.removeprefix("ephemeral"))


def _serial() -> str:
    return f"AWS{secrets.token_hex(9)[:17].upper()}"
