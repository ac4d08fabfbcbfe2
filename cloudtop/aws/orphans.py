"""Leftovers of an owner's cloudtops: found by tags and requests, told apart by their roles.

Pure but for ``look``. Prices are those of ``rates``: us-east-1, at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudtop import rates
from cloudtop.aws.client import plain_errors
from module_utils import cloudtop_rules as rules


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

    def as_json(self) -> dict[str, Any]:
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
    requests: list[Any]
    instances: list[Any]
    volumes: list[Any]
    disks: list[Any]
    snapshots: list[Any]
    images: list[Any]
    addresses: list[Any]


def look(client: Any, owner: str) -> World:
    """Ask EC2 for everything that carries the owner's tag or that their requests made."""
    mine = [{"Name": "tag:cloudtop:owner", "Values": [owner]}]

    def pages(call: str, key: str, **asked: Any) -> list[Any]:
        with plain_errors():
            answers = client.get_paginator(call).paginate(**asked)
            return [each for page in answers for each in page[key]]

    def ours(listed: list[Any]) -> list[Any]:
        return [each for each in listed if _is_ours(each, owner)]

    requests = ours(pages("describe_spot_instance_requests", "SpotInstanceRequests", Filters=mine))
    reservations = pages("describe_instances", "Reservations", Filters=mine)
    ids = [each["SpotInstanceRequestId"] for each in requests]
    if ids:
        by_request = [{"Name": "spot-instance-request-id", "Values": ids}]
        reservations += pages("describe_instances", "Reservations", Filters=by_request)
    instances = {
        each["InstanceId"]: each
        for reservation in reservations
        for each in reservation["Instances"]
        if _is_ours(each, owner) or each.get("SpotInstanceRequestId") in ids
    }
    attached = [{"Name": "attachment.instance-id", "Values": list(instances)}]
    with plain_errors():
        addresses = client.describe_addresses(Filters=mine)["Addresses"]
    return World(
        owner=owner,
        requests=requests,
        instances=list(instances.values()),
        volumes=ours(pages("describe_volumes", "Volumes", Filters=mine)),
        disks=pages("describe_volumes", "Volumes", Filters=attached) if instances else [],
        snapshots=ours(pages("describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=mine)),
        images=pages("describe_images", "Images", Owners=["self"]),
        addresses=ours(addresses),
    )


def _is_ours(resource: Any, owner: str) -> bool:
    """Whether it carries both tags, letter by letter: an asterisk in a filter finds others."""
    tags = rules.tags_of(resource)
    return tags.get("cloudtop:owner") == owner and bool(tags.get("cloudtop:name"))


def sort_out(world: World) -> Left:
    """Tell apart what belongs to a cloudtop that lives or is kept, and what to nobody."""
    live = {_name(each) for each in world.requests if rules.is_live(each)}
    roles: dict[str, list[Any]] = {}
    for volume in world.volumes:
        if volume["State"] not in rules.DELETED:
            roles.setdefault(rules.tags_of(volume).get("cloudtop:role", ""), []).append(volume)
    settled = {_name(each) for each in roles.get("", [])}
    # Between its two tags a restore has no volume without a role: it is brought to its end first
    unsettled = {_name(each) for each in roles.get("restoring", [])} - settled
    orphans: list[Leftover] = [*_machines(world), *_images(world, live | settled | unsettled)]
    kept = [_volume("volume", each) for each in roles.get("", []) if _name(each) not in live]
    for kind, role in (("root", "root"), ("part", "copy"), ("replaced", ""), ("restoring", "")):
        for volume in roles.get(role or kind, []):
            if kind in ("replaced", "restoring") and _name(volume) in unsettled:
                kept.append(_volume("volume", volume, "a restore is half done"))
            elif volume["State"] in ("available", "error"):
                orphans.append(_volume(kind, volume))
    orphans += _snapshots(world, live | settled | unsettled)
    orphans += [
        Leftover("address", each["AllocationId"], _name(each), 0, rates.address_month())
        for each in world.addresses
        # Between two machines it is a living cloudtop's all the same
        if "AssociationId" not in each and _name(each) not in live
    ]
    return Left(tuple(orphans), tuple(kept))


def _name(resource: Any) -> str:
    return rules.tags_of(resource).get("cloudtop:name", "")


def _volume(kind: str, volume: Any, note: str = "") -> Leftover:
    month = rates.worst_month(0, volume["Size"], 0).volume
    return Leftover(kind, volume["VolumeId"], _name(volume), volume["Size"], month, note)


def _machines(world: World) -> Iterator[Leftover]:
    """Instances of no live request, with the disks that go with them."""
    by_id = {each["SpotInstanceRequestId"]: each for each in world.requests}
    for each in world.instances:
        request = by_id.get(each.get("SpotInstanceRequestId", ""), {})
        state = rules.machine_state(each)
        if state in rules.GONE or rules.is_live(request):
            continue
        bid = request.get("SpotPrice") or rates.on_demand_price(each["InstanceType"])
        gib = sum(
            disk["Size"]
            for disk in world.disks
            for held in disk.get("Attachments", [])
            if held["InstanceId"] == each["InstanceId"] and held.get("DeleteOnTermination")
        )
        month = rates.worst_month(float(bid or 0), 0, gib)
        running = month.machine if state in ("pending", "running") else 0.0
        address = month.address if each.get("PublicIpAddress") else 0.0
        note = f"{each['InstanceType']}, {state}" + ("" if bid else ", price unknown")
        name = _name(each) or _name(request)
        yield Leftover(
            "machine", each["InstanceId"], name, gib, running + address + month.root, note
        )


def _disks_of(image: Any) -> list[Any]:
    return [each["Ebs"] for each in image.get("BlockDeviceMappings", []) if "Ebs" in each]


def _images(world: World, names: set[str]) -> Iterator[Leftover]:
    for each in world.images:
        if _is_ours(each, world.owner) and _name(each) not in names:
            gib = sum(disk.get("VolumeSize", 0) for disk in _disks_of(each))
            month = rates.snapshots(gib)
            yield Leftover("image", each["ImageId"], _name(each), gib, month, each.get("Name", ""))


def _snapshots(world: World, names: set[str]) -> Iterator[Leftover]:
    """Those of images go with their images."""
    used = {disk.get("SnapshotId") for image in world.images for disk in _disks_of(image)}
    for each in world.snapshots:
        tags = rules.tags_of(each)
        role, gib = tags.get("cloudtop:role"), each["VolumeSize"]
        if each["SnapshotId"] in used or each["State"] == "pending":
            continue
        if role in ("copy", "image") or (role == rules.SNAPSHOT_ROLE and _name(each) not in names):
            kind = "snapshot" if role == rules.SNAPSHOT_ROLE else "part"
            month = rates.snapshots(gib)
            ident, label = each["SnapshotId"], rules.label_of(each)
            yield Leftover(kind, ident, _name(each), gib, month, label)
