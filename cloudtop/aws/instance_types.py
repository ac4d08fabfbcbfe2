"""Instance types: those named, and those that fulfil a wish."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.aws.client import Client, plain_errors
from cloudtop.aws.find import Filters
from cloudtop.errors import CloudtopError
from cloudtop.settings.settings import Settings
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Image, InstanceType

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

    def fulfilled(self, kind: InstanceType) -> bool:
        return (
            kind.vcpus >= self.vcpus
            and kind.memory_mib >= self.memory_gib * 1024
            and kind.store_disks >= self.disks
        )

    def __str__(self) -> str:
        return f"{self.vcpus} vCPUs, {self.memory_gib:g} GiB and {self.disks} disks"


def describe_all(client: Client, names: Sequence[str]) -> dict[str, InstanceType]:
    """Those names that are types of the client's region, with what EC2 says of each."""
    known: dict[str, InstanceType] = {}
    for begin in range(0, len(names), AT_ONCE):
        asked: Filters = [{"Name": "instance-type", "Values": list(names[begin : begin + AT_ONCE])}]
        known |= {each.instance_type: each for each in matching(client, asked)}
    return known


def matching(client: Client, filters: Filters) -> list[InstanceType]:
    """The types that pass the filters."""
    with plain_errors():
        pages = client.get_paginator("describe_instance_types").paginate(Filters=filters)
        return [InstanceType.from_ec2(each) for page in pages for each in page["InstanceTypes"]]


def disks_of(kind: InstanceType) -> str:
    """The instance store of a type in words: 2 x 300 GB, or none."""
    return ", ".join(f"{each.count} x {each.size_gb} GB" for each in kind.disks) or "none"


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
    known = matching(client, [{"Name": "instance-type", "Values": [f"{family[:2]}*"]}])
    return difflib.get_close_matches(wanted, [each.instance_type for each in known], n=3)


def describe(client: Client, instance_type: str) -> InstanceType | None:
    """A type of the client's region; None if it has none of that name."""
    return describe_all(client, [instance_type]).get(instance_type)


def image_parameter(client: Client, settings: Settings) -> str:
    """The SSM parameter of a first machine's image, for the type of the settings."""
    name = settings.image_parameter
    if "{arch}" not in name:
        return name
    return rules.image_parameter(name, describe(client, settings.instance_type))


def image_of_settings(client: Client, settings: Settings) -> str:
    """The image that the SSM parameter names for the type; empty if there is none, or nobody may
    look."""
    try:
        with plain_errors():
            answer = aws.client("ssm").get_parameter(Name=image_parameter(client, settings))
    except CloudtopError:
        return ""
    return str(answer["Parameter"]["Value"])


def image_of(client: Client, ident: str) -> Image:
    """An image that the account may use. Raises CloudtopError if EC2 has none of that id."""
    images = []
    with plain_errors():
        try:
            # A public image is deprecated after two years, and still there
            images = client.describe_images(ImageIds=[ident], IncludeDeprecated=True)["Images"]
        except ClientError as error:
            # NotFound, Malformed or Unavailable (EC2 API Reference, "Error codes")
            if not error.response["Error"]["Code"].startswith("InvalidAMIID."):
                raise
    if not images:
        raise CloudtopError(
            f"There is no image {ident!r} in this region, or it is not yours to use.",
            "Try without it: -e cloudtop_image=",
        )
    return Image.from_ec2(images[0])


def architecture(client: Client, settings: Settings) -> str:
    """The processor that the image is for, as DescribeInstanceTypes calls it.

    Without an image it is that of the image that the parameter names for the type of the
    settings, and if nobody may look there, what the parameter's name says.
    """
    ident = settings.image or image_of_settings(client, settings)
    if ident:
        return image_of(client, ident).architecture
    return "arm64" if "arm64" in image_parameter(client, settings) else "x86_64"


def fulfilling(client: Client, wish: Wish, processor: str) -> tuple[list[str], int]:
    """The smallest types of this processor that fulfil it, at most MOST, and how many do.

    Only those of the current generation that are sold as spot instances. Raises CloudtopError
    if there is none.
    """
    filters: Filters = [
        {"Name": "current-generation", "Values": ["true"]},
        {"Name": "supported-usage-class", "Values": ["spot"]},
        {"Name": "processor-info.supported-architecture", "Values": [processor]},
    ]
    if wish.disks:
        filters.append({"Name": "instance-storage-supported", "Values": ["true"]})
    matches = sorted(
        (each.vcpus, each.memory_mib, each.instance_type)
        for each in matching(client, filters)
        if wish.fulfilled(each)
    )
    if not matches:
        raise CloudtopError(
            f"No type of this region has {wish} (current, spot, {processor}).",
            "Wish for less: --vcpus N --memory GIB --disks N",
        )
    return [name for _, _, name in matches[:MOST]], len(matches)
