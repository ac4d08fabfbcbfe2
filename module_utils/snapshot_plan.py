"""Which snapshot of a volume is taken, under which label, and which old ones go. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.cloudtop_resources import Image, Snapshot
from ansible.module_utils.ec2_ours import Cloudtop, NothingThereError, RefusedError

# A volume made of the snapshot needs these to be mounted: its file system is no stranger's
HANDED_ON = ("cloudtop:formatted", "cloudtop:host-key")
BY_TIME = "%Y%m%d-%H%M%S"
_LABEL_OF_TIME = re.compile(r"[0-9]{8}-[0-9]{6}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_EARLY = "cloudtop:early"
# Two of one label are no accident if more lies between them
TWINS = timedelta(hours=1)


@dataclass(frozen=True)
class SnapshotPlan:
    """The snapshot of a label, and what goes once it is whole.

    ``id`` is empty while it has to be begun, with ``description`` and ``tags``; ``identity`` are
    those by which it is found again. ``old`` and ``early`` are ids: those that are too many or have
    failed, and those that were taken of the volume before a switch to another zone.
    """

    label: str
    id: str
    state: str
    description: str
    identity: dict[str, str]
    tags: dict[str, str]
    old: list[str]
    early: list[str]


def plan(
    cloudtop: Cloudtop,
    snapshots: Iterable[Snapshot],
    images: Iterable[Image],
    label: str,
    keep: int,
    now: datetime,
    tags: Mapping[str, str] | None = None,
) -> SnapshotPlan:
    """The next step for a snapshot of the cloudtop's volume; ``tags`` are more of its own.

    Killed and run again, the snapshot that was begun is the one that is meant. Raises
    RefusedError for a label that can't be, or without a volume.
    """
    ours = rules.snapshots_of(snapshots, cloudtop.name, cloudtop.owner)
    whole = [each for each in ours if each.state != "error"]
    volume = cloudtop.volume
    label = label or _begun_label(whole, volume["id"]) or now.strftime(BY_TIME)
    if not _LABEL.fullmatch(label) or label.startswith("snap-"):
        raise RefusedError(
            f"The label {json.dumps(label)} can't be: it has 1 to 63 letters, digits and . _ -,"
            " begins with none of these signs, and not like an id with snap-; run: python"
            " runner.py snapshot before-upgrade"
        )
    if not volume["id"]:
        raise NothingThereError(
            f"The cloudtop {cloudtop.name} has no volume in {cloudtop.region}, so there is nothing"
            " to take a snapshot of; run: python runner.py provision"
        )
    same = [each for each in whole if each.label == label]
    # The oldest of that label is the one that was begun first
    begun = same[-1] if same else Snapshot("")
    identity = {
        **cloudtop.identity,
        "cloudtop:role": rules.SNAPSHOT_ROLE,
        "cloudtop:label": label,
    }
    return SnapshotPlan(
        label=label,
        id=begun.snapshot_id,
        state=begun.state,
        description=f"The volume of the cloudtop {cloudtop.name}, {label}",
        identity=identity,
        tags={
            **identity,
            **handed_on(volume["tags"]),
            "Name": f"cloudtop-{cloudtop.name}-{label}",
            **(tags or {}),
        },
        old=too_many(ours, images, keep),
        early=[
            each.snapshot_id
            for each in whole
            if each.volume_id == volume["id"] and _EARLY in each.tags
        ],
    )


def handed_on(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a volume that its snapshot, and a volume made of that, get too."""
    return {key: value for key, value in tags.items() if key in HANDED_ON}


def too_many(ours: Sequence[Snapshot], images: Iterable[Image], keep: int) -> list[str]:
    """Ids of the snapshots that go: failed ones, twins, and completed ones that are too many.

    ``ours`` are newest first, and ``keep`` of them stay. Twins are not counted, so that none pushes
    another out. A schedule lets its own go, and those that an image is made of stay. One that is
    under way is the newest, or somebody else's to wait for.
    """
    used = rules.snapshots_in_use(images)
    by_hand = [each for each in ours if rules.POLICY_TAG not in each.tags]
    failed = [each for each in by_hand if each.state == "error"]
    twins = [each for each in twins_of(by_hand) if each.snapshot_id not in used]
    completed = [each for each in by_hand if each.state == "completed" and each not in twins]
    old = completed[keep:] if keep > 0 else []
    return [each.snapshot_id for each in failed + twins + old if each.snapshot_id not in used]


def twins_of(by_hand: Sequence[Snapshot]) -> list[Snapshot]:
    """Completed snapshots that a second call for the same label of the same volume has made.

    They were begun within TWINS of the one that was begun first, which stays.
    """
    whole = [each for each in by_hand if each.state == "completed" and each.label]
    # Newest first, so that the last of each kind is the oldest
    first = {(each.label, each.volume_id): each for each in whole}
    twins = []
    for each in whole:
        oldest = first[each.label, each.volume_id]
        began, other = oldest.start_time, each.start_time
        if each is not oldest and began and other and other - began < TWINS:
            twins.append(each)
    return twins


def _begun_label(whole: Sequence[Snapshot], volume: str) -> str:
    """The label of a snapshot of the volume that a killed run began without being given one."""
    labels = [each.label for each in whole if each.state == "pending" and each.volume_id == volume]
    return next((each for each in labels if _LABEL_OF_TIME.fullmatch(each)), "")
