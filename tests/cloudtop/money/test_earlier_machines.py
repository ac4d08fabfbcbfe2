"""Machines before the present request: every span against one made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtop.money.earlier_machines import notes, runs
from cloudtop.money.uptime import uptime
from tests.cloudtop.money.test_uptime import NOW, START, at, back, running

A, B = ("i3.4xlarge", "us-east-1a"), ("c3.xlarge", "us-east-1b")


def ran(entry: dict[str, Any], launched: str, place: tuple[str, str] = A) -> dict[str, Any]:
    """A return that says what it ended."""
    moment = f"2026-{launched.replace(' ', 'T')}:00Z"
    return {**entry, "ran": {"launched": moment, "type": place[0], "zone": place[1]}}


def copy(snapshot: str, restored: str) -> dict[str, Any]:
    return {**back(snapshot, restored, "i-9", "i-8"), "event": "copy"}


# Switched on the 12th, reaped on the 15th, switched again on the 18th to the present request
JOURNAL = [
    ran(back("11-12 06:00", "11-12 06:05", "i-2", "i-1"), "11-11 00:00", B),
    {"event": "notice", "time": "2026-11-15T10:00:00Z", "instance": "i-2"},
    ran(back("11-15 10:00", "11-15 10:04", "i-3", "i-2"), "11-12 06:04"),
    ran(back("11-18 00:00", "11-18 00:03", "i-4", "i-3"), "11-15 10:03"),
]
CREATED = at("11-18 00:02")


def test_every_run_before_the_request_is_counted_once() -> None:
    earlier = runs(NOW, CREATED, JOURNAL)
    assert [(run.place, run.running) for run in earlier] == [
        (A, (at("11-15 10:03"), at("11-18 00:00"))),
        (A, (at("11-12 06:04"), at("11-15 10:00"))),
        (B, (at("11-11 00:00"), at("11-12 06:00"))),
    ]
    assert [run.rooted == run.running for run in earlier] == [True] * 3
    # And what is counted for the present request lies behind all of it
    present = uptime(NOW, CREATED, running("11-18 00:03", "i-4"), None, JOURNAL)
    assert (present.running, present.doubts) == (((at("11-18 00:03"), NOW),), ())
    assert [*notes(NOW, CREATED, at("11-10 23:58"), JOURNAL, earlier)] == []


def test_what_the_present_request_ran_is_not_counted_here() -> None:
    earlier = runs(NOW, at("11-15 10:02"), JOURNAL)
    assert [run.running for run in earlier] == [
        (at("11-12 06:04"), at("11-15 10:00")),
        (at("11-11 00:00"), at("11-12 06:00")),
    ]


def test_of_a_run_across_the_months_start_the_month_is_counted() -> None:
    journal = [ran(back("11-03 00:00", "11-03 00:02"), "10-20 00:00")]
    (run,) = earlier = runs(NOW, at("11-03 00:01"), journal)
    assert (run.running, run.seconds) == ((START, at("11-03 00:00")), 2 * 86400)
    assert [*notes(NOW, at("11-03 00:01"), at("10-01 00:00"), journal, earlier)] == []


def test_last_months_runs_are_none() -> None:
    journal = [ran(back("10-03 00:00", "10-03 00:02"), "09-20 00:00")]
    assert runs(NOW, at("11-03 00:01"), journal) == ()


def test_a_stopped_machine_kept_its_root_disk_until_it_was_started() -> None:
    journal = [ran(back("11-12 00:00", "11-13 00:00", "i-1", "i-1"), "11-11 00:00")]
    (run,) = runs(NOW, CREATED, journal)
    assert run.running == (at("11-11 00:00"), at("11-12 00:00"))
    assert run.rooted == (at("11-11 00:00"), at("11-13 00:00"))


def test_a_return_that_is_there_twice_counts_once() -> None:
    assert runs(NOW, CREATED, [JOURNAL[0], JOURNAL[0]]) == runs(NOW, CREATED, JOURNAL[:1])


def test_a_name_that_is_none_fails_nothing() -> None:
    odd = {**JOURNAL[0], "previous": ["i-1"], "instance": {}}
    assert len(runs(NOW, CREATED, [odd])) == 1


def test_without_a_journal_or_a_request_nothing_is_known() -> None:
    assert runs(NOW, CREATED, None) == runs(NOW, None, JOURNAL) == ()
    (note,) = notes(NOW, CREATED, at("11-10 23:58"), None, ())
    assert note.startswith("the machine is counted since 2026-11-18 00:02 UTC")
    assert [*notes(NOW, None, at("11-10 23:58"), None, ())] == []


@pytest.mark.parametrize(
    "odd",
    [
        {"ran": None},
        {"ran": "all night"},
        {"ran": {"launched": "?", "type": "a", "zone": "b"}},
        {"ran": {"launched": "2026-11-12T06:04:00Z", "type": None, "zone": None}},
        {"last_seen": 7},
        {"time": None},
    ],
)
def test_before_a_return_that_tells_nothing_all_is_unknown(odd: dict[str, Any]) -> None:
    journal = [JOURNAL[0], {**JOURNAL[2], **odd}, JOURNAL[3]]
    earlier = runs(NOW, CREATED, journal)
    assert [run.running[0] for run in earlier] == [at("11-15 10:03")]
    (note,) = notes(NOW, CREATED, at("11-10 23:58"), journal, earlier)
    assert note.startswith("the machine is counted since 2026-11-15 10:03 UTC")


def test_a_volume_that_is_younger_than_its_journal_hides_no_gap() -> None:
    moved = at("11-18 00:01")
    assert [*notes(NOW, CREATED, moved, JOURNAL, runs(NOW, CREATED, JOURNAL))] == []
    torn = [{**JOURNAL[0], "ran": None}, JOURNAL[2], JOURNAL[3]]
    (note,) = notes(NOW, CREATED, moved, torn, runs(NOW, CREATED, torn))
    assert note.startswith("the machine is counted since 2026-11-12 06:04 UTC")
    # The journal keeps the newest 200 entries: there may have been more
    cut = [{"event": "rebalance"}] * 196 + JOURNAL
    (note,) = notes(NOW, CREATED, moved, cut, runs(NOW, CREATED, cut))
    assert note.startswith("the machine is counted since 2026-11-11 00:00 UTC")


def test_a_copy_of_the_volume_knows_what_ran_before_its_snapshot() -> None:
    journal = [JOURNAL[0], ran(copy("11-14 00:00", "11-18 00:03"), "11-12 06:04")]
    earlier = runs(NOW, CREATED, journal)
    assert [run.running for run in earlier] == [
        (at("11-12 06:04"), at("11-14 00:00")),
        (at("11-11 00:00"), at("11-12 06:00")),
    ]
    (note,) = notes(NOW, CREATED, at("11-18 00:00"), journal, earlier)
    assert "between a snapshot and its restore" in note
    # The present machine is counted since its launch all the same, without a doubt
    present = uptime(NOW, CREATED, running("11-18 00:03", "i-9"), None, journal)
    assert (present.running, present.doubts) == (((at("11-18 00:03"), NOW),), ())


def test_a_copy_of_last_month_is_no_concern_of_this_one() -> None:
    journal = [ran(copy("10-14 00:00", "10-18 00:03"), "10-12 06:04")]
    assert [*notes(NOW, at("10-18 00:02"), at("10-18 00:00"), journal, ())] == []


def test_a_clock_that_is_behind_counts_nothing_below_nothing() -> None:
    early = at("11-11 12:00")
    assert [run.running for run in runs(early, CREATED, JOURNAL)] == [(at("11-11 00:00"), early)]
