"""Images of a cloudtop: what one is made of, and which images and parts of one go. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.cloudtop_resources import Image, Snapshot, Volume
from ansible.module_utils.ec2_ours import Cloudtop, NothingThereError
from ansible.module_utils.ec2_requests import Request

# A copy is made on the way and never kept; an image is an AMI and its snapshot
COPY, IMAGE = "copy", "image"


@dataclass(frozen=True)
class Origin:
    """The machine that an image is baked of."""

    instance: str
    root_volume: str
    zone: str
    image: str


@dataclass(frozen=True)
class Remains:
    """Ids of what goes."""

    volumes: list[str]
    snapshots: list[str]
    images: list[str]


def newest(cloudtop: Cloudtop, images: Iterable[Image]) -> dict[str, str]:
    """The newest image as the role shows one; its texts are empty if there is none."""
    own = rules.own_images(images, cloudtop.name, cloudtop.owner)
    image = own[0] if own else Image("")
    return {"id": image.image_id, "name": image.name, "created": image.creation_date}


def origin(cloudtop: Cloudtop, live: Sequence[Request]) -> Origin:
    """The running machine of the one live request. Raises RefusedError if it can't be baked."""
    request = live[0] if len(live) == 1 else None
    if request is None or request.verdict != "running" or not request.instance["root_volume"]:
        raise NothingThereError(
            f"The cloudtop {cloudtop.name} has no running machine with a root volume to bake an"
            " image of; run: python runner.py provision"
        )
    machine = request.instance
    return Origin(machine["id"], machine["root_volume"], machine["zone"], machine["image"])


def remains(
    cloudtop: Cloudtop,
    volumes: Iterable[Volume],
    snapshots: Iterable[Snapshot],
    images: Sequence[Image],
    delete: str,
) -> Remains:
    """Parts of a bake that did not end; with the cloudtop's name as ``delete``, its images too.

    ``images`` are the account's. A snapshot that one of them is made of stays: it goes with that.
    """
    mine, used = cloudtop.identity.items(), rules.snapshots_in_use(images)
    own = rules.own_volumes(volumes, cloudtop.name, cloudtop.owner)
    ours = [each for each in snapshots if mine <= each.tags.items()]
    parts = [each for each in ours if each.tags.get("cloudtop:role") in (COPY, IMAGE)]
    baked = rules.own_images(images, cloudtop.name, cloudtop.owner)
    return Remains(
        volumes=[each.volume_id for each in own if each.tags.get("cloudtop:role") == COPY],
        snapshots=[each.snapshot_id for each in parts if each.snapshot_id not in used],
        images=[each.image_id for each in baked] if delete == cloudtop.name else [],
    )


def surplus(
    cloudtop: Cloudtop,
    images: Iterable[Image],
    keep: int,
    live: Iterable[Request],
    coming: int = 0,
) -> list[str]:
    """Ids of the images beyond the ``keep`` newest, of which there is one at least; ``coming`` of
    these are yet to be made.

    One that a live request names stays: without it, that request is never fulfilled again.
    """
    named = {each.ec2.image_id for each in live}
    own = rules.own_images(images, cloudtop.name, cloudtop.owner)
    return [each.image_id for each in own[max(keep, 1) - coming :] if each.image_id not in named]
