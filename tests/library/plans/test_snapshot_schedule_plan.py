"""The volume that a schedule takes snapshots of, and its old snapshots that go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.snapshot_schedule_plan")
rules = module("ansible.module_utils.cloudtop_rules")
ours = module("ansible.module_utils.ec2_ours")
resources = module("ansible.module_utils.cloudtop_resources")

BOX = ours.Cloudtop("box", "alice", "us-east-1", {"id": ""})
MARK = {"cloudtop:scheduled": "alice/box"}


def volume(
    ident: str, marked: bool = False, role: str = "", state: str = "in-use", owner: str = "alice"
) -> Any:
    tags = {**BOX.identity, "cloudtop:owner": owner, **(MARK if marked else {})}
    tags |= {"cloudtop:role": role} if role else {}
    return resources.Volume(ident, state=state, tags=tags)


LIVE, MARKED = volume("vol-1"), volume("vol-1", marked=True)
OLD, OLD_MARKED = volume("vol-0", role="replaced"), volume("vol-0", True, "replaced")
HALF = volume("vol-2", role="restoring")
ROOT = volume("vol-root", role="root")
OTHERS = [volume("vol-8", True, owner="bob"), volume("vol-9", True, state="deleting")]


@pytest.mark.parametrize(
    ("question", "volumes", "mark", "unmark"),
    [
        ("set", [LIVE, ROOT], ["vol-1"], []),
        ("set", [MARKED, ROOT], [], []),
        ("set", [MARKED, OLD_MARKED], [], ["vol-0"]),
        ("set", [LIVE, OLD_MARKED], ["vol-1"], ["vol-0"]),
        # While a restore is half done the old one goes on
        ("set", [OLD_MARKED, HALF], [], []),
        ("set", [], [], []),
        ("set", OTHERS, [], []),
        # There is no schedule, so a restored volume gets none
        ("moved", [LIVE, OLD], [], []),
        ("moved", [LIVE, OLD_MARKED], ["vol-1"], ["vol-0"]),
        # Killed between the two
        ("moved", [MARKED, OLD_MARKED], [], ["vol-0"]),
        ("moved", [MARKED, OLD], [], []),
        ("moved", [OLD_MARKED, HALF], [], []),
        ("moved", [LIVE, *OTHERS], [], []),
        ("gone", [MARKED, OLD_MARKED, ROOT], [], ["vol-0", "vol-1"]),
        ("gone", [OLD_MARKED], [], ["vol-0"]),
        ("gone", [LIVE, *OTHERS], [], []),
    ],
)
def test_volumes_that_get_and_lose_the_mark(
    question: str, volumes: list[Any], mark: list[str], unmark: list[str]
) -> None:
    marks = plans.marks(BOX, volumes, question)
    assert marks.mark == mark
    assert sorted(marks.unmark, key=lambda each: each["id"]) == [
        {"id": each, "tags": MARK} for each in unmark
    ]


def test_a_volume_that_ec2_does_not_list_yet_gets_the_mark() -> None:
    assert plans.marks(BOX, [], "set", "vol-1").mark == ["vol-1"]
    assert plans.marks(BOX, [LIVE], "set", "vol-1").mark == ["vol-1"]
    marks = plans.marks(BOX, [OLD_MARKED], "set", "vol-1")
    assert (marks.mark, [each["id"] for each in marks.unmark]) == (["vol-1"], ["vol-0"])


def snapshot(
    day: int,
    of: str = "vol-1",
    policy: str = "policy-1",
    state: str = "completed",
    **tags: str,
) -> Any:
    own = {**BOX.identity, "cloudtop:role": "snapshot"}
    own |= {rules.POLICY_TAG: policy} if policy else {}
    own |= {f"cloudtop:{key}": value for key, value in tags.items()}
    return resources.Snapshot(
        f"snap-{day}",
        volume_id=of,
        state=state,
        start_time=datetime(2026, 1, day, tzinfo=UTC),
        tags=own,
    )


@pytest.mark.parametrize(
    ("snapshots", "left"),
    [
        ([], []),
        # The policy's own, of the volume that is its target
        ([snapshot(1), snapshot(2)], []),
        # They are of the volume before
        ([snapshot(1, "vol-0"), snapshot(2, "vol-0"), snapshot(3)], ["snap-2", "snap-1"]),
        # It is of the policy before
        ([snapshot(1, policy="policy-0"), snapshot(2)], ["snap-1"]),
        ([snapshot(1, "vol-0", state="error")], ["snap-1"]),
        ([snapshot(1, "vol-0", state="pending")], []),
        # Taken by hand, of another role, and of another owner
        ([snapshot(1, "vol-0", policy="")], []),
        ([snapshot(1, "vol-0", role="copy")], []),
        ([snapshot(1, "vol-0", owner="bob")], []),
    ],
)
def test_snapshots_that_no_policy_deletes(snapshots: list[Any], left: list[str]) -> None:
    result = plans.left_behind(BOX, snapshots, "vol-1", "policy-1")
    assert [each.snapshot_id for each in result] == left


@pytest.mark.parametrize(
    ("keep", "images", "old"),
    [
        (3, [], []),
        (2, [], ["snap-1"]),
        (1, [], ["snap-2", "snap-1"]),
        (1, [resources.Image("ami-1", snapshot_ids=("snap-2",))], ["snap-1"]),
        (1, [resources.Image("ami-1")], ["snap-2", "snap-1"]),
    ],
)
def test_the_oldest_go(keep: int, images: list[Any], old: list[str]) -> None:
    left = [snapshot(3), snapshot(2), snapshot(1)]
    assert plans.surplus(left, images, keep) == old


@pytest.mark.parametrize("keep", [0, -1, 1001])
def test_refuses_a_number_that_no_schedule_keeps(keep: int) -> None:
    plans.refuse_keep(1)
    plans.refuse_keep(1000)
    with pytest.raises(ours.RefusedError, match=f"keep is {keep}, and a schedule keeps 1 to 1000"):
        plans.refuse_keep(keep)
