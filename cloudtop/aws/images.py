"""The images that were baked of a cloudtop, as EC2 lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudtop.aws import find as ec2
from cloudtop.aws.client import Client, plain_errors
from module_utils.cloudtop_resources import Description, Request, tags_of


@dataclass(frozen=True)
class Image:
    """An AMI: its id and name, when it was made (as EC2 writes it), the GiB of its disks.

    ``state`` is EC2's (available, pending, …); ``baked`` is whether it is this cloudtop's own.
    ``snapshot_ids`` are what its disks are made of.
    """

    id: str
    name: str
    created: str
    gib: int
    state: str
    baked: bool
    snapshot_ids: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_ec2(cls, description: Description, baked: bool = False) -> Image:
        """From DescribeImages."""
        mapped = description.get("BlockDeviceMappings") or []
        disks = [each["Ebs"] for each in mapped if "Ebs" in each]
        return cls(
            id=description["ImageId"],
            name=description.get("Name", ""),
            created=description.get("CreationDate", ""),
            gib=sum(disk.get("VolumeSize", 0) for disk in disks),
            state=description.get("State", ""),
            baked=baked,
            snapshot_ids=tuple(disk["SnapshotId"] for disk in disks if disk.get("SnapshotId")),
            tags=tags_of(description),
        )


def of_account(client: Client) -> list[Image]:
    """All images of the account."""
    with plain_errors():
        pages = client.get_paginator("describe_images").paginate(Owners=["self"])
        return [Image.from_ec2(each) for page in pages for each in page["Images"]]


def baked(client: Client, name: str, owner: str) -> list[Image]:
    """The cloudtop's own images that can be launched, newest first."""
    with plain_errors():
        answer = client.describe_images(Owners=["self"], Filters=ec2.tag_filters(name, owner))
    mine = {"cloudtop:name": name, "cloudtop:owner": owner}.items()
    own = [Image.from_ec2(each, baked=True) for each in answer["Images"]]
    usable = [each for each in own if mine <= each.tags.items() and each.state == "available"]
    return sorted(usable, key=lambda each: each.created, reverse=True)


def pinned(client: Client, request: Request | None, own: list[Image]) -> Image | None:
    """The image that the live request launches from; its state is ``gone`` if EC2 has it
    no more, None if there is no request."""
    ident = request.image_id if request else ""
    if not ident:
        return None
    for each in own:
        if each.id == ident:
            return each
    with plain_errors():
        # A public image is deprecated after two years, and still there
        listed = client.describe_images(
            Filters=[{"Name": "image-id", "Values": [ident]}], IncludeDeprecated=True
        )["Images"]
    return Image.from_ec2(listed[0]) if listed else Image(ident, "", "", 0, "gone", False)


def next_relaunch(image: Image | None, own: list[Image]) -> str:
    """The image that the next relaunch boots, in a line for people; empty if nothing would boot."""
    if image is None:
        return ""
    if image.state == "gone":
        return f"{image.id} is gone, so no relaunch can succeed: python runner.py provision"
    if not image.baked:
        advice = (
            f"{own[0].name} is newer: python runner.py provision"
            if own
            else "needs a converge after a relaunch: python runner.py bake"
        )
        return f"{image.id}, not baked of this cloudtop; {advice}"
    if own and own[0].id != image.id:
        return f"{image.name}; {own[0].name} is newer: python runner.py provision"
    return f"{image.name}, baked {image.created[:16].replace('T', ' ')} UTC"
