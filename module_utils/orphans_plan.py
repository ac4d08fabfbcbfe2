"""Which of the named leftovers may be deleted: the owner's, and needed by nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.cloudtop_resources import Image, Machine, Request, Snapshot, Volume
from ansible.module_utils.ec2_ours import RefusedError

OWNER_TAG, ROLE_TAG = "cloudtop:owner", "cloudtop:role"


@dataclass(frozen=True)
class World:
    """The named resources that EC2 shows, the requests of the named machines, and all images of
    the account."""

    machines: Sequence[Machine] = ()
    requests: Sequence[Request] = ()
    volumes: Sequence[Volume] = ()
    snapshots: Sequence[Snapshot] = ()
    images: Sequence[Image] = ()


@dataclass(frozen=True)
class Plan:
    """Ids to delete, in this order; what is gone already is not among them."""

    machines: list[str]
    images: list[str]
    volumes: list[str]
    snapshots: list[str]


def plan(owner: str, images: Sequence[str], world: World) -> Plan:
    """The proof that all may go; ``images`` are the ids of the named ones.

    Raises RefusedError for the first that may not.
    """
    machines = [each for each in world.machines if each.state not in rules.GONE]
    named = [each for each in world.images if each.image_id in images]
    volumes = [each for each in world.volumes if each.state not in rules.DELETED]
    _refuse_machines(owner, machines, world.requests)
    tags = {
        **{each.image_id: each.tags for each in named},
        **{each.volume_id: each.tags for each in volumes},
        **{each.snapshot_id: each.tags for each in world.snapshots},
    }
    foreign = [ident for ident, own in tags.items() if own.get(OWNER_TAG) != owner]
    _refuse(foreign, f"does not carry the tag of {owner}")
    # A volume without a role is a cloudtop's, and goes by destroy --delete-volume alone
    needed = [each.volume_id for each in volumes if ROLE_TAG not in each.tags or each.attachments]
    _refuse(needed, "is the volume of a cloudtop or attached to a machine")
    used = rules.snapshots_in_use(each for each in world.images if each.image_id not in images)
    snapshots = [each.snapshot_id for each in world.snapshots]
    _refuse([each for each in snapshots if each in used], "is needed by an image that stays")
    return Plan(
        machines=[each.instance_id for each in machines],
        images=[each.image_id for each in named],
        volumes=[each.volume_id for each in volumes],
        snapshots=snapshots,
    )


def _refuse_machines(owner: str, machines: Iterable[Machine], requests: Iterable[Request]) -> None:
    """Raise RefusedError unless each is the owner's and its request has ended.

    A relaunched machine has no tags and is the owner's by its request. A live request would
    launch another machine in the place of one that is ended.
    """
    by_id = {each.spot_instance_request_id: each for each in requests}
    refused = []
    for machine in machines:
        request = by_id.get(machine.spot_instance_request_id)
        owners = {machine.tags.get(OWNER_TAG), request.tags.get(OWNER_TAG) if request else None}
        if owner not in owners or rules.is_live(request):
            refused.append(machine.instance_id)
    _refuse(refused, f"is not of {owner} or its request is alive")


def _refuse(idents: Sequence[str], reason: str) -> None:
    if idents:
        raise RefusedError(
            f"{', '.join(idents)} {reason}, so nothing was deleted; run: python runner.py orphans"
        )
