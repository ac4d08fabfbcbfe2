"""The one volume of a cloudtop: which it is, where a new one goes, when it grows or goes. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.cloudtop_resources import Volume
from ansible.module_utils.ec2_offers import lowest_price, refuse_low_bid
from ansible.module_utils.ec2_ours import Cloudtop, RefusedError

NOBODY = {"id": "", "zone": "", "size": 0, "tags": {}, "instance": ""}


@dataclass(frozen=True)
class Wanted:
    """The settings of the volume: instance types (the first is preferred), GiB, EBS volume type.

    ``zone`` is for a new volume; empty for the cheapest. ``bid`` is the machine's, in dollars an
    hour, 0 to compare it with nothing; ``waits`` if a machine may come later than now.
    """

    types: Sequence[str]
    size: int
    kind: str = "gp3"
    zone: str = ""
    bid: float = 0
    waits: bool = False
    # In check mode: where a step before would have taken the volume
    moved_to: str = ""


@dataclass(frozen=True)
class Offers:
    """The zones of a region for the types: ``offered`` has the first type at all.

    ``usable`` are the zones that a machine of a type can be in, by type; those of the first type
    are from the best to the worst. ``prices`` are EC2's of now, dollars an hour by type and zone.
    """

    offered: Sequence[str] = ()
    usable: Mapping[str, Sequence[str]] = field(default_factory=dict)
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def places(self) -> list[str]:
        """Zones for a new volume, best first: those of the first type, then those of the others."""
        return list(dict.fromkeys(zone for zones in self.usable.values() for zone in zones))


@dataclass(frozen=True)
class World:
    """The state in EC2: volumes with the cloudtop's tags, ids of its live requests, and offers.

    Requests and offers matter only if there is no volume.
    """

    volumes: Sequence[Volume]
    requests: Sequence[str] = ()
    offers: Offers = field(default_factory=Offers)


@dataclass(frozen=True)
class Plan:
    """The next step: ``create``, ``grow``, ``delete`` or ``keep``.

    ``volume`` is as the role persistent_volume shows it, after the step if it grows. ``create``
    has the options of ec2_volume_once.
    """

    step: str
    volume: dict[str, Any]
    create: dict[str, Any] = field(default_factory=dict)


def shown(volume: Volume | None) -> dict[str, Any]:
    """A volume as the role persistent_volume shows it, with the instance that has it."""
    if volume is None:
        return dict(NOBODY)
    return {
        "id": volume.volume_id,
        "zone": volume.availability_zone,
        "size": volume.size,
        "tags": dict(volume.tags),
        "instance": next(iter(volume.instance_ids), ""),
    }


def find(cloudtop: Cloudtop, volumes: Sequence[Volume]) -> Volume | None:
    """The volume of the cloudtop, None if there is none.

    Raises RefusedError if there are several, or for one whose hardware failed.
    """
    volume = _only(cloudtop, volumes)
    if volume and volume.state == "error":
        raise RefusedError(
            f"EC2 says that the volume {volume.volume_id} is in the state error: its hardware"
            " failed; put a snapshot in its place: python runner.py restore LABEL"
        )
    return volume


def plan(cloudtop: Cloudtop, wanted: Wanted, world: World) -> Plan:
    """The step after which the cloudtop has one volume that is large enough.

    Raises RefusedError if it lies in another zone than the wanted one, if none may be made, or
    if no machine could be where it would be made.
    """
    volume = find(cloudtop, world.volumes)
    if volume is None:
        refuse_lost(cloudtop, world)
        return Plan("create", dict(NOBODY), create=_create(cloudtop, wanted, world.offers))
    now = shown(volume)
    if wanted.moved_to:
        now = {**now, "zone": wanted.moved_to}
    if rules.is_zone_refused(now["zone"], wanted.zone):
        raise RefusedError(
            f"cloudtop_zone is {wanted.zone}, but the volume {now['id']} lies in {now['zone']} and"
            " a volume never leaves its zone; run: python runner.py provision -e"
            f" cloudtop_zone={now['zone']}"
        )
    if now["size"] < wanted.size:
        return Plan("grow", {**now, "size": wanted.size})
    return Plan("keep", now)


def end(cloudtop: Cloudtop, volumes: Sequence[Volume], delete: str) -> Plan:
    """The last step: the volume is deleted if ``delete`` is the cloudtop's own name.

    A broken one is no reason to keep the rest. Raises RefusedError for another name, and if there
    are several.
    """
    if delete not in ("", cloudtop.name):
        raise RefusedError(
            f"The volume of {json.dumps(delete)} was to be deleted, but this cloudtop is"
            f" {cloudtop.name} and a volume is deleted only by its own cloudtop's name; run: python"
            f" runner.py destroy --name {cloudtop.name} --delete-volume {cloudtop.name}"
        )
    volume = _only(cloudtop, volumes)
    return Plan("delete" if volume and delete else "keep", shown(volume))


def refuse_name(cloudtop: Cloudtop) -> None:
    """Raise RefusedError for a name or owner that tags and hosts can't have.

    An asterisk in a tag filter would find the volumes of other cloudtops.
    """
    if not (rules.NAME.fullmatch(cloudtop.name) and rules.OWNER.fullmatch(cloudtop.owner)):
        raise RefusedError(
            f"The cloudtop {json.dumps(cloudtop.name)} of {json.dumps(cloudtop.owner)} can't be: a"
            " name has 1 to 40 lower-case letters, digits and inner dashes, an owner 1 to 64"
            " letters, digits and . @ + = / : _ -; run: python runner.py provision --name"
            " cloudtop"
        )


def refuse_several(cloudtop: Cloudtop, volumes: Sequence[Volume], command: str) -> None:
    """Raise RefusedError if more than one volume could be the cloudtop's."""
    if len(volumes) > 1:
        ids = ", ".join(sorted(each.volume_id for each in volumes))
        raise RefusedError(
            f"The cloudtop {cloudtop.name} has several volumes ({ids}) and may have one; look at"
            " them in EC2, remove the tag cloudtop:name from the one that is not to be used, then"
            f" run: python runner.py {command}"
        )


def refuse_lost(cloudtop: Cloudtop, world: World) -> None:
    """Raise RefusedError if a new, empty volume would take the place of one that there was.

    A machine whose volume has vanished must not get a fresh, empty home, and one that is
    half made has yet to become the volume.
    """
    if world.requests:
        raise RefusedError(
            f"The request {', '.join(world.requests)} of the cloudtop {cloudtop.name} is alive, but"
            " its volume is gone; restore a snapshot of it, if there is one: python runner.py"
            " restore LABEL, or begin anew: python runner.py destroy"
        )
    half = rules.volumes_by_role(world.volumes, cloudtop.name, cloudtop.owner).half
    if half:
        change = "A switch of the zone" if rules.half_moved_zone(half) else "A restore"
        ids = ", ".join(each.volume_id for each in half)
        raise RefusedError(
            f"{change} of the cloudtop {cloudtop.name} is half done: {ids} has yet to become its"
            f" volume; bring it to its end: python runner.py {rules.command_of_half(half)}"
        )


def _only(cloudtop: Cloudtop, volumes: Sequence[Volume]) -> Volume | None:
    """The volume of the cloudtop, whatever its state. Raises RefusedError if there are several."""
    live = rules.volumes_by_role(volumes, cloudtop.name, cloudtop.owner).live
    refuse_several(cloudtop, live, "provision")
    return next(iter(live), None)


def _affordable(wanted: Wanted, offers: Offers) -> list[str]:
    """The zones where a type costs no more than the bid, best first: a machine comes there, and
    the volume never leaves its zone."""
    return [
        zone
        for zone in offers.places
        if any(
            zone in offers.usable[kind] and prices.get(zone, wanted.bid + 1) <= wanted.bid
            for kind, prices in offers.prices.items()
        )
    ]


def _refuse_bid(wanted: Wanted, offers: Offers) -> None:
    """Raise RefusedError if EC2 would launch no machine at the bid: the volume would cost money,
    and no machine would come to it."""
    zones = {
        kind: {zone for zone in at if wanted.zone in ("", zone)}
        for kind, at in offers.usable.items()
    }
    if not wanted.waits and wanted.bid > 0:
        refuse_low_bid(wanted.bid, lowest_price(offers.prices, zones))


def _create(cloudtop: Cloudtop, wanted: Wanted, offers: Offers) -> dict[str, Any]:
    """The options of ec2_volume_once for a blank volume. Raises RefusedError without a zone."""
    places = offers.places
    zone = wanted.zone or next(iter([*_affordable(wanted, offers), *places]), "")
    if zone not in places:
        remedy = f"zone={places[0]}" if places else "instance_type=m5d.4xlarge"
        offered = ", ".join(offers.offered) or f"no zone of {cloudtop.region}"
        raise RefusedError(
            f"{' or '.join(wanted.types)} can't be had in {wanted.zone or cloudtop.region}:"
            f" {wanted.types[0]} is offered in {offered}, and default subnets are needed there,"
            f" too; run: python runner.py provision -e cloudtop_{remedy}"
        )
    _refuse_bid(wanted, offers)
    digest = hashlib.sha256("/".join(cloudtop.identity.values()).encode()).hexdigest()
    return {
        "token": f"cloudtop-{digest[:24]}",
        "zone": zone,
        "size": wanted.size,
        "type": wanted.kind,
        "identity": cloudtop.identity,
        "tags": {**cloudtop.tags, "cloudtop:generation": "1"},
    }
