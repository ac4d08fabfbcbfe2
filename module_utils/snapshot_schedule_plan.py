"""A schedule: its volume, role and policy, and its old snapshots that go. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.cloudtop_resources import Image, Snapshot, Volume, tags_of
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


@dataclass(frozen=True)
class Role:
    """The schedule's role: its ARN, empty for none, and the document of its policy."""

    arn: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)


def role(
    cloudtop: Cloudtop, name: str, shown: Mapping[str, Any], policy: Mapping[str, Any]
) -> Role:
    """The role of that name; ``shown`` and ``policy`` are as IAM has them, empty for none.

    Raises RefusedError for one that is not the cloudtop's.
    """
    if shown and not cloudtop.identity.items() <= tags_of(shown).items():
        raise RefusedError(
            f"The role {name} lacks our tags cloudtop:name and cloudtop:owner, and cloudtop changes"
            " only its own roles; remove it, then run: python runner.py provision"
        )
    return Role(str(shown.get("Arn", "")), policy)


def wanted_policy(options: Mapping[str, Any]) -> dict[str, Any]:
    """The lifecycle policy that options of dlm_policy_once ask for, as DLM takes it."""
    return {
        "ExecutionRoleArn": options["role"],
        "Description": options["description"],
        "State": "ENABLED",
        "PolicyDetails": {
            "PolicyType": "EBS_SNAPSHOT_MANAGEMENT",
            "ResourceTypes": ["VOLUME"],
            "TargetTags": _pairs(options["target"]),
            "Schedules": [
                {
                    "Name": options["name"],
                    "CopyTags": True,
                    "TagsToAdd": _pairs(options["tags"]),
                    "CreateRule": {
                        "Interval": options["hours"],
                        "IntervalUnit": "HOURS",
                        "Times": [options["time"]],
                    },
                    "RetainRule": {"Count": options["keep"]},
                }
            ],
        },
    }


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def holds(current: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; what AWS adds of itself does not matter."""
    if isinstance(wanted, dict):
        return all(key in current and holds(current[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(current) == len(wanted) and all(map(holds, _sorted(current), _sorted(wanted)))
    return bool(current == wanted)


def _sorted(values: list[Any]) -> list[Any]:
    return sorted(values, key=lambda each: each.get("Key", "") if isinstance(each, dict) else each)


def refuse_keep(keep: int) -> None:
    """Raise RefusedError for a number of snapshots that no schedule keeps."""
    if not 0 < keep <= rules.SCHEDULE_KEEPS:
        raise RefusedError(
            f"cloudtop_snapshot_keep is {keep}, and a schedule keeps 1 to {rules.SCHEDULE_KEEPS}"
            " snapshots; run: python runner.py provision -e cloudtop_snapshot_keep=7"
        )
