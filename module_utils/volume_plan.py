"""Which volume takes the place of a cloudtop's: of a snapshot, or in another zone. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils import persistent_volume_plan as persistent
from ansible.module_utils.cloudtop_resources import Snapshot, Volume
from ansible.module_utils.ec2_ours import Cloudtop, NothingThereError, RefusedError
from ansible.module_utils.snapshot_plan import BY_TIME, handed_on


@dataclass(frozen=True)
class Wanted:
    """The source of the volume to be: a snapshot's label or id, and the zone of a switch."""

    snapshot: str = ""
    to_zone: str = ""
    # A free volume that was made of that snapshot before is replaced, too
    again: bool = False
    # The zone if there is no volume to replace; empty for the cheapest that offers the type
    zone: str = ""

    @property
    def command(self) -> str:
        """The command that goes on with it, without ``runner.py``."""
        return f"switch --zone {self.to_zone}" if self.to_zone else f"restore {self.snapshot}"


@dataclass(frozen=True)
class World:
    """The state in EC2: the account's volumes and snapshots with the cloudtop's tags, ids of its
    live requests and of its instances, and the zones that offer the type, cheapest first."""

    volumes: Sequence[Volume]
    snapshots: Sequence[Snapshot] = ()
    requests: Sequence[str] = ()
    instances: Sequence[str] = ()
    zones: Sequence[str] = ()


@dataclass(frozen=True)
class Replacement:
    """``new`` takes the place of ``before``; to be created by ``create``, unless it is there.

    ``create`` has the options of ec2_volume_once. ``done`` says that nothing is left to do.
    """

    done: bool
    chosen: Snapshot
    before: Volume | None
    new: str = ""
    create: dict[str, Any] = field(default_factory=dict)
    # Ids of volumes that are set aside first (see set_aside), and their tags then
    aside: list[str] = field(default_factory=list)
    aside_tags: dict[str, str] = field(default_factory=dict)

    @property
    def old(self) -> dict[str, Any]:
        """``before`` as the role persistent_volume shows a volume, free."""
        before = None if self.done else self.before
        return {**persistent.shown(before), "instance": ""}


@dataclass(frozen=True)
class Move:
    """The steps that are left of a switch to another zone.

    ``left`` is ``none``; ``all``: a snapshot at rest, a volume, the tags; or ``tags``: the volume
    of ``snapshot`` is there, and the old one has given up its place.
    """

    left: str
    volume: str = ""
    snapshot: str = ""
    # The label of the snapshot that no machine has changed the volume since
    rest: str = ""
    mark: dict[str, str] = field(default_factory=dict)


def sorted_volumes(cloudtop: Cloudtop, wanted: Wanted, world: World) -> rules.Volumes:
    """The cloudtop's volumes by role. Raises RefusedError if two could be the one."""
    volumes = rules.volumes_by_role(world.volumes, cloudtop.name, cloudtop.owner)
    for each in (volumes.live, volumes.half):
        persistent.refuse_several(cloudtop, each, wanted.command)
    return volumes


def refuse_other_half(half: Sequence[Volume], wanted: Wanted, snapshot: str) -> None:
    """Raise RefusedError if another command has to bring to its end what it began."""
    if not half:
        return
    moving, origin = rules.half_moved_zone(half), rules.half_restored_from(half)
    if moving if wanted.to_zone else origin == snapshot:
        return
    raise RefusedError(
        f"A {'switch of the zone' if moving else f'restore of {origin}'} is half done:"
        f" {half[0].volume_id} is its volume; bring it to its end before {wanted.command}; run:"
        f" python runner.py {rules.command_of_half(half)}"
    )


def replacement(cloudtop: Cloudtop, wanted: Wanted, world: World) -> Replacement:
    """Which volume takes whose place, made of which snapshot.

    Killed anywhere and run again, the volume that was made is the one. Raises RefusedError
    if there is no such snapshot, something else is half done, or a stranger has the volume.
    """
    chosen = _chosen(cloudtop, wanted, world)
    volumes = sorted_volumes(cloudtop, wanted, world)
    refuse_other_half(volumes.half, wanted, chosen.snapshot_id)
    live = next(iter(volumes.live), None)
    aside = set_aside(volumes.half, chosen.snapshot_id, wanted.to_zone) if live else []
    halves = [each for each in volumes.half if each not in aside]
    holders = live.instance_ids if live else []
    if strangers := [each for each in holders if each not in world.instances]:
        raise RefusedError(
            f"The volume {live.volume_id if live else ''} is attached to {', '.join(strangers)},"
            f" which is no machine of the cloudtop {cloudtop.name}, and it is never taken from"
            f" another; detach it there, then run: python runner.py {wanted.command}"
        )
    half = {each.volume_id for each in halves}
    gave_way = [e for e in volumes.replaced if e.tags.get("cloudtop:replaced-by") in half]
    before = live or next(iter(gave_way), None)
    if rules.is_restored(live, chosen.snapshot_id, bool(world.requests), halves, wanted.again):
        return Replacement(True, chosen, before)
    if half:
        return Replacement(False, chosen, before, new=half.pop())
    return Replacement(
        False,
        chosen,
        before,
        create=_create(cloudtop, wanted, world, chosen, before, [*volumes.replaced, *aside]),
        aside=[each.volume_id for each in aside],
        aside_tags=replaced_tags(cloudtop, live.volume_id) if live else {},
    )


def replaced_tags(cloudtop: Cloudtop, by: str) -> dict[str, str]:
    """The tags of a volume that was replaced, beside those that it has."""
    return {
        "Name": f"cloudtop-{cloudtop.name}-replaced",
        "cloudtop:role": "replaced",
        "cloudtop:replaced-by": by,
    }


def refuse_request(wanted: Wanted, requests: Sequence[str]) -> None:
    """Raise RefusedError for a switch to another zone while a request is live.

    Another computer may have asked for one by what it had read before the volume was marked.
    """
    if wanted.to_zone and requests:
        raise RefusedError(
            f"The volume was not taken to {wanted.to_zone}: the request {', '.join(requests)} was"
            " made while it was being copied, and its machine may change it; run again: python"
            f" runner.py {wanted.command}"
        )


def refuse_used(volume: Volume | None, volume_id: str, at_rest: str | None, command: str) -> None:
    """Raise RefusedError for a volume that was in use since it was marked ``at_rest``.

    Another computer may have made a machine of it meanwhile, which takes the mark off; None
    means that it matters no more.
    """
    tags = volume.tags if volume else {}
    if at_rest is not None and tags.get("cloudtop:at-rest", "") != at_rest:
        raise RefusedError(
            f"The volume {volume_id} was not replaced: a machine was made with it while it was"
            f" being copied; run again: python runner.py {command}"
        )


def refuse_held(
    volume: Volume | None, volume_id: str, seconds: int, command: str, aim: str = "replaced"
) -> None:
    """Raise RefusedError for a volume that a machine still has after so many seconds."""
    holders = volume.instance_ids if volume else []
    if holders:
        raise RefusedError(
            f"The volume {volume_id} was not {aim}: after {seconds} s it was still held by"
            f" {', '.join(holders)}, and it is never taken from a machine; when that is gone, run:"
            f" python runner.py {command}"
        )


def refuse_unfit(
    volume: Volume | None, volume_id: str, wanted: Wanted, change: Replacement
) -> None:
    """Raise RefusedError unless the new volume can take the old one's place."""
    chosen, before = change.chosen, change.before
    there = before or volume
    zone = wanted.to_zone or (there.availability_zone if there else "")
    if (
        volume is not None
        and volume.state == "available"
        and volume.encrypted
        and volume.snapshot_id == chosen.snapshot_id
        and volume.size >= chosen.volume_size
        and volume.availability_zone == zone
    ):
        return
    raise RefusedError(
        f"The new volume {volume_id} is {volume.state if volume else 'not shown by EC2'} and"
        f" can't take the place of {before.volume_id if before else 'a lost one'}: it has to be"
        f" available, encrypted, of {chosen.snapshot_id}, as large and in {zone}; nothing else"
        f" was changed; delete it, then run: python runner.py {wanted.command}"
    )


def move(cloudtop: Cloudtop, wanted: Wanted, world: World, now: datetime) -> Move:
    """The steps that are left of a switch to another zone. Raises RefusedError without a volume."""
    volumes = sorted_volumes(cloudtop, wanted, world)
    live = next(iter(volumes.live), None)
    if live and not rules.zone_to_move_to(live.availability_zone, wanted.to_zone):
        return Move("none", live.volume_id)
    if live:
        rest = live.tags.get("cloudtop:at-rest")
        label = rest or f"before-switch-{now.strftime(BY_TIME)}"
        return Move(
            "all", live.volume_id, rest=label, mark={} if rest else {"cloudtop:at-rest": label}
        )
    if volumes.half:
        return Move("tags", snapshot=rules.origin_of(volumes.half[0]))
    raise NothingThereError(
        f"The cloudtop {cloudtop.name} has no volume in {cloudtop.region}, so there is none to take"
        f" to {wanted.to_zone}; run: python runner.py provision -e"
        f" cloudtop_zone={wanted.to_zone}"
    )


def set_aside(half: Iterable[Volume], snapshot: str, zone: str) -> list[Volume]:
    """The volumes that an earlier switch made, of an older snapshot or in another zone.

    They are kept like any other that was replaced.
    """
    return [
        each
        for each in half
        if zone
        and "cloudtop:moved-from" in each.tags
        and (rules.origin_of(each) != snapshot or each.availability_zone != zone)
    ]


def refuse_zone(
    cloudtop: Cloudtop, wanted: Wanted, kind: str, zones: Sequence[str], offered: Sequence[str]
) -> None:
    """Raise RefusedError unless a machine of the type can be in the zone of a switch."""
    if not wanted.to_zone:
        raise NothingThereError(
            "No zone is named that the volume could be taken to; run: python runner.py switch"
            " --zone ZONE"
        )
    if wanted.to_zone not in zones:
        raise RefusedError(
            f"{kind} can't be had in {wanted.to_zone}: {cloudtop.region} offers it in"
            f" {', '.join(offered) or 'no zone'}, and a default subnet is needed there, too; run:"
            f" python runner.py switch --zone {zones[0] if zones else 'ANOTHER'}"
        )


def _chosen(cloudtop: Cloudtop, wanted: Wanted, world: World) -> Snapshot:
    if not wanted.snapshot:
        raise NothingThereError(
            "No snapshot is named that a volume could be made of; run: python runner.py restore"
            " LABEL"
        )
    ours = rules.snapshots_of(world.snapshots, cloudtop.name, cloudtop.owner)
    chosen = rules.which_snapshot(ours, wanted.snapshot)
    if chosen is not None and chosen.state == "completed":
        return chosen
    reason = (
        f"The cloudtop {cloudtop.name} has no snapshot {json.dumps(wanted.snapshot)}"
        if chosen is None
        else f"The snapshot {chosen.snapshot_id} is {chosen.state},"
        " and only a completed one can be restored"
    )
    raise RefusedError(f"{reason}; run: python runner.py snapshot --list")


def _create(
    cloudtop: Cloudtop,
    wanted: Wanted,
    world: World,
    chosen: Snapshot,
    before: Volume | None,
    replaced: Sequence[Volume],
) -> dict[str, Any]:
    """The options of ec2_volume_once for the volume of the snapshot.

    Under a role of its own nothing takes it for the cloudtop's volume yet.
    """
    origin, old = chosen.snapshot_id, before.tags if before else {}
    # A volume of that token that was set aside is never taken up again
    aside = [each for each in replaced if rules.origin_of(each) == origin]
    parts = [cloudtop.owner, cloudtop.name, origin, before.volume_id if before else ""]
    token = "/".join([*parts, wanted.to_zone, str(len(aside))])
    candidate = {
        **cloudtop.identity,
        "cloudtop:role": "restoring",
        "cloudtop:restored-from": origin,
    }
    zone_before = before.availability_zone if before else ""
    cheapest = next(iter(world.zones), "")
    return {
        "token": f"cloudtop-{hashlib.sha256(token.encode()).hexdigest()[:24]}",
        "zone": wanted.to_zone or rules.machine_zone(zone_before, wanted.zone) or cheapest,
        "size": max(chosen.volume_size, before.size if before else 0),
        "snapshot": origin,
        "identity": candidate,
        "tags": {
            **handed_on(old),
            # The snapshot's own are those that count
            **handed_on(chosen.tags),
            **candidate,
            **({"cloudtop:moved-from": zone_before} if wanted.to_zone else {}),
            "Name": f"cloudtop-{cloudtop.name}",
            "cloudtop:generation": old.get("cloudtop:generation", "1"),
        },
    }
