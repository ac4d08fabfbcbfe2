"""The rules that the command line and the roles share, each once.

Pure functions over plain values and EC2's own dictionaries, as boto3 returns them. This file
imports nothing but the standard library: Ansible's modules have it as
``ansible.module_utils.cloudtop_rules``, the command line as ``module_utils.cloudtop_rules``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Resource = Mapping[str, Any]

# States in which a request can still make or hold an instance. EC2's own list of values for
# a filter on the state leaves out `disabled`, so states are compared here and not there.
LIVE = ("open", "active", "disabled")
GONE = ("shutting-down", "terminated")
STOPPING = ("stopping", "stopped")
# An open request with one of these: its type can't be had now, for want of room or at its bid.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
LACKING_CODES = ("capacity-not-available", "capacity-oversubscribed", "price-too-low")
# EC2 will not change its mind about these; all other codes of an open request may pass
FINAL_CODES = (
    "bad-parameters",
    "canceled-before-fulfillment",
    "limit-exceeded",
    "schedule-expired",
    "system-error",
)
STOPPED_BY_OWNER = "instance-stopped-by-user"
# Volumes in these states are none any more
DELETED = ("deleting", "deleted")


def tags_of(resource: Resource | None) -> dict[str, str]:
    """The tags of an EC2 resource as a plain mapping."""
    return {tag["Key"]: tag["Value"] for tag in (resource or {}).get("Tags") or []}


# --- The request and its machine ------------------------------------------------------


def state_of(request: Resource | None) -> str:
    """EC2's state of a request; empty for none."""
    return str((request or {}).get("State", ""))


def code_of(request: Resource | None) -> str:
    """EC2's status code of a request; empty for none."""
    return str(((request or {}).get("Status") or {}).get("Code", ""))


def is_live(request: Resource | None) -> bool:
    """Whether a request can still make or hold an instance."""
    return state_of(request) in LIVE


def is_stopped_by_owner(request: Resource | None) -> bool:
    """Whether a request's machine was stopped by its owner, or by itself when idle."""
    return state_of(request) == "disabled" and code_of(request) == STOPPED_BY_OWNER


def is_stopped_by_ec2(request: Resource | None) -> bool:
    """Whether EC2 stopped a request's machine; then EC2 alone starts it again."""
    return state_of(request) == "disabled" and not is_stopped_by_owner(request)


def is_lacking(request: Resource | None, has_machine: bool = False) -> bool:
    """Whether EC2 has no machine for a request now, for want of room or at its bid.

    A machine that saves work in its last two minutes still counts as one.
    """
    waits = state_of(request) == "open" and code_of(request) in LACKING_CODES
    return waits and not has_machine


def has_alternative(
    request: Resource | None, types: Sequence[str], has_machine: bool = False
) -> bool:
    """Whether EC2 has no machine for a request now, and another of ``types`` may be requested.

    A request for a type that is not listed is somebody's choice, and stays.
    """
    spec = (request or {}).get("LaunchSpecification") or {}
    listed = spec.get("InstanceType") in types and len(types) > 1
    return listed and is_lacking(request, has_machine)


def stopped_by(request: Resource | None, machine: str) -> str:
    """Who stopped a request's instance, which is in the state ``machine``: owner, ec2, or empty.

    Whoever stopped it starts it again; an instance that EC2 has marked is on its way there (EC2
    User Guide, "Interruption behavior" and "Spot request status").
    """
    if is_stopped_by_owner(request):
        return "owner"
    by_ec2 = code_of(request).startswith(("instance-stopped-", "marked-for-stop"))
    return "ec2" if by_ec2 and machine in STOPPING else ""


def may_stop(request: Resource | None, machine: str) -> bool:
    """Whether EC2 would stop a request's instance, which is in the state ``machine``."""
    runs = state_of(request) == "active" and machine == "running"
    return runs and not stop_hindrance(request)


def machine_state(instance: Resource | None) -> str:
    """EC2's state of an instance; empty for none."""
    return str(((instance or {}).get("State") or {}).get("Name", ""))


def verdict(request: Resource | None, machine: str) -> str:
    """The outcome of a request whose instance is in the state ``machine``, in one word.

    One of none, dead, refused, stopped-by-user, running and waiting. A request that is marked to
    lose its instance is ``waiting``: EC2 takes the instance within two minutes, so nothing that
    starts on it now would end.
    """
    if request is None:
        return "none"
    if not is_live(request):
        return "dead"
    if code_of(request) in FINAL_CODES:
        return "refused"
    if is_stopped_by_owner(request):
        # An instance that is still stopping can not be started
        return "stopped-by-user" if machine == "stopped" else "waiting"
    runs = state_of(request) == "active" and machine == "running"
    return "running" if runs and not code_of(request).startswith("marked-for-") else "waiting"


def stop_hindrance(request: Resource | None) -> str:
    """Why EC2 would not stop a request's machine: none, open, one-time or by-ec2; else empty."""
    if not is_live(request):
        return "none"
    if state_of(request) == "open":
        return "open"
    if (request or {}).get("Type") != "persistent":
        return "one-time"
    return "by-ec2" if is_stopped_by_ec2(request) else ""


def start_hindrance(request: Resource | None) -> str:
    """Why nobody can start a request's machine: none, open or by-ec2; else empty."""
    if not is_live(request):
        return "none"
    if state_of(request) == "open":
        return "open"
    return "by-ec2" if is_stopped_by_ec2(request) else ""


# --- Differences ----------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One thing of a live request that is not as wanted: what it is, as it is, as wanted."""

    what: str
    now: Any
    wanted: Any


def differences(
    request: Resource,
    types: Sequence[str],
    bid: float,
    interruption: str,
    image: str = "",
    key_name: str = "",
) -> list[Difference]:
    """A live request's unwanted properties: type, bid, interruption, key pair, image.

    Any of ``types`` will do, the first is preferred. An image or key pair that is not named is
    no difference: the request has one.
    """
    spec = request.get("LaunchSpecification") or {}
    rows = [
        ("type", spec.get("InstanceType", ""), types),
        ("bid", float(request.get("SpotPrice") or 0), [float(bid)]),
        (
            "interruption",
            request.get("InstanceInterruptionBehavior", "terminate"),
            [interruption],
        ),
        ("key pair", spec.get("KeyName", ""), [key_name] if key_name else []),
    ]
    differing = [
        Difference(what, now, wanted[0])
        for what, now, wanted in rows
        if wanted and now not in wanted
    ]
    renewed = renewal(request, image)
    return [*differing, renewed] if renewed else differing


def renewal(request: Resource | None, image: str) -> Difference | None:
    """The image of a live request and the one that it should launch from; None if it does.

    No image is wanted by the empty name, and a request that names none has nothing to renew.
    """
    now = ((request or {}).get("LaunchSpecification") or {}).get("ImageId", "")
    return Difference("image", now, image) if now and image and now != image else None


def gives_way(differing: Iterable[Difference], switch: bool, renew: bool) -> bool:
    """Whether a live request is to be ended for a new one, as nothing of it can be changed.

    ``switch`` replaces a request that differs in anything, ``renew`` one with another image.
    """
    what = {each.what for each in differing}
    return bool(what) if switch else renew and "image" in what


# --- Zones ----------------------------------------------------------------------------


def machine_zone(volume_zone: str, wanted: str = "") -> str:
    """The zone of the machine: the volume's, else the wanted one, else empty (any will do)."""
    return volume_zone or wanted


def is_zone_refused(volume_zone: str, wanted: str) -> bool:
    """Whether the wanted zone is another than the volume's, which never leaves its own."""
    return bool(volume_zone and wanted and volume_zone != wanted)


def zone_to_move_to(volume_zone: str, wanted: str) -> str:
    """The zone that a switch takes the volume to; empty if it is there, or none is wanted."""
    return "" if wanted == volume_zone else wanted


def offered_types(
    types: Iterable[str], zone: str, zones_by_type: Mapping[str, Iterable[str]]
) -> list[str]:
    """The types that can be had in a zone, in their order; all that are anywhere, for no zone."""
    return [
        each
        for each in types
        if (zone in zones_by_type.get(each, ()) if zone else list(zones_by_type.get(each, ())))
    ]


# --- The volume, and another in its place ---------------------------------------------


@dataclass(frozen=True)
class Volumes:
    """A cloudtop's volumes: what it has, what is to take its place, and what was replaced."""

    live: list[Any]
    half: list[Any]
    replaced: list[Any]


def volumes_by_role(volumes: Iterable[Resource], name: str, owner: str) -> Volumes:
    """A cloudtop's volumes by what they are for; root disks and deleted ones are left out.

    The asterisk of a filter finds other cloudtops' volumes, so the tags are compared here.
    """
    mine = {"cloudtop:name": name, "cloudtop:owner": owner}
    ours = [
        each
        for each in volumes
        if each["State"] not in DELETED and mine.items() <= tags_of(each).items()
    ]
    return Volumes(
        live=[each for each in ours if "cloudtop:role" not in tags_of(each)],
        half=[each for each in ours if tags_of(each).get("cloudtop:role") == "restoring"],
        replaced=[each for each in ours if "cloudtop:replaced-by" in tags_of(each)],
    )


def half_moved_zone(half: Iterable[Resource]) -> str:
    """The zone of a switch that was cut off before its last tag; empty for none."""
    moved = [each for each in half if "cloudtop:moved-from" in tags_of(each)]
    return str(moved[0]["AvailabilityZone"]) if moved else ""


def origin_of(volume: Resource | None) -> str:
    """The snapshot that a volume was restored from; empty for none."""
    return tags_of(volume).get("cloudtop:restored-from", "")


def half_restored_from(half: Iterable[Resource]) -> str:
    """The snapshot of a restore that was cut off before its last tag; empty for none."""
    volumes = [each for each in half if "cloudtop:moved-from" not in tags_of(each)]
    return origin_of(volumes[0]) if volumes else ""


def command_of_half(half: Sequence[Resource]) -> str:
    """The command that brings what was cut off to its end, without ``runner.py``; or empty."""
    if not half:
        return ""
    if zone := half_moved_zone(half):
        return f"switch --zone {zone}"
    return f"restore {half_restored_from(half)}"


def is_restored(
    volume: Resource | None,
    snapshot: str,
    has_request: bool,
    half: Sequence[Resource] = (),
    again: bool = False,
) -> bool:
    """Whether a restore of that snapshot has been done already and is not meant anew.

    The volume was made of it, and no machine has had it since: else time has passed, and
    the same snapshot is wanted once more.
    """
    free = not (volume or {}).get("Attachments") and not has_request
    same = origin_of(volume) == snapshot
    return bool(volume) and same and free and not half and not again


# --- Snapshots ------------------------------------------------------------------------

SNAPSHOT_ROLE = "snapshot"


def snapshots_of(snapshots: Iterable[Resource], name: str, owner: str) -> list[Any]:
    """The snapshots of a cloudtop's volume, newest first, failed ones too.

    Copies and images of root disks have the same tags and another role.
    """
    mine = {"cloudtop:name": name, "cloudtop:owner": owner, "cloudtop:role": SNAPSHOT_ROLE}
    ours = [each for each in snapshots if mine.items() <= tags_of(each).items()]
    return sorted(ours, key=lambda each: (each["StartTime"], each["SnapshotId"]), reverse=True)


def which_snapshot(snapshots: Iterable[Resource], wanted: str) -> Any | None:
    """The snapshot of that id, else the newest of that label; failed ones are none.

    ``snapshots`` are newest first. One that is under way is found too: it has to be completed
    before it can be restored.
    """
    whole = [each for each in snapshots if each["State"] != "error"]
    by_id = [each for each in whole if each["SnapshotId"] == wanted]
    by_label = [each for each in whole if wanted and label_of(each) == wanted]
    return next(iter(by_id + by_label), None)


def label_of(snapshot: Resource) -> str:
    """The label of a snapshot; empty for one that AWS took on a schedule."""
    return tags_of(snapshot).get("cloudtop:label", "")
