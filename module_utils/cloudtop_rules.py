"""The rules that the command line and the roles share, each once.

Pure functions over plain values and those of ``cloudtop_resources``. Both files import nothing
but the standard library: Ansible's modules have them in ``ansible.module_utils``, the command line
in ``module_utils``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .cloudtop_resources import Image, InstanceType, Request, Snapshot, Volume

# A label of a host name (RFC 1123) is also a valid EC2 tag value and ssh alias
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
# A tag's value that EC2 and IAM both take: IAM takes no comma (API reference of IAM, Tag), and
# neither takes one that begins with aws:
OWNER = re.compile(r"(?![Aa][Ww][Ss]:)[A-Za-z0-9_.@+=/:-]{1,64}")

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

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
# The request itself is at fault, also if it has ended: made again it would end in the same way
FAULTY_CODES = ("bad-parameters",)
# A machine that an experiment of FIS stopped is started by its owner (EC2 User Guide, "Initiate
# a Spot Instance interruption")
STOPPED_BY_OWNER = ("instance-stopped-by-user", "instance-stopped-by-experiment")
# Volumes in these states are none any more
DELETED = ("deleting", "deleted")


# --- The request and its machine ------------------------------------------------------


def is_live(request: Request | None) -> bool:
    """Whether a request can still make or hold an instance."""
    return request is not None and request.state in LIVE


def is_stopped_by_owner(request: Request | None) -> bool:
    """Whether a request's machine was stopped by its owner, by the owner's experiment, or by
    itself when idle: then EC2 does not start it."""
    return (
        request is not None
        and request.state == "disabled"
        and request.status_code in STOPPED_BY_OWNER
    )


def is_stopped_by_ec2(request: Request | None) -> bool:
    """Whether EC2 stopped a request's machine; then EC2 alone starts it again."""
    disabled = request is not None and request.state == "disabled"
    return disabled and not is_stopped_by_owner(request)


def is_lacking(request: Request | None, has_machine: bool = False) -> bool:
    """Whether EC2 has no machine for a request now, for want of room or at its bid.

    A machine that saves work in its last two minutes still counts as one.
    """
    if request is None or has_machine:
        return False
    return request.state == "open" and request.status_code in LACKING_CODES


def has_alternative(
    request: Request | None, types: Sequence[str], has_machine: bool = False
) -> bool:
    """Whether EC2 has no machine for a request now, and another of ``types`` may be requested.

    A request for a type that is not listed is somebody's choice, and stays.
    """
    listed = request is not None and request.instance_type in types and len(types) > 1
    return listed and is_lacking(request, has_machine)


def stopped_by(request: Request | None, machine: str) -> str:
    """Who stopped a request's instance, which is in the state ``machine``: owner, ec2, or empty.

    Whoever stopped it starts it again; an instance that EC2 has marked is on its way there (EC2
    User Guide, "Interruption behavior" and "Spot request status").
    """
    if is_stopped_by_owner(request):
        return "owner"
    if request is None or machine not in STOPPING:
        return ""
    by_ec2 = request.status_code.startswith(("instance-stopped-", "marked-for-stop"))
    return "ec2" if by_ec2 else ""


def may_stop(request: Request | None, machine: str) -> bool:
    """Whether EC2 would stop a request's instance, which is in the state ``machine``."""
    runs = request is not None and request.state == "active" and machine == "running"
    return runs and not stop_hindrance(request)


def verdict(request: Request | None, machine: str) -> str:
    """The outcome of a request whose instance is in the state ``machine``, in one word.

    One of none, dead, refused, stopped-by-user, running and waiting. A request that is marked to
    lose its instance is ``waiting``: EC2 takes the instance within two minutes, so nothing that
    starts on it now would end.
    """
    if request is None:
        return "none"
    if not is_live(request):
        return "refused" if request.status_code in FAULTY_CODES else "dead"
    if request.status_code in FINAL_CODES:
        return "refused"
    if is_stopped_by_owner(request):
        # An instance that is still stopping can not be started
        return "stopped-by-user" if machine == "stopped" else "waiting"
    runs = request.state == "active" and machine == "running"
    return "running" if runs and not request.status_code.startswith("marked-for-") else "waiting"


def stop_hindrance(request: Request | None) -> str:
    """Why EC2 would not stop a request's machine: none, open, one-time or by-ec2; else empty."""
    if request is None or not is_live(request):
        return "none"
    if request.state == "open":
        return "open"
    if request.type != "persistent":
        return "one-time"
    return "by-ec2" if is_stopped_by_ec2(request) else ""


def start_hindrance(request: Request | None) -> str:
    """Why nobody can start a request's machine: none, open or by-ec2; else empty."""
    if request is None or not is_live(request):
        return "none"
    if request.state == "open":
        return "open"
    return "by-ec2" if is_stopped_by_ec2(request) else ""


# --- Names ----------------------------------------------------------------------------


def group_name(name: str, owner: str) -> str:
    """The security group of a cloudtop; names of its key pairs begin with it.

    As in roles/access/vars/main.yml: owners can have characters that EC2's names can't.
    """
    return f"cloudtop-{name}-{digest(owner, name)[:8]}"


def iam_name(name: str, owner: str, region: str, *more: str) -> str:
    """The role and the instance profile of a machine; with ``snapshots``, its schedule's role.

    IAM is one for all regions.
    """
    return f"cloudtop-{name}-{digest(owner, name, region, *more)[:12]}"


def digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


# --- Differences ----------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One thing of a live request that is not as wanted: what it is, as it is, as wanted."""

    what: str
    now: Any
    wanted: Any


def differences(
    request: Request,
    types: Sequence[str],
    bid: float,
    interruption: str,
    image: str = "",
    key_name: str = "",
    instance_profile: str | None = None,
    valid_until: str = "",
) -> list[Difference]:
    """A live request's unwanted type, bid, interruption, last date, key pair, profile and image.

    Any of ``types`` will do, the first is preferred. An image or key pair that is not named is
    no difference: the request has one. The empty profile is none, and None is any. With no date
    wanted that of EC2 will do, which may give one by itself.
    """
    rows: list[tuple[str, Any, Sequence[Any]]] = [
        ("type", request.instance_type, types),
        ("bid", request.spot_price, [float(bid)]),
        ("interruption", request.instance_interruption_behavior, [interruption]),
        (
            "last date",
            date_of(request.valid_until),
            [date_text(valid_until)] if valid_until else [],
        ),
        ("key pair", request.key_name, [key_name] if key_name else []),
        (
            "instance profile",
            request.instance_profile or "none",
            [] if instance_profile is None else [instance_profile or "none"],
        ),
    ]
    differing = [
        Difference(what, now, wanted[0])
        for what, now, wanted in rows
        if wanted and now not in wanted
    ]
    renewed = renewal(request, image)
    return [*differing, renewed] if renewed else differing


def moment(date: str) -> datetime | None:
    """A date as the settings write it, a day being its end; None for the empty one.

    Whole seconds in UTC, as EC2 refuses fractions. Raises ValueError for what is no such date.
    """
    if not date:
        return None
    if DAY.fullmatch(date):
        date += "T23:59:59Z"
    return datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def date_of(time: datetime | None) -> str:
    """A time as EC2 takes it; ``none`` for None."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else "none"


def date_text(date: str) -> str:
    """A date of the settings as EC2 takes it; empty for the empty one."""
    return date_of(moment(date)) if date else ""


def renewal(request: Request | None, image: str) -> Difference | None:
    """The image of a live request and the one that it should launch from; None if it does.

    No image is wanted by the empty name, and a request that names none has nothing to renew.
    """
    now = request.image_id if request else ""
    return Difference("image", now, image) if now and image and now != image else None


def gives_way(differing: Iterable[Difference], switch: bool, renew: bool) -> bool:
    """Whether a live request is to be ended for a new one, as nothing of it can be changed.

    ``switch`` replaces a request that differs in anything, ``renew`` one with another image.
    """
    what = {each.what for each in differing}
    return bool(what) if switch else renew and "image" in what


# --- The image ------------------------------------------------------------------------


def image_parameter(name: str, instance_type: InstanceType | None) -> str:
    """The SSM parameter of a first machine's image, for a type.

    ``{arch}`` in the name becomes amd64 or arm64, as Canonical and Debian name them; amd64 for a
    type that EC2 does not describe.
    """
    is_arm = instance_type is not None and "arm64" in instance_type.architectures
    return name.replace("{arch}", "arm64" if is_arm else "amd64")


def own_images(images: Iterable[Image], name: str, owner: str) -> list[Image]:
    """A cloudtop's own images that can be launched, newest first.

    The asterisk of a filter finds other cloudtops' images, so the tags are compared here.
    """
    mine = {"cloudtop:name": name, "cloudtop:owner": owner}
    ours = [each for each in images if mine.items() <= each.tags.items()]
    usable = [each for each in ours if each.state == "available"]
    return sorted(usable, key=lambda each: each.creation_date, reverse=True)


def boots(image: Image, instance_type: InstanceType | None) -> bool:
    """Whether a type can boot an image; true if EC2 does not say what either of them is."""
    able = instance_type.architectures if instance_type else ()
    return not able or not image.architecture or image.architecture in able


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

    live: list[Volume]
    half: list[Volume]
    replaced: list[Volume]


def own_volumes(volumes: Iterable[Volume], name: str, owner: str) -> list[Volume]:
    """All volumes with a cloudtop's tags, root disks too; deleted ones are left out.

    The asterisk of a filter finds other cloudtops' volumes, so the tags are compared here.
    """
    mine = {"cloudtop:name": name, "cloudtop:owner": owner}
    return [
        each for each in volumes if each.state not in DELETED and mine.items() <= each.tags.items()
    ]


def volumes_by_role(volumes: Iterable[Volume], name: str, owner: str) -> Volumes:
    """A cloudtop's volumes by what they are for; root disks and deleted ones are left out."""
    ours = own_volumes(volumes, name, owner)
    return Volumes(
        live=[each for each in ours if "cloudtop:role" not in each.tags],
        half=[each for each in ours if each.tags.get("cloudtop:role") == "restoring"],
        replaced=[each for each in ours if each.tags.get("cloudtop:role") == "replaced"],
    )


def half_moved_zone(half: Iterable[Volume]) -> str:
    """The zone of a switch that was cut off before its last tag; empty for none."""
    moved = [each for each in half if "cloudtop:moved-from" in each.tags]
    return moved[0].availability_zone if moved else ""


def origin_of(volume: Volume | None) -> str:
    """The snapshot that a volume was restored from; empty for none."""
    return volume.tags.get("cloudtop:restored-from", "") if volume else ""


def half_restored_from(half: Iterable[Volume]) -> str:
    """The snapshot of a restore that was cut off before its last tag; empty for none."""
    volumes = [each for each in half if "cloudtop:moved-from" not in each.tags]
    return origin_of(volumes[0]) if volumes else ""


def command_of_half(half: Sequence[Volume]) -> str:
    """The command that brings what was cut off to its end, without ``runner.py``; or empty."""
    if not half:
        return ""
    if zone := half_moved_zone(half):
        return f"switch --zone {zone}"
    return f"restore {half_restored_from(half)}"


def is_restored(
    volume: Volume | None,
    snapshot: str,
    has_request: bool,
    half: Sequence[Volume] = (),
    again: bool = False,
) -> bool:
    """Whether a restore of that snapshot has been done already and is not meant anew.

    The volume was made of it, and no machine has had it since: else time has passed, and
    the same snapshot is wanted once more.
    """
    if volume is None or volume.attachments or has_request:
        return False
    return origin_of(volume) == snapshot and not half and not again


# --- Snapshots ------------------------------------------------------------------------

SNAPSHOT_ROLE = "snapshot"
# Data Lifecycle Manager's own tag on what it takes, and the most that a schedule of it keeps
# (its API reference, RetainRule)
POLICY_TAG = "aws:dlm:lifecycle-policy-id"
SCHEDULE_KEEPS = 1000


def snapshots_of(snapshots: Iterable[Snapshot], name: str, owner: str) -> list[Snapshot]:
    """The snapshots of a cloudtop's volume, newest first, failed ones too.

    Copies and images of root disks have the same tags and another role.
    """
    mine = {"cloudtop:name": name, "cloudtop:owner": owner, "cloudtop:role": SNAPSHOT_ROLE}
    ours = [each for each in snapshots if mine.items() <= each.tags.items()]
    return sorted(ours, key=lambda each: (_begun(each), each.snapshot_id), reverse=True)


def _begun(snapshot: Snapshot) -> float:
    return snapshot.start_time.timestamp() if snapshot.start_time else 0.0


def which_snapshot(snapshots: Iterable[Snapshot], wanted: str) -> Snapshot | None:
    """The snapshot of that id, else the newest of that label; failed ones are none.

    ``snapshots`` are newest first. One that is under way is found too: it has to be completed
    before it can be restored.
    """
    whole = [each for each in snapshots if each.state != "error"]
    by_id = [each for each in whole if each.snapshot_id == wanted]
    by_label = [each for each in whole if wanted and each.label == wanted]
    return next(iter(by_id + by_label), None)


def snapshots_in_use(images: Iterable[Image]) -> set[str]:
    """Ids of the snapshots that images are made of, which EC2 refuses to delete."""
    return {ident for image in images for ident in image.snapshot_ids}
