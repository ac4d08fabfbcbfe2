"""Offers of EC2: the zones and prices of an instance type, and the properties of an image."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.cloudtop_resources import Image
from ansible.module_utils.ec2_ours import RefusedError

# The market of machines in a VPC, which is all that EC2 has since EC2-Classic ended in 2022
PRODUCTS = ["Linux/UNIX"]
# Names for mapped instance-store disks: those of EC2's own images (sdb is ephemeral0), without sdj
# and sdk, which are the volume's and the copy's of a bake. d2.8xlarge has 24 disks: one is left out
STORE_DEVICES = tuple(f"/dev/sd{letter}" for letter in "bcdefghilmnopqrstuvwxyz")


def offered_zones(client: Any, instance_type: str) -> set[str]:
    """Zones where the type exists at all."""
    pages = client.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": [instance_type]}],
    )
    return {offer["Location"] for page in pages for offer in page["InstanceTypeOfferings"]}


def subnet_zones(client: Any) -> set[str]:
    """Zones where a machine that names no subnet finds one."""
    pages = client.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": "default-for-az", "Values": ["true"]}]
    )
    return {subnet["AvailabilityZone"] for page in pages for subnet in page["Subnets"]}


def usable_zones(client: Any, types: list[str]) -> dict[str, set[str]]:
    """Zones that a machine of each type can be in: it is offered there, with a default subnet."""
    subnets = subnet_zones(client)
    return {each: offered_zones(client, each) & subnets for each in types}


def image_of(client: Any, ident: str) -> Image | None:
    """The image of that id, if this account may use it."""
    # Not by id, which is an error if there is none
    by_id = [{"Name": "image-id", "Values": [ident]}]
    # A public image is deprecated after two years, and still there
    images = (
        client.describe_images(Filters=by_id, IncludeDeprecated=True)["Images"] if ident else []
    )
    return Image.from_ec2(images[0]) if images else None


def store_mapping(devices: Collection[str], disks: int) -> list[dict[str, str]]:
    """The launch's entries for so many instance-store disks, beside the image's own devices."""
    free = [each for each in STORE_DEVICES if each not in devices]
    return [
        {"device_name": device, "virtual_name": f"ephemeral{number}"}
        for number, device in enumerate(free[:disks])
    ]


def by_price(zones: set[str], prices: dict[str, float]) -> list[str]:
    """Zones from cheap to dear; those without a price last, equal ones by name."""
    return sorted(zones, key=lambda zone: (prices.get(zone, float("inf")), zone))


def by_choice(zones: set[str], further: list[set[str]], prices: dict[str, float]) -> list[str]:
    """Zones from those with the most of the further types to those with none, cheap ones first."""
    cheapest = by_price(zones, prices)
    return sorted(cheapest, key=lambda zone: -sum(zone in offered for offered in further))


def latest_prices(history: list[dict[str, Any]]) -> dict[str, float]:
    """Dollars an hour by zone, from the youngest entry of each."""
    oldest_first = sorted(history, key=lambda entry: entry["Timestamp"])
    return {entry["AvailabilityZone"]: float(entry["SpotPrice"]) for entry in oldest_first}


def lowest_price(
    prices: Mapping[str, Mapping[str, float]], zones: Mapping[str, set[str]]
) -> dict[str, Any]:
    """The lowest price of several types in the zones of each: dollars an hour, type and zone.

    ``prices`` is by type and zone. Empty if EC2 gives no price of any.
    """
    every = [
        (dollars, kind, zone)
        for kind, at in prices.items()
        for zone, dollars in at.items()
        if zone in zones.get(kind, ())
    ]
    return dict(zip(("dollars", "type", "zone"), min(every), strict=True)) if every else {}


def refuse_low_bid(bid: float, lowest: Mapping[str, Any]) -> None:
    """Raise RefusedError if EC2 would launch no machine at the bid; ``lowest`` is lowest_price."""
    if lowest and lowest["dollars"] > bid:
        raise RefusedError(
            f"The bid of ${bid:g} an hour is below EC2's price of now: {lowest['type']} costs"
            f" ${lowest['dollars']:g} in {lowest['zone']}, the cheapest zone that it can be in, so"
            " that EC2 would launch no machine and nothing was made; to see what a type costs, run:"
            " python runner.py prices; to request it all the same, run: python runner.py provision"
            " --wait"
        )


def price_history(client: Any, instance_type: str) -> list[dict[str, Any]]:
    """The price of this moment; EC2 adds the last change before the start that is asked for."""
    pages = client.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=[instance_type],
        ProductDescriptions=PRODUCTS,
        StartTime=datetime.now(UTC),
    )
    return [entry for page in pages for entry in page["SpotPriceHistory"]]


def cheapest_zones(client: Any, instance_type: str) -> list[str]:
    """Zones that a machine of the type can be in, from cheap to dear."""
    zones = usable_zones(client, [instance_type])[instance_type]
    return by_price(zones, latest_prices(price_history(client, instance_type)) if zones else {})
