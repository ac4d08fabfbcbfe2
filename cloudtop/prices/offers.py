"""Types at their spot price of now, and how like another type they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudtop.aws.client import Client, plain_errors
from cloudtop.aws.find import Filters
from cloudtop.aws.instance_types import AT_ONCE, matching
from module_utils.cloudtop_resources import InstanceType
from spotprices.files import PRODUCTS


@dataclass(frozen=True)
class Offer:
    """A type at its price of now in a zone, in dollars an hour, and what it has."""

    type: str
    zone: str
    dollars: float
    vcpus: int
    memory_mib: int
    disks: int

    def __str__(self) -> str:
        disks = "no own disk" if not self.disks else f"{self.disks} own disk"
        return (
            f"{self.vcpus} vCPUs, {self.memory_mib / 1024:g} GiB, {disks}{'s' * (self.disks > 1)},"
            f" ${self.dollars:.4f} in {self.zone}"
        )

    def likeness(self, other: Offer) -> float:
        """How much of another type this one has, from 0 to 1: more of anything is as good."""
        return (
            min(1.0, self.vcpus / other.vcpus)
            * min(1.0, self.memory_mib / other.memory_mib)
            * (0.5 if other.disks and not self.disks else 1.0)
        )


def of_type(kind: InstanceType, zone: str = "", dollars: float = 0.0) -> Offer:
    """An offer of a type."""
    return Offer(
        type=kind.instance_type,
        zone=zone,
        dollars=dollars,
        vcpus=kind.vcpus,
        memory_mib=kind.memory_mib,
        disks=kind.store_disks,
    )


def like(
    client: Client, instance_type: str, zones: Sequence[str], eighths: Sequence[int]
) -> tuple[Offer, list[Offer]]:
    """The type itself, without a price, and the offers of types in its place in these zones.

    Those run the same images, are of the current generation, have one of these eighths of its
    vCPUs, and a disk of their own if it has one.
    """
    with plain_errors():
        (info,) = client.describe_instance_types(InstanceTypes=[instance_type])["InstanceTypes"]
    kind = InstanceType.from_ec2(info)
    wanted = of_type(kind)
    # EC2's sizes are such parts of each other; all types would take it many seconds to list
    vcpus = {max(1, wanted.vcpus * eighth // 8) for eighth in eighths}
    others = _in_its_place(client, wanted, vcpus, kind.architectures)
    return wanted, [
        of_type(others[name], zone, dollars)
        for (name, zone), dollars in _prices(client, sorted(others), zones).items()
    ]


def _in_its_place(
    client: Client, wanted: Offer, vcpus: set[int], architectures: Sequence[str]
) -> dict[str, InstanceType]:
    filters = {
        "current-generation": ["true"],
        "supported-usage-class": ["spot"],
        "processor-info.supported-architecture": list(architectures),
        "vcpu-info.default-vcpus": sorted(map(str, vcpus)),
        **({"instance-storage-supported": ["true"]} if wanted.disks else {}),
    }
    asked: Filters = [{"Name": name, "Values": values} for name, values in filters.items()]
    return {each.instance_type: each for each in matching(client, asked)}


def _prices(
    client: Client, types: Sequence[str], zones: Sequence[str]
) -> dict[tuple[str, str], float]:
    """Dollars an hour of now of these types in these zones."""
    now, entries = datetime.now(UTC), list[Any]()
    with plain_errors():
        for begin in range(0, len(types), AT_ONCE):
            filters = {
                "instance-type": types[begin : begin + AT_ONCE], "availability-zone": list(zones)
            }  # fmt: skip
            pages = client.get_paginator("describe_spot_price_history").paginate(
                ProductDescriptions=[PRODUCTS[0]],
                StartTime=now,
                EndTime=now,
                Filters=[{"Name": name, "Values": values} for name, values in filters.items()],
            )
            entries += [entry for page in pages for entry in page["SpotPriceHistory"]]
    # EC2 lists the newest first
    return {
        (entry["InstanceType"], entry["AvailabilityZone"]): float(entry["SpotPrice"])
        for entry in reversed(entries)
    }
