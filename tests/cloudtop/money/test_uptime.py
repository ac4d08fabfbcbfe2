"""When a machine ran this month: every span against one made by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudtop.money.uptime import Machine, Span, clipped, merged, month_of, uptime, without

HOUR, DAY = 3600, 86400


def at(text: str) -> int:
    """Seconds since 1970 of a UTC moment: ``11-10 12:00`` is of 2026."""
    return int(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC).timestamp())


START, NOW = at("11-01 00:00"), at("11-20 12:00")


def back(gone: str, returned: str, instance: str = "i-2", previous: str = "i-1") -> dict[str, Any]:
    return {
        "event": "back",
        "time": f"2026-{returned.replace(' ', 'T')}:00Z",
        "last_seen": f"2026-{gone.replace(' ', 'T')}:00Z",
        "instance": instance,
        "previous": previous,
        "away_seconds": at(returned) - at(gone),
    }


def running(launched: str, ident: str = "i-2") -> Machine:
    return Machine(ident, at(launched), runs=True)


@pytest.mark.parametrize(
    ("moment", "start", "end", "hours"),
    [
        ("2026-11-20T12:00:00+00:00", "2026-11-01", "2026-12-01", 720),
        ("2026-12-31T23:59:59+00:00", "2026-12-01", "2027-01-01", 744),
        ("2027-01-01T00:00:00+00:00", "2027-01-01", "2027-02-01", 744),
        ("2027-02-28T23:59:59+00:00", "2027-02-01", "2027-03-01", 672),
        ("2028-02-29T00:00:00+00:00", "2028-02-01", "2028-03-01", 696),
        ("2000-02-10T00:00:00+00:00", "2000-02-01", "2000-03-01", 696),
        # The month is EC2's, not that of this computer's zone
        ("2026-11-01T00:30:00+02:00", "2026-10-01", "2026-11-01", 744),
    ],
)
def test_a_month_has_its_own_length(moment: str, start: str, end: str, hours: float) -> None:
    month = month_of(int(datetime.fromisoformat(moment).timestamp()))
    ends = [datetime.fromtimestamp(each, UTC) for each in (month.start, month.end)]
    assert [f"{each:%Y-%m-%d %H:%M:%S}" for each in ends] == [
        f"{start} 00:00:00",
        f"{end} 00:00:00",
    ]
    assert month.hours == hours
    assert month.name == start[:7]


def test_without_a_request_nothing_ran() -> None:
    assert uptime(NOW, None, None, None, None).running == ()


def test_machine_since_before_the_month_ran_all_of_it() -> None:
    times = uptime(NOW, at("09-01 00:00"), running("10-30 00:00"), None, None)
    assert (times.running, times.doubts) == (((START, NOW),), ())


def test_first_machine_ran_since_its_launch_and_not_while_the_request_waited() -> None:
    times = uptime(NOW, at("11-10 00:00"), running("11-10 05:00"), None, [])
    assert (times.running, times.doubts) == (((at("11-10 05:00"), NOW),), ())


def test_what_ran_before_a_stop_counts_while_its_return_is_not_noted_yet() -> None:
    notice = {"event": "notice", "time": "2026-11-20T09:00:00Z", "instance": "i-2"}
    times = uptime(NOW, at("11-20 06:00"), running("11-20 11:59"), None, [notice])
    assert times.running == ((at("11-20 06:00"), NOW),)
    assert times.doubts != ()


def test_times_away_are_taken_off() -> None:
    journal = [
        back("11-05 00:00", "11-05 02:00", "i-1", "i-0"),
        {"event": "notice", "time": "2026-11-11T23:58:00Z", "instance": "i-1"},
        back("11-12 00:00", "11-12 06:03"),
    ]
    times = uptime(NOW, at("09-01 00:00"), running("11-12 06:00"), None, journal)
    # The present machine is paid from its launch, which is before it had the volume
    assert times.running == (
        (START, at("11-05 00:00")),
        (at("11-05 02:00"), at("11-12 00:00")),
        (at("11-12 06:00"), NOW),
    )
    assert times.seconds == 4 * DAY + 7 * DAY - 2 * HOUR + 8 * DAY + 6 * HOUR
    assert (times.rooted, times.doubts) == (times.running, ())


def test_a_time_away_across_the_months_start_counts_from_it() -> None:
    journal = [back("10-30 00:00", "11-03 00:00")]
    times = uptime(NOW, at("09-01 00:00"), running("11-03 00:00"), None, journal)
    assert (times.running, times.doubts) == (((at("11-03 00:00"), NOW),), ())


def test_a_machine_that_was_stopped_kept_its_root_disk() -> None:
    journal = [back("11-05 00:00", "11-08 00:00", "i-1", "i-1")]
    times = uptime(NOW, at("09-01 00:00"), running("11-08 00:00", "i-1"), None, journal)
    assert times.running == ((START, at("11-05 00:00")), (at("11-08 00:00"), NOW))
    assert times.rooted == ((START, NOW),)


def test_machine_that_cannot_be_asked_makes_it_an_upper_bound() -> None:
    times = uptime(NOW, at("09-01 00:00"), running("11-12 00:00"), None, None)
    assert times.running == ((START, NOW),)
    assert times.doubts == ("the machine could not be asked for its times away",)


def test_machine_of_a_few_minutes_after_its_request_is_the_first() -> None:
    times = uptime(NOW, at("11-10 00:00"), running("11-10 00:10"), None, None)
    assert (times.running, times.doubts) == (((at("11-10 00:10"), NOW),), ())
    later = uptime(NOW, at("11-10 00:00"), running("11-10 00:11"), None, None)
    assert later.running == ((at("11-10 00:00"), NOW),)
    assert later.doubts


def test_request_with_no_machine_ran_until_its_status_changed_at_most() -> None:
    times = uptime(NOW, at("09-01 00:00"), None, at("11-15 00:00"), None)
    assert times.running == ((START, at("11-15 00:00")),)
    assert times.rooted == times.running
    assert "can't be read" in times.doubts[0]


def test_stopped_machine_ran_until_its_status_changed_and_has_its_disk_still() -> None:
    machine = Machine("i-1", at("10-20 00:00"), runs=False)
    times = uptime(NOW, at("09-01 00:00"), machine, at("11-15 00:00"), None)
    assert times.running == ((START, at("11-15 00:00")),)
    assert times.rooted == ((START, NOW),)
    assert times.doubts == ()


def test_machine_stopped_since_last_month_did_not_run() -> None:
    machine = Machine("i-1", at("10-20 00:00"), runs=False)
    times = uptime(NOW, at("09-01 00:00"), machine, at("10-25 00:00"), None)
    assert times.running == ()
    assert times.rooted == ((START, NOW),)


def test_wait_of_a_new_request_is_a_doubt_once_its_first_machine_is_gone() -> None:
    journal = [back("11-12 00:00", "11-12 06:00")]
    times = uptime(NOW, at("11-10 00:00"), running("11-12 06:00"), None, journal)
    assert times.seconds == 2 * DAY + 8 * DAY + 6 * HOUR
    assert times.doubts == ("the request may have waited for its first machine",)


def test_machine_of_an_earlier_request_makes_the_first_launch_known() -> None:
    journal = [back("11-09 00:00", "11-10 05:00")]
    times = uptime(NOW, at("11-10 00:00"), running("11-10 05:00"), None, journal)
    assert (times.running, times.doubts) == (((at("11-10 05:00"), NOW),), ())


def test_more_entries_than_the_journal_keeps_are_a_doubt() -> None:
    returns = [back(f"11-12 {hour:02}:00", f"11-12 {hour:02}:30") for hour in range(20)]
    journal = [{"event": "notice"}] * 180 + returns
    times = uptime(NOW, at("09-01 00:00"), running("11-12 19:30"), None, journal)
    assert times.seconds == NOW - START - 20 * HOUR // 2
    assert "newest 200 entries" in times.doubts[0]
    assert "200 entries" not in str(
        uptime(NOW, at("09-01 00:00"), running("11-12 19:30"), None, journal[1:]).doubts
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"event": "back"},
        {"event": "back", "time": 7, "last_seen": [], "away_seconds": "long"},
        {"event": "back", "time": "2026-11-12T06:00:00Z", "away_seconds": None},
        {"event": "back", "time": "2026-11-12T06:00:00Z", "away_seconds": math.inf},
        {"event": "back", "time": "2026-11-12T06:00:00Z", "away_seconds": math.nan},
    ],
)
def test_an_unreadable_return_is_a_doubt(odd: dict[str, Any]) -> None:
    times = uptime(NOW, at("09-01 00:00"), running("11-12 06:00"), None, [odd, "back", 1])
    assert times.running == ((START, NOW),)
    assert times.doubts == ("the journal of its times away is not readable in part",)


def test_a_return_without_the_last_sign_of_life_has_its_length() -> None:
    entry = {**back("11-12 00:00", "11-12 06:00"), "last_seen": None}
    times = uptime(NOW, at("09-01 00:00"), running("11-12 06:00"), None, [entry])
    assert times.seconds == NOW - START - 6 * HOUR


@pytest.mark.parametrize("journal", [None, []])
def test_request_and_launch_in_the_future_are_nothing_yet(journal: Any) -> None:
    times = uptime(NOW, at("11-20 13:00"), running("11-20 14:00"), None, journal)
    assert (times.running, times.rooted) == ((), ())


def test_launch_in_the_future_is_no_time_below_nothing() -> None:
    times = uptime(NOW, at("09-01 00:00"), running("11-20 14:00"), None, [])
    assert (times.running, times.rooted, times.seconds) == ((), (), 0)


@pytest.mark.parametrize(
    ("holes", "left"),
    [
        ([], [(0, 10)]),
        ([(2, 4)], [(0, 2), (4, 10)]),
        ([(-5, 3), (8, 20)], [(3, 8)]),
        ([(2, 6), (4, 8)], [(0, 2), (8, 10)]),
        ([(0, 10)], []),
        ([(6, 4), (5, 5)], [(0, 10)]),
    ],
)
def test_holes_are_cut_out(holes: list[Span], left: list[Span]) -> None:
    assert list(without([(0, 10)], holes)) == left


def test_spans_are_merged_and_clipped() -> None:
    assert merged([(5, 8), (0, 3), (2, 4), (8, 9), (7, 7)]) == ((0, 4), (5, 9))
    assert clipped([(0, 4), (5, 9), (20, 30)], 2, 8) == ((2, 4), (5, 8))
