"""Leftovers of an owner's cloudtops: found by tags and requests, told apart by their roles.

Pure but for ``look``. Prices are those of ``rates``: us-east-1, at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cloudtop import rates
from cloudtop.aws import find as ec2
from cloudtop.aws import images
from cloudtop.aws.client import Client
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Address, Image, Machine, Request, Snapshot, Volume

Tagged = Request | Machine | Volume | Snapshot | Image | Address
T = TypeVar("T", bound=Tagged)


@dataclass(frozen=True)
class Kind:
    """A kind of leftover, in words; ``data`` if somebody's work may be on it.

    Those that are not ``deletable`` are only listed.
    """

    words: str
    data: bool = False
    deletable: bool = True


KINDS = {
    "machine": Kind("machines whose request has ended"),
    "image": Kind("images of cloudtops that have no volume"),
    "root": Kind("root disks of no machine"),
    "part": Kind("parts of bakes that did not end"),
    "replaced": Kind("volumes that were replaced", data=True),
    "restoring": Kind("volumes of restores and switches that did not end", data=True),
    "snapshot": Kind("snapshots of cloudtops that have no volume", data=True),
    "address": Kind("elastic addresses of no machine", deletable=False),
}


@dataclass(frozen=True)
class Leftover:
    """One resource: its kind (of KINDS, or ``volume`` for one that is kept), EC2's id, the
    cloudtop's name, GiB (0 if that says nothing) and dollars a month at most."""

    kind: str
    id: str
    name: str
    gib: int
    month: float
    note: str = ""

    def as_json(self) -> dict[str, object]:
        """As ``orphans --json`` prints it."""
        return {**self.__dict__, "month": round(self.month, 2)}


@dataclass(frozen=True)
class Left:
    """Leftovers, and the volumes that are kept on purpose though nothing runs."""

    orphans: tuple[Leftover, ...]
    kept: tuple[Leftover, ...]


@dataclass(frozen=True)
class World:
    """All of one owner as EC2 describes it, and all images of the account.

    ``disks`` are volumes that instances have, with our tags or without.
    """

    owner: str
    requests: list[Request]
    instances: list[Machine]
    volumes: list[Volume]
    disks: list[Volume]
    snapshots: list[Snapshot]
    images: list[Image]
    addresses: list[Address]


def look(client: Client, owner: str) -> World:
    """Ask EC2 for everything that carries the owner's tag or that their requests made."""
    mine: ec2.Filters = [{"Name": "tag:cloudtop:owner", "Values": [owner]}]

    def ours(listed: Iterable[T]) -> list[T]:
        return [each for each in listed if _is_ours(each, owner)]

    requests = ours(ec2.requests(client, mine))
    ids = [each.spot_instance_request_id for each in requests]
    seen = ec2.machines(client, mine)
    seen += ec2.machines(client, ec2.of_requests(ids)) if ids else []
    instances = {
        each.instance_id: each
        for each in seen
        if _is_ours(each, owner) or each.spot_instance_request_id in ids
    }
    attached: ec2.Filters = [{"Name": "attachment.instance-id", "Values": list(instances)}]
    return World(
        owner=owner,
        requests=requests,
        instances=list(instances.values()),
        volumes=ours(ec2.volumes(client, mine)),
        disks=ec2.volumes(client, attached) if instances else [],
        snapshots=ours(ec2.snapshots(client, mine)),
        images=images.of_account(client),
        addresses=ours(ec2.addresses(client, mine)),
    )


def _is_ours(resource: Tagged, owner: str) -> bool:
    """Whether it carries both tags, letter by letter: an asterisk in a filter finds others."""
    return resource.tags.get("cloudtop:owner") == owner and bool(_name(resource))


def sort_out(world: World) -> Left:
    """Tell apart what belongs to a cloudtop that lives or is kept, and what to nobody."""
    live = {_name(each) for each in world.requests if rules.is_live(each)}
    roles: dict[str, list[Volume]] = {}
    for volume in world.volumes:
        if volume.state not in rules.DELETED:
            roles.setdefault(volume.tags.get("cloudtop:role", ""), []).append(volume)
    settled = {_name(each) for each in roles.get("", [])}
    # Between its two tags a restore has no volume without a role: it is brought to its end first
    unsettled = {_name(each) for each in roles.get("restoring", [])} - settled
    orphans: list[Leftover] = [*_machines(world), *_images(world, live | settled | unsettled)]
    kept = [_volume("volume", each) for each in roles.get("", []) if _name(each) not in live]
    for kind, role in (("root", "root"), ("part", "copy"), ("replaced", ""), ("restoring", "")):
        for volume in roles.get(role or kind, []):
            if kind in ("replaced", "restoring") and _name(volume) in unsettled:
                kept.append(_volume("volume", volume, "a restore is half done"))
            elif volume.state in ("available", "error"):
                orphans.append(_volume(kind, volume))
    orphans += _snapshots(world, live | settled | unsettled)
    orphans += [
        Leftover("address", each.allocation_id, _name(each), 0, rates.address_month())
        for each in world.addresses
        # Between two machines it is a living cloudtop's all the same
        if not each.association_id and _name(each) not in live
    ]
    return Left(tuple(orphans), tuple(kept))


def _name(resource: Tagged) -> str:
    return resource.tags.get("cloudtop:name", "")


def _volume(kind: str, volume: Volume, note: str = "") -> Leftover:
    month = rates.worst_month(0, volume.size, 0).volume
    return Leftover(kind, volume.volume_id, _name(volume), volume.size, month, note)


def _machines(world: World) -> Iterator[Leftover]:
    """Instances of no live request, with the disks that go with them."""
    by_id = {each.spot_instance_request_id: each for each in world.requests}
    for each in world.instances:
        request = by_id.get(each.spot_instance_request_id)
        if each.state in rules.GONE or rules.is_live(request):
            continue
        bid = (request.spot_price if request else 0) or rates.on_demand_price(each.instance_type)
        gib = sum(
            disk.size
            for disk in world.disks
            for held in disk.attachments
            if held.instance_id == each.instance_id and held.delete_on_termination
        )
        month = rates.worst_month(bid or 0, 0, gib)
        running = month.machine if each.state in ("pending", "running") else 0.0
        address = month.address if each.public_ip_address else 0.0
        note = f"{each.instance_type}, {each.state}" + ("" if bid else ", price unknown")
        name = _name(each) or (_name(request) if request else "")
        dollars = running + address + month.root
        yield Leftover("machine", each.instance_id, name, gib, dollars, note)


def _images(world: World, names: set[str]) -> Iterator[Leftover]:
    for each in world.images:
        if _is_ours(each, world.owner) and _name(each) not in names:
            month = rates.snapshots(each.size)
            yield Leftover("image", each.image_id, _name(each), each.size, month, each.name)


def _snapshots(world: World, names: set[str]) -> Iterator[Leftover]:
    """Those of images go with their images."""
    used = rules.snapshots_in_use(world.images)
    for each in world.snapshots:
        role, gib = each.tags.get("cloudtop:role"), each.volume_size
        if each.snapshot_id in used or each.state == "pending":
            continue
        if role in ("copy", "image") or (role == rules.SNAPSHOT_ROLE and _name(each) not in names):
            kind = "snapshot" if role == rules.SNAPSHOT_ROLE else "part"
            month = rates.snapshots(gib)
            yield Leftover(kind, each.snapshot_id, _name(each), gib, month, each.label)
