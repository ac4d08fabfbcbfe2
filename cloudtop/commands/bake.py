"""``runner.py bake``, and the renewal of a live request whose image is not the newest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cloudtop.aws import client as aws
from cloudtop.aws import images, instance_types
from cloudtop.aws.find import Resources
from cloudtop.command import Context, run_playbooks
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work
from cloudtop.playbooks.unreachable import GO_ON
from cloudtop.prices import bid_check
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Image, Request

RENEWAL = "The live request boots another image until: python runner.py provision --yes"

# The ways out if the image of a live request can be launched from no more
WAYS = (
    "To make an image of this machine as it is: python runner.py bake. To have the request launch"
    " from that then, or from one that exists: python runner.py provision --yes"
)


def run(context: Context) -> None:
    """Converge the machine and make an AMI of it that heals alone.

    Raises CloudtopError if that fails; half-made parts are removed by then, or the message
    names them.
    """
    if context.forecast:
        run_playbooks(context, context.playbooks)
        if not context.settings.image:
            context.forecast.later.append(RENEWAL)
        return
    before = images_of(context)
    try:
        run_playbooks(context, context.playbooks)
    except CloudtopError as failed:
        raise _cleared(context, failed, before) from failed
    own = images_of(context)
    if not own:
        raise CloudtopError(
            "EC2 shows no image although one was made.", "Try: python runner.py status"
        )
    print(f"\nBaked {own[0].name} ({own[0].image_id}).")
    if rules.renewal(context.find().request, wanted_image(context, own)):
        print(RENEWAL)


def images_of(context: Context) -> list[Image]:
    """The cloudtop's own images, newest first."""
    return images.baked(aws.client(), context.settings.name, context.settings.owner)


def _cleared(context: Context, failed: CloudtopError, before: list[Image]) -> CloudtopError:
    """The failure once more, with what became of the parts, and of the image itself.

    ``before`` are the images that there were. EC2 may have made another although the call for it
    failed.
    """
    try:
        run_playbooks(context, context.on_failure)
    except CloudtopError as stuck:
        return CloudtopError(
            f"{failed.message}\nParts of the image could not be removed: {stuck.message}",
            "They cost money until: python runner.py bake, which removes them first",
        )
    try:
        fresh = [each for each in images_of(context) if each not in before]
    except CloudtopError as unseen:
        return CloudtopError(
            f"{failed.message}\nWhether an image was made can't be seen: {unseen.message}",
            "Look: python runner.py status",
        )
    if fresh:
        return CloudtopError(
            f"{failed.message}\nThe image {fresh[0].name} ({fresh[0].image_id}) was made all the"
            " same, and the next machine boots it; no other part is left.",
            f"{failed.hint.removesuffix(GO_ON).rstrip()}\nTo see it: python runner.py status",
        )
    return CloudtopError(
        f"{failed.message}\nNo image was made, and nothing of it is left.",
        f"{failed.hint.removesuffix(GO_ON).rstrip()}\n{GO_ON}, then: python runner.py bake",
    )


def wanted_image(context: Context, own: list[Image]) -> str:
    """The image to launch from, as the playbooks choose it; empty for what the SSM parameter
    names.

    The owner's own setting wins over ``own``, what was baked, newest first.
    """
    return context.settings.image or (own[0].image_id if own else "")


def image_to_launch(
    context: Context, request: Request | None, own: list[Image]
) -> tuple[str, dict[str, str], str]:
    """The wanted image, the extra variable if the playbooks would not choose it by themselves, and
    the state of the request's own image if nothing can be launched from that.

    The playbooks leave a request with the image of the SSM parameter alone, whatever became of it.
    """
    client, wanted = aws.client(), wanted_image(context, own)
    pinned = images.pinned(client, request, own)
    if pinned is None or not images.is_lost(pinned):
        return wanted, {}, ""
    if wanted and wanted != pinned.image_id:
        return wanted, {}, pinned.state
    wanted = instance_types.image_of_settings(client, context.settings)
    if wanted == pinned.image_id:
        wanted = ""
    return wanted, {"cloudtop_image": wanted} if wanted else {}, pinned.state


@contextmanager
def renewing(context: Context, resources: Resources) -> Iterator[dict[str, bool | str]]:
    """Let a live request give way to one with the wanted image, if the setting or somebody says so.

    Inside, the machine is ready for its end; gives the extra variables of the run. If nobody is
    there to be asked, the request stays, and the role says so.
    """
    settings = context.settings
    wanted, more, lost = image_to_launch(context, resources.request, images_of(context))
    change = rules.renewal(resources.request, wanted)
    if change is None:
        if lost and resources.request:
            print(f"{_lost(resources.request.image_id, lost)} No other image was found. {WAYS}")
        yield {}
        return
    if lost:
        print(_lost(change.now, lost))
    print(
        f"The live request launches from {change.now}; it should from {change.wanted}. To change"
        " that, cloudtop cancels it, ends its machine and makes a new request with the same volume."
        f" Everything on {settings.ephemeral_mount} and the root disk is lost; git work trees with"
        " work found nowhere else are saved to the volume first."
    )
    asks = not context.dry and sys.stdin.isatty()
    if not (settings.renew or context.options.yes or (asks and _agreed())):
        if lost:
            print(f"The live request keeps its image. {WAYS}")
        yield {}
        return
    # An answer may take long: another machine may run by now
    resources = context.find()
    try:
        zone = resources.volume.availability_zone if resources.volume else ""
        places = {each: [zone] for each in settings.types if zone}
        bid_check.notes(aws.client(), settings, places)
    except CloudtopError as refused:
        print(f"The live request keeps its image. {refused.message}")
        # The setting may have said yes: the role must not end a machine that nobody saved
        yield {"cloudtop_renew": False}
        return
    with save_work.ending(context, [resources.instance], resources.volume):
        yield {"cloudtop_renew": True, **more}


def _lost(image: str, state: str) -> str:
    return f"The image {image} of the live request is {state}: EC2 can launch no machine from it."


def _agreed() -> bool:
    return input("Do it now? [y/N] ").strip().lower() in {"y", "yes"}
