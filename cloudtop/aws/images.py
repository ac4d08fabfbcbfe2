"""The images that were baked of a cloudtop, as EC2 lists them."""

from __future__ import annotations

from cloudtop.aws import find as ec2
from cloudtop.aws.client import Client, plain_errors
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Image, Request


def of_account(client: Client) -> list[Image]:
    """All images of the account."""
    with plain_errors():
        pages = client.get_paginator("describe_images").paginate(Owners=["self"])
        return [Image.from_ec2(each) for page in pages for each in page["Images"]]


def baked(client: Client, name: str, owner: str) -> list[Image]:
    """The cloudtop's own images that can be launched, newest first."""
    with plain_errors():
        answer = client.describe_images(Owners=["self"], Filters=ec2.tag_filters(name, owner))
    return rules.own_images(map(Image.from_ec2, answer["Images"]), name, owner)


def pinned(client: Client, request: Request | None, own: list[Image]) -> Image | None:
    """The image that the live request launches from; its state is ``gone`` if EC2 has it
    no more, None if there is no request."""
    ident = request.image_id if request else ""
    if not ident:
        return None
    for each in own:
        if each.image_id == ident:
            return each
    with plain_errors():
        # A public image is deprecated after two years, and still there
        listed = client.describe_images(
            Filters=[{"Name": "image-id", "Values": [ident]}], IncludeDeprecated=True
        )["Images"]
    return Image.from_ec2(listed[0]) if listed else Image(ident, state="gone")


def is_lost(image: Image | None) -> bool:
    """Whether nothing can be launched from an image any more, or not yet: it was deregistered, is
    shared no more, or was never whole."""
    return image is not None and image.state not in ("available", "")


def is_baked(image: Image, own: list[Image]) -> bool:
    """Whether it is one of the cloudtop's own."""
    return image.image_id in {each.image_id for each in own}


def next_relaunch(image: Image | None, own: list[Image]) -> str:
    """The image that the next relaunch boots, in a line for people; empty if nothing would boot."""
    if image is None:
        return ""
    if is_lost(image):
        return (
            f"{image.image_id} is {image.state}, so no relaunch can succeed. The machine that runs"
            " is whole: make an image of it with python runner.py bake; then, or to take"
            " an image that exists: python runner.py provision --yes"
        )
    if not is_baked(image, own):
        advice = (
            f"{own[0].name} is newer: python runner.py provision"
            if own
            else "needs a converge after a relaunch: python runner.py bake"
        )
        return f"{image.image_id}, not baked of this cloudtop; {advice}"
    if own and own[0].image_id != image.image_id:
        return f"{image.name}; {own[0].name} is newer: python runner.py provision"
    return f"{image.name}, baked {image.creation_date[:16].replace('T', ' ')} UTC"
