"""Which snapshot is taken under which label, and which ones go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.machine_programs.support.load import module

plans = module("ansible.module_utils.snapshot_plan")
ours = module("ansible.module_utils.ec2_ours")
resources = module("ansible.module_utils.cloudtop_resources")

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VOLUME = {"id": "vol-1", "tags": {"cloudtop:formatted": "ext4", "cloudtop:at-rest": "x"}}
BOX = ours.Cloudtop("box", "alice", "us-east-1", VOLUME)


def snapshot(
    number: int, label: str = "", state: str = "completed", volume: str = "vol-1", **tags: str
) -> Any:
    """One whose number is the day on which it was begun."""
    more = {"cloudtop:label": label} if label else {}
    own = {**BOX.identity, "cloudtop:role": "snapshot", **more}
    own |= {key.replace("__", ":").replace("_", "-"): value for key, value in tags.items()}
    return resources.Snapshot(
        snapshot_id=f"snap-{number}",
        state=state,
        volume_id=volume,
        start_time=datetime(2026, 1, number, tzinfo=UTC),
        tags=own,
    )


def plan(*snapshots: Any, label: str = "", keep: int = 7, **more: Any) -> Any:
    return plans.plan(BOX, snapshots, more.pop("images", []), label, keep, NOW, **more)


BY_TIME = "20260101-000000"


@pytest.mark.parametrize(
    ("snapshots", "label", "named", "ident"),
    [
        ([], "", "20260102-030405", ""),
        ([], "good", "good", ""),
        ([snapshot(1, "good")], "good", "good", "snap-1"),
        ([snapshot(1, "good", "pending")], "good", "good", "snap-1"),
        # The first of two runs at once
        ([snapshot(1, "good"), snapshot(2, "good", "pending")], "good", "good", "snap-1"),
        # One that failed is none
        ([snapshot(1, "good", "error")], "good", "good", ""),
        ([snapshot(1, "other")], "good", "good", ""),
        # Without a label, what a killed run began is gone on with, and nothing else
        ([snapshot(1, BY_TIME, "pending")], "", BY_TIME, "snap-1"),
        ([snapshot(1, BY_TIME)], "", "20260102-030405", ""),
        ([snapshot(1, "good", "pending")], "", "20260102-030405", ""),
        ([snapshot(1, BY_TIME, "pending", "vol-2")], "", "20260102-030405", ""),
        ([snapshot(1, BY_TIME, "pending")], "good", "good", ""),
    ],
)
def test_which_snapshot_has_the_label(
    snapshots: list[Any], label: str, named: str, ident: str
) -> None:
    planned = plan(*snapshots, label=label)
    assert (planned.label, planned.id) == (named, ident)


@pytest.mark.parametrize("label", ["snap-1", ".x", "-x", "a b", "x" * 64, "a/b", "good\n"])
def test_a_label_that_can_not_be_is_refused(label: str) -> None:
    with pytest.raises(ours.RefusedError, match="can't be: it has 1 to 63 letters"):
        plan(label=label)


def test_without_a_volume_there_is_nothing_to_take() -> None:
    nothing = ours.Cloudtop("box", "alice", "us-east-1", {"id": "", "tags": {}})
    with pytest.raises(ours.RefusedError, match="has no volume in us-east-1"):
        plans.plan(nothing, [], [], "good", 7, NOW)


def test_a_new_one_has_all_that_finds_it_again() -> None:
    assert plan(label="good", tags={"cloudtop:early": "b"}).tags == {
        **BOX.identity,
        "Name": "cloudtop-box-good",
        "cloudtop:role": "snapshot",
        "cloudtop:label": "good",
        "cloudtop:formatted": "ext4",
        "cloudtop:early": "b",
    }


def image(ident: str) -> Any:
    return resources.Image("ami-1", snapshot_ids=(ident,))


COMPLETED = [snapshot(number, f"s{number}") for number in (1, 2, 3)]
SCHEDULED = {"aws__dlm__lifecycle_policy_id": "policy-1"}


@pytest.mark.parametrize(
    ("snapshots", "keep", "images", "old"),
    [
        (COMPLETED, 7, [], []),
        (COMPLETED, 3, [], []),
        (COMPLETED, 2, [], ["snap-1"]),
        (COMPLETED, 1, [], ["snap-2", "snap-1"]),
        (COMPLETED, 0, [], []),
        # One under way counts for nothing yet
        ([*COMPLETED, snapshot(4, "s4", "pending")], 3, [], []),
        # A failed one goes, also where all are kept
        ([*COMPLETED, snapshot(4, "s4", "error")], 0, [], ["snap-4"]),
        ([*COMPLETED, snapshot(4, "s4", "error")], 2, [], ["snap-4", "snap-1"]),
        # An image is made of it
        (COMPLETED, 1, [image("snap-1")], ["snap-2"]),
        ([snapshot(4, "s4", "error")], 1, [image("snap-4")], []),
        # A schedule lets its own go
        ([*COMPLETED, snapshot(4, **SCHEDULED)], 3, [], []),
        ([snapshot(4, state="error", **SCHEDULED)], 1, [], []),
    ],
)
def test_which_ones_go(snapshots: list[Any], keep: int, images: list[Any], old: list[str]) -> None:
    assert plan(*snapshots, label="s3", keep=keep, images=images).old == old


def twin(number: int, label: str, minutes: int = 1, **more: Any) -> Any:
    """One that a second call for the same label made."""
    one = snapshot(number, label, **more)
    later = one.start_time + timedelta(minutes=minutes)
    return replace(one, snapshot_id=f"snap-{number}-twin", start_time=later)


@pytest.mark.parametrize(
    ("twins", "keep", "old"),
    [
        # It goes, and pushes no other one out
        ([twin(3, "s3")], 3, ["snap-3-twin"]),
        ([twin(3, "s3")], 2, ["snap-3-twin", "snap-1"]),
        ([twin(3, "s3"), twin(3, "s3", 2)], 3, ["snap-3-twin", "snap-3-twin"]),
        ([twin(2, "s2")], 0, ["snap-2-twin"]),
        # Not before it is complete
        ([twin(3, "s3", state="pending")], 3, []),
        # Days later, of another volume, or by a schedule it is no accident
        ([twin(3, "s3", 24 * 60)], 4, []),
        ([twin(3, "s3", volume="vol-2")], 4, []),
        ([twin(3, "", 1, **SCHEDULED)], 3, []),
    ],
)
def test_a_twin_goes_and_pushes_no_older_one_out(
    twins: list[Any], keep: int, old: list[str]
) -> None:
    assert plan(*COMPLETED, *twins, label="s3", keep=keep).old == old


def test_the_twin_of_an_incomplete_one_stays() -> None:
    first = snapshot(3, "s3", "pending")
    assert plan(first, twin(3, "s3"), label="s3").old == []


def test_only_those_of_the_same_volume_are_early() -> None:
    planned = plan(
        snapshot(1, "early-b", cloudtop__early="b"),
        snapshot(2, "early-b", volume="vol-2", cloudtop__early="b"),
        # A snapshot that somebody gave our label is not ours to delete
        snapshot(3, "early-b"),
    )
    assert planned.early == ["snap-1"]
