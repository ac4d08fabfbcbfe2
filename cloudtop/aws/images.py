"""The images that were baked of a cloudtop, as EC2 lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudtop.aws import find as ec2
from cloudtop.aws.client import plain_errors
from cloudtop.aws.find import Resources
from module_utils import cloudtop_rules as rules


@dataclass(frozen=True)
class Image:
    """An AMI: its id and name, when it was made (as EC2 writes it), the GiB of its disks.

    ``state`` is EC2's (available, pending, …); ``baked`` is whether it is this cloudtop's own.
    """

    id: str
    name: str
    created: str
    gib: int
    state: str
    baked: bool

    def as_json(self) -> dict[str, Any]:
        """As ``status --json`` prints it."""
        kept = ("id", "name", "created", "state", "baked")
        return {key: getattr(self, key) for key in kept}


def _image(description: Any, baked: bool) -> Image:
    sizes = [
        each.get("Ebs", {}).get("VolumeSize", 0) for each in description["BlockDeviceMappings"]
    ]
    return Image(
        id=description["ImageId"],
        name=description.get("Name", ""),
        created=description.get("CreationDate", ""),
        gib=sum(sizes),
        state=description.get("State", ""),
        baked=baked,
    )


def baked(client: Any, name: str, owner: str) -> list[Image]:
    """The cloudtop's own images that can be launched, newest first."""
    with plain_errors():
        answer = client.describe_images(Owners=["self"], Filters=ec2.tag_filters(name, owner))
    mine = {"cloudtop:name": name, "cloudtop:owner": owner}
    images = [
        _image(each, True)
        for each in answer["Images"]
        if mine.items() <= rules.tags_of(each).items()
    ]
    usable = [each for each in images if each.state == "available"]
    return sorted(usable, key=lambda each: each.created, reverse=True)


def pinned(client: Any, resources: Resources, own: list[Image]) -> Image | None:
    """The image that the live request launches from; its state is ``gone`` if EC2 has it
    no more, None if there is no request."""
    ident = ((resources.request or {}).get("LaunchSpecification") or {}).get("ImageId", "")
    if not ident:
        return None
    for each in own:
        if each.id == ident:
            return each
    with plain_errors():
        listed = client.describe_images(Filters=[{"Name": "image-id", "Values": [ident]}])["Images"]
    return _image(listed[0], False) if listed else Image(ident, "", "", 0, "gone", False)


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
