"""Instance types: those named, and those that fulfil a wish."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudtop.aws import client as aws
from cloudtop.aws.client import Client, plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules

# Types further down are hardly wanted, and each costs a call
MOST = 50
# Values of one filter (API reference, Filter)
AT_ONCE = 200


@dataclass(frozen=True)
class Wish:
    """At least so much of each."""

    vcpus: int
    memory_gib: float
    disks: int

    def fulfilled(self, info: dict[str, Any]) -> bool:
        disks = info.get("InstanceStorageInfo", {}).get("Disks", [])
        return bool(
            info["VCpuInfo"]["DefaultVCpus"] >= self.vcpus
            and info["MemoryInfo"]["SizeInMiB"] >= self.memory_gib * 1024
            and sum(disk["Count"] for disk in disks) >= self.disks
        )

    def __str__(self) -> str:
        return f"{self.vcpus} vCPUs, {self.memory_gib:g} GiB and {self.disks} disks"


def describe_all(client: Client, names: Sequence[str]) -> dict[str, Any]:
    """EC2's descriptions by type, of those names that are types of the client's region."""
    infos: dict[str, Any] = {}
    with plain_errors():
        for begin in range(0, len(names), AT_ONCE):
            asked = {"Name": "instance-type", "Values": list(names[begin : begin + AT_ONCE])}
            pages = client.get_paginator("describe_instance_types").paginate(Filters=[asked])
            infos |= {
                info["InstanceType"]: info for page in pages for info in page["InstanceTypes"]
            }
    return infos


def disks_of(info: dict[str, Any]) -> str:
    """The instance store of a type in words: 2 x 300 GB, or none."""
    disks = info.get("InstanceStorageInfo", {}).get("Disks", [])
    return ", ".join(f"{disk['Count']} x {disk['SizeInGB']} GB" for disk in disks) or "none"


def check(client: Client, names: Sequence[str]) -> None:
    """Raises CloudtopError for a name that is no type of the client's region."""
    known = describe_all(client, names)
    for name in names:
        if name not in known:
            near = similar(client, name)
            raise CloudtopError(
                f"{name!r} is no instance type that EC2 has in this region.",
                f"Did you mean {' or '.join(near)}?" if near else "For example: m5d.4xlarge",
            )


def similar(client: Client, wanted: str) -> list[str]:
    """Names of types that the wanted one may have meant, the likeliest first."""
    family = wanted.partition(".")[0]
    with plain_errors():
        infos = client.describe_instance_types(
            Filters=[{"Name": "instance-type", "Values": [f"{family[:2]}*"]}]
        )["InstanceTypes"]
    return difflib.get_close_matches(wanted, [each["InstanceType"] for each in infos], n=3)


def describe(client: Client, instance_type: str) -> Any:
    """EC2's description of a type; empty if it has none of that name."""
    with plain_errors():
        infos = client.describe_instance_types(
            Filters=[{"Name": "instance-type", "Values": [instance_type]}]
        )["InstanceTypes"]
    return infos[0] if infos else {}


def image_parameter(client: Client, settings: Settings) -> str:
    """The SSM parameter of a first machine's image, for the type of the settings."""
    name = settings.image_parameter
    if "{arch}" not in name:
        return name
    return str(rules.image_parameter(name, describe(client, settings.instance_type)))


def image_of_settings(client: Client, settings: Settings) -> str:
    """The image that the SSM parameter names for the type; empty if there is none, or nobody may
    look."""
    try:
        with plain_errors():
            answer = aws.client("ssm").get_parameter(Name=image_parameter(client, settings))
    except CloudtopError:
        return ""
    return str(answer["Parameter"]["Value"])


def architecture(client: Client, settings: Settings) -> str:
    """The processor that the image is for, as DescribeInstanceTypes calls it.

    Without an image it is that of the image that the parameter names for the type of the
    settings, and if nobody may look there, what the parameter's name says.
    """
    ident = settings.image or image_of_settings(client, settings)
    if ident:
        with plain_errors():
            # A public image is deprecated after two years, and still there
            images = client.describe_images(ImageIds=[ident], IncludeDeprecated=True)["Images"]
        if images:
            return str(images[0]["Architecture"])
    return "arm64" if "arm64" in image_parameter(client, settings) else "x86_64"


def fulfilling(client: Client, wish: Wish, processor: str) -> tuple[list[str], int]:
    """The smallest types of this processor that fulfil it, at most MOST, and how many do.

    Only those of the current generation that are sold as spot instances. Raises CloudtopError
    if there is none.
    """
    filters = [
        {"Name": "current-generation", "Values": ["true"]},
        {"Name": "supported-usage-class", "Values": ["spot"]},
        {"Name": "processor-info.supported-architecture", "Values": [processor]},
    ]
    if wish.disks:
        filters.append({"Name": "instance-storage-supported", "Values": ["true"]})
    with plain_errors():
        pages = client.get_paginator("describe_instance_types").paginate(Filters=filters)
        every = [info for page in pages for info in page["InstanceTypes"]]
    matches = sorted(
        (info["VCpuInfo"]["DefaultVCpus"], info["MemoryInfo"]["SizeInMiB"], info["InstanceType"])
        for info in every
        if wish.fulfilled(info)
    )
    if not matches:
        raise CloudtopError(
            f"No type of this region has {wish} (current, spot, {processor}).",
            "Wish for less: --vcpus N --memory GIB --disks N",
        )
    return [name for _, _, name in matches[:MOST]], len(matches)
