"""All that an owner has in EC2 and what each costs at most, for the list of a dry run.

Pure but for ``look``. Prices are those of ``rates``: us-east-1, at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cloudtop import rates
from cloudtop.aws import orphans
from cloudtop.aws.client import Client
from cloudtop.aws.orphans import World
from module_utils import cloudtop_rules as rules
from module_utils.cloudtop_resources import Snapshot, Volume

# Kinds of resources, in words
REQUEST, MACHINE, ROOT, PUBLIC = "spot request", "machine", "root disk", "public address"
VOLUME, REPLACED, HALF, COPY = "volume", "replaced volume", "volume to be", "copy of a disk"
SNAPSHOT, IMAGE, ELASTIC = "snapshot", "image", "Elastic IP"
BY_ROLE = {"": VOLUME, "root": ROOT, "replaced": REPLACED, "restoring": HALF, "copy": COPY}


@dataclass(frozen=True)
class Holding:
    """One resource: its kind, EC2's id, the cloudtop's name, words, dollars a month at most.

    ``full`` are the dollars of a machine that runs all month. ``parent`` is the id of the machine
    or image that it goes with, empty for none.
    """

    kind: str
    id: str
    name: str
    text: str = ""
    month: float = 0.0
    full: float = 0.0
    parent: str = ""


def look(client: Client, owner: str) -> list[Holding]:
    """Ask EC2 for all that the owner's cloudtops have."""
    return list(holdings(orphans.look(client, owner)))


def holdings(world: World) -> Iterator[Holding]:
    """Live requests, machines with what goes with them, volumes, images, snapshots, addresses."""
    for each in world.requests:
        if rules.is_live(each):
            text = f"{each.instance_type} at ${each.spot_price:g}/h"
            yield Holding(REQUEST, each.spot_instance_request_id, _name(each.tags), text)
    yield from _machines(world)
    with_machines = {each.volume_id for each in world.disks if _goes_with(each)}
    for volume in world.volumes:
        if volume.state not in rules.DELETED and volume.volume_id not in with_machines:
            yield _disk(volume, f"{volume.size} GiB in {volume.availability_zone}")
    yield from _images(world)
    for address in world.addresses:
        ident, month = address.allocation_id, rates.address_month()
        yield Holding(ELASTIC, ident, _name(address.tags), address.public_ip, month)


def with_parts(ids: Collection[str], known: Sequence[Holding]) -> list[Holding]:
    """Those of the ids, and what goes with them."""
    return [each for each in known if each.id in ids or each.parent in ids]


def _machines(world: World) -> Iterator[Holding]:
    """Machines that are there, with their addresses and the disks that end with them."""
    requests = {each.spot_instance_request_id: each for each in world.requests}
    elastic = {each.instance_id for each in world.addresses}
    for each in world.instances:
        if each.state in rules.GONE:
            continue
        ident, request = each.instance_id, requests.get(each.spot_instance_request_id)
        name = _name(each.tags) or (_name(request.tags) if request else "")
        bid = (request.spot_price if request else 0) or rates.on_demand_price(each.instance_type)
        full = rates.worst_month(bid or 0, 0, 0).machine
        month = full if each.state in ("pending", "running") else 0.0
        text = f"{each.instance_type} in {each.availability_zone}, {each.state}"
        yield Holding(MACHINE, ident, name, text, month, full)
        if each.public_ip_address and ident not in elastic:
            yield Holding(
                PUBLIC, each.public_ip_address, name, "", rates.address_month(), parent=ident
            )
        for disk in world.disks:
            if _goes_with(disk, ident):
                yield _disk(disk, f"{disk.size} GiB", name, ident)


def _disk(volume: Volume, text: str, name: str = "", parent: str = "") -> Holding:
    role = volume.tags.get("cloudtop:role", "root" if parent else "")
    month = rates.disk_month(volume.size)
    name = name or _name(volume.tags)
    return Holding(BY_ROLE.get(role, VOLUME), volume.volume_id, name, text, month, parent=parent)


def _goes_with(disk: Volume, machine: str = "") -> bool:
    """Whether the end of that machine, or of any, is the end of the disk."""
    return any(
        held.delete_on_termination and machine in ("", held.instance_id)
        for held in disk.attachments
    )


def _images(world: World) -> Iterator[Holding]:
    """The owner's images, the snapshots that they are made of, and all others."""
    mine = [each for each in world.images if each.tags.get("cloudtop:owner") == world.owner]
    parts = {ident: each.image_id for each in mine for ident in each.snapshot_ids}
    for each in mine:
        yield Holding(IMAGE, each.image_id, _name(each.tags), each.name)
    for snapshot in world.snapshots:
        yield _snapshot(snapshot, parts.get(snapshot.snapshot_id, ""))


def _snapshot(snapshot: Snapshot, image: str) -> Holding:
    words = "of the image" if image else snapshot.label or "by schedule"
    gib = snapshot.volume_size
    ident, name, month = snapshot.snapshot_id, _name(snapshot.tags), rates.snapshots(gib)
    return Holding(SNAPSHOT, ident, name, f"{words}, {gib} GiB", month, parent=image)


def _name(tags: Mapping[str, str]) -> str:
    return tags.get("cloudtop:name", "")
