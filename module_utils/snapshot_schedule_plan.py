"""The volume that a schedule takes snapshots of, and its old snapshots that go. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.cloudtop_resources import Image, Snapshot, Volume
from ansible.module_utils.ec2_ours import Cloudtop, RefusedError

# A root disk has the cloudtop's tags, too, and a policy's target tags are one or the other
MARK = "cloudtop:scheduled"


@dataclass(frozen=True)
class Marks:
    """Ids of volumes that get the schedule's mark, and ``{"id", "tags"}`` of those that lose it."""

    mark: list[str]
    unmark: list[dict[str, Any]]


def marks(
    cloudtop: Cloudtop, volumes: Iterable[Volume], question: str, volume_id: str = ""
) -> Marks:
    """The marks that are put on and taken off.

    ``question`` is ``set``: the cloudtop's volume has the mark alone; ``moved``: it has, if
    another has it; or ``gone``: none has it. EC2 may not list a new volume yet, so ``volume_id``
    counts as the cloudtop's.
    """
    ours = rules.own_volumes(volumes, cloudtop.name, cloudtop.owner)
    value = "/".join((cloudtop.owner, cloudtop.name))
    marked = {each.volume_id: each.tags[MARK] for each in ours if MARK in each.tags}
    live = [each.volume_id for each in ours if "cloudtop:role" not in each.tags]
    wanted = [*live, *([volume_id] if volume_id and volume_id not in live else [])]
    if question == "gone" or (question == "moved" and not marked):
        wanted = []
    # While a restore is half done the old one goes on
    surplus = [each for each in marked if each not in wanted]
    return Marks(
        mark=[each for each in wanted if marked.get(each) != value],
        unmark=[
            {"id": each, "tags": {MARK: marked[each]}}
            for each in surplus
            if wanted or question == "gone"
        ],
    )


def left_behind(
    cloudtop: Cloudtop, snapshots: Iterable[Snapshot], volume_id: str, policy: str
) -> list[Snapshot]:
    """The scheduled snapshots that no policy deletes any more, newest first.

    A policy deletes what it took of a volume that is its target now (Amazon DLM, "Modify and
    delete policies"): what another policy took, or this one of another volume, stays for good.
    """
    ours = rules.snapshots_of(snapshots, cloudtop.name, cloudtop.owner)
    managed = (volume_id, policy)
    return [
        each
        for each in ours
        if rules.POLICY_TAG in each.tags
        and each.state != "pending"
        and (each.volume_id, each.tags[rules.POLICY_TAG]) != managed
    ]


def surplus(left: Sequence[Snapshot], images: Iterable[Image], keep: int) -> list[str]:
    """Ids of those beyond the ``keep`` newest; those that an image is made of stay."""
    used = rules.snapshots_in_use(images)
    return [each.snapshot_id for each in left[keep:] if each.snapshot_id not in used]


def refuse_keep(keep: int) -> None:
    """Raise RefusedError for a number of snapshots that no schedule keeps."""
    if not 0 < keep <= rules.SCHEDULE_KEEPS:
        raise RefusedError(
            f"cloudtop_snapshot_keep is {keep}, and a schedule keeps 1 to {rules.SCHEDULE_KEEPS}"
            " snapshots; run: python runner.py provision -e cloudtop_snapshot_keep=7"
        )
