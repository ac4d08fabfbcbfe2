"""Where EC2 can launch an instance type, and what an image is."""

from __future__ import annotations

from typing import Any


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


def image_of(client: Any, ident: str) -> dict[str, Any] | None:
    """The image of that id, if this account may use it."""
    # Not by id, which is an error where there is none
    by_id = [{"Name": "image-id", "Values": [ident]}]
    images = client.describe_images(Filters=by_id)["Images"] if ident else []
    return dict(images[0]) if images else None


def root_size(image: dict[str, Any]) -> int:
    """GiB of an image's first disk; 0 if it does not say."""
    disks = [each["Ebs"] for each in image.get("BlockDeviceMappings", []) if "Ebs" in each]
    return int(disks[0].get("VolumeSize", 0)) if disks else 0
