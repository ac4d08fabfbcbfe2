"""Messages before and after a restore, and refusals."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

import pytest

from cloudtop.aws.find import Machine, Request, Resources, Snapshot, Volume
from cloudtop.aws.orphans import Leftover
from cloudtop.command import Context
from cloudtop.commands import destroy, orphans, restore
from cloudtop.errors import CloudtopError
from cloudtop.settings import clouds, settings


def snap(label: str, state: str = "completed") -> Snapshot:
    begun, tags = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), {"cloudtop:label": label}
    return Snapshot(f"snap-{label}", "vol-1", 50, state, "40%", begun, True, tags)


def volume(restored_from: str = "") -> Volume:
    return Volume("vol-1", size=80, tags={"cloudtop:restored-from": restored_from})


REQUEST = Request("sir-1")
MACHINE = Machine("i-1")


def test_a_snapshot_is_found_by_label_and_by_id() -> None:
    known = [snap("b"), snap("a")]
    assert restore.choose(known, "a").snapshot_id == "snap-a"
    assert restore.choose(known, "snap-b").label == "b"


def test_one_that_is_not_there_or_not_whole_is_a_sentence() -> None:
    with pytest.raises(CloudtopError, match="'c' of this cloudtop's volume; there is: b, a"):
        restore.choose([snap("b"), snap("a")], "c")
    with pytest.raises(CloudtopError, match="there is: none"):
        restore.choose([], "c")
    with pytest.raises(CloudtopError, match="b is pending at 40%"):
        restore.choose([snap("b", "pending")], "b")


def test_it_says_what_ends_what_is_kept_and_what_both_cost() -> None:
    resources = Resources(REQUEST, MACHINE, volume())
    text = restore.announcement("box", resources, snap("a"), [MACHINE])
    assert "a new volume of 80 GiB, $6.40 a month" in text  # 80 * 0.08
    assert "sir-1 is cancelled" in text
    assert "i-1 is ended" in text
    assert "old volume vol-1, 80 GiB, for $6.40 a month until" in text
    alone = restore.announcement("box", Resources(None, None, None), snap("a"), [])
    assert "a new volume of 50 GiB, $4.00 a month" in alone
    assert "It keeps" not in alone


def test_the_end_is_what_ec2_shows() -> None:
    text = restore.outcome(Resources(None, None, volume("snap-a")), snap("a"))
    assert "python runner.py provision" in text
    with pytest.raises(CloudtopError, match="does not show a volume of a"):
        restore.outcome(Resources(None, None, volume("snap-b")), snap("a"))


def test_another_cloudtops_old_volume_is_not_deleted() -> None:
    context = Context(Namespace(), settings.load(), clouds.load("rehearsal"), ())
    with pytest.raises(CloudtopError, match="'other', and this cloudtop is 'cloudtop'"):
        orphans.replaced_volumes(context, "other")


def test_destroy_says_which_snapshots_stay_and_what_they_cost() -> None:
    taken = [snap("b"), snap("a")]
    before = destroy.announcement(
        "box", Resources(None, None, volume()), [], True, taken, machines=[]
    )
    assert "It keeps 2 snapshots of the volume: b, a." in before
    after = destroy.remains("box", Resources(None, None, None), [], taken)
    # 2 * 50 * 0.05
    assert "2 snapshots of the volume are kept and cost at most $5.00 a month" in after
    assert "python runner.py orphans --delete" in after
    kept = destroy.remains("box", Resources(None, None, volume()), [], taken[:1])
    assert "1 snapshot of the volume is kept and costs at most $2.50 a month" in kept
    assert "orphans" not in kept


def test_destroy_says_what_else_of_it_costs_money() -> None:
    more = [
        Leftover("replaced", "vol-8", "box", 50, 4.0),
        Leftover("root", "vol-9", "box", 16, 1.28),
    ]
    text = destroy.remains("box", Resources(None, None, None), [], (), more)
    assert text == (
        "vol-8, vol-9 of it: at most $5.28 a month, too. Look: python runner.py orphans"
    )
    nothing = destroy.remains("box", Resources(None, None, None), [])
    assert nothing == "Nothing of it is left, and nothing costs money any more."
