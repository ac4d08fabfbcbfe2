"""Prices of 2015 on the cloud's clock, against a slow reading of the same file."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.ec2.market.pool import Pool
from localcloud.ec2.market.series import UNIT, Replay, Series, moment_of
from spotprices.files import Prices, read
from tests.localcloud.clock import Clock
from tests.localcloud.lab import Lab

# 2015-06-02 to 2015-06-06, real prices of us-east-1 a, b and e: the first spikes to $1
FILE = Path(__file__).parents[2] / "prices/c3.xlarge-2015-06.csv.gz"
# 2015-06-02 to 2015-07-12, of us-east-1a
LONG = FILE.with_name("c3.xlarge-1a-2015-06-07.csv.gz")
KIND = "c3.xlarge"
START = datetime(2026, 5, 1, 12)
SPIKES = "us-east-1a"


def series_of(zone: str) -> tuple[Prices, Series]:
    prices = read(FILE)[KIND, zone]
    return prices, Series(prices.times, [round(one * UNIT) for one in prices.dollars])


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize("zone", [SPIKES, "us-east-1b", "us-east-1e"])
@pytest.mark.parametrize("bid", [0.03, 0.0545, 0.32, 1])
def test_every_bid_is_passed_where_the_file_says_so(zone: str, bid: float) -> None:
    prices, series = series_of(zone)
    pool = Pool(0.038)
    begin, speed, step = at("2015-06-02T05:00:00"), 600.0, 7
    pool.play(Replay(series, begin, START, speed))
    for number in range(80):
        begins = START + timedelta(seconds=number * step)
        # Slow and obvious: walk through the file, second by second of its own time
        low, high = begin + number * step * speed, begin + (number + 1) * step * speed
        held = [
            dollars
            for time, until, dollars in zip(
                prices.times, [*prices.times[1:], high + 1], prices.dollars, strict=True
            )
            if time <= high and until > low
        ]
        expected = next((dollars for dollars in held if dollars > bid), None)
        assert pool.first_above(bid, begins, begins + timedelta(seconds=step)) == expected
        assert pool.price(begins + timedelta(seconds=step)) == held[-1]


def test_request_is_reaped_and_fulfilled_as_the_file_says(lab: Lab, clock: Clock) -> None:
    """The whole cloud, in steps of 97 minutes of 2015."""
    prices = read(LONG)[KIND, SPIKES]
    bid, begin = 0.042, at("2015-06-23T00:30:00")
    play(lab, prices, begin=begin, speed=97 * 60, zone=SPIKES)
    lab.own("price", {"notice": 0})
    sir, ident = lab.spot_instance(
        lab.spec(InstanceType=KIND, Placement={"AvailabilityZone": SPIKES}), SpotPrice=str(bid)
    )
    running, expected = True, []
    for number in range(1, 60):
        clock.skip(seconds=1)
        low, high = begin + (number - 1) * 97 * 60, begin + number * 97 * 60
        passed = [
            dollars
            for time, dollars in zip(prices.times, prices.dollars, strict=True)
            if low < time <= high and dollars > bid
        ]
        now = [d for t, d in zip(prices.times, prices.dollars, strict=True) if t <= high][-1]
        if running and passed:
            expected.append(passed[0])
            lab.becomes(ident, "terminated")
            running = False
        if now > bid:
            lab.reaches(sir, "open", "price-too-low")
        else:
            ident = lab.reaches(sir, "active", "fulfilled")["InstanceId"]
            lab.becomes(ident, "running")
            running = True
    taken = [one["price"] for one in lab.own("reaps") if one["request"] == sir]
    assert taken == expected
    assert len(taken) > 5


def play(lab: Lab, prices: Prices, *, begin: int | None, speed: float, zone: str) -> Any:
    series = {"type": KIND, "zone": zone, "times": prices.times, "prices": prices.dollars}
    return lab.own("replay", {"series": [series], "from": begin, "speed": speed})


def test_what_lies_before_keeps_its_distance_and_what_comes_is_faster() -> None:
    series = Series([1000, 2000, 3000, 4000], [1, 2, 3, 4])
    replay = Replay(series, 2500, START, 10)
    assert [round((when - START).total_seconds()) for when, _ in replay.changes(replay.ends)] == [
        150, 50, -500, -1500,
    ]  # fmt: skip
    assert replay.in_series(START + timedelta(seconds=50)) == moment_of(3000)
    assert replay.in_series(START - timedelta(seconds=500)) == moment_of(2000)


def test_last_price_stands_when_the_series_is_over() -> None:
    pool = Pool(0.038)
    pool.play(Replay(Series([0, 60], [UNIT, 2 * UNIT]), 0, START, 60))
    assert pool.price(START + timedelta(seconds=0.9)) == 1
    assert pool.price(START + timedelta(days=400)) == 2


def test_series_that_begins_later_than_the_replay_holds_its_first_price() -> None:
    pool = Pool(0.038)
    pool.play(Replay(Series([100, 200], [UNIT, 2 * UNIT]), 0, START, 1))
    assert pool.price(START) == 1
    assert pool.price(START - timedelta(seconds=1)) == 0.038
    assert [when for when, _ in pool.changes(START, START + timedelta(seconds=150))] == [
        START + timedelta(seconds=100), START,
    ]  # fmt: skip


def test_prices_of_one_moment_are_told_apart_or_left_out() -> None:
    """Faster than the clock's microseconds the last of them is what held."""
    pool = Pool(0.038)
    pool.play(Replay(Series([0, 1, 1, 2], [UNIT, 3 * UNIT, 4 * UNIT, 5 * UNIT]), 0, START, 1))
    changes = list(pool.changes(START, START + timedelta(seconds=5)))
    assert [price for _, price in changes] == [5, 4, 1]


def test_price_set_by_hand_ends_the_replay_and_the_past_stays() -> None:
    pool = Pool(0.038)
    pool.play(Replay(Series([0, 10, 20], [UNIT, 2 * UNIT, 3 * UNIT]), 0, START, 1))
    pool.stand(0.5, START + timedelta(seconds=15))
    pool.stand(None, START + timedelta(seconds=30))
    assert pool.price(START + timedelta(seconds=25)) == 0.5
    changes = list(pool.changes(START, START + timedelta(seconds=40)))
    assert [price for _, price in changes] == [0.038, 0.5, 2, 1]


def test_past_of_a_replay_takes_no_machine() -> None:
    pool = Pool(0.038)
    pool.play(Replay(Series([0, 10], [9 * UNIT, UNIT]), 10, START, 1))
    hour_ago = START - timedelta(hours=1)
    assert pool.first_above(2, hour_ago, START) is None
    pool.stand(1, START + timedelta(seconds=1))
    assert pool.first_above(2, hour_ago, START + timedelta(seconds=2)) is None


def test_what_is_older_than_the_history_is_forgotten() -> None:
    pool = Pool(0.038)
    for day in range(400):
        pool.stand(day + 1, START + timedelta(days=day))
    assert len(pool.segments) == 91
    end = START + timedelta(days=399)
    assert len(list(pool.changes(end - timedelta(days=90), end))) == 91


def test_series_is_kept_small_and_whole() -> None:
    prices, series = series_of(SPIKES)
    kept = pickle.dumps(series)
    assert len(kept) < 8 * len(prices.times)
    again = pickle.loads(kept)
    assert (again.times, again.prices) == (series.times, series.prices)


def test_stop_leaves_the_prices_of_now(lab: Lab, clock: Clock) -> None:
    prices, _ = series_of(SPIKES)
    play(lab, prices, begin=None, speed=60, zone=SPIKES)
    play(lab, prices, begin=None, speed=60, zone="us-east-1e")
    clock.skip(minutes=30)
    (before, other) = lab.own("prices")["prices"]
    assert before["replay"]["time"] == "2015-06-03T10:43:10.000Z"
    (stopped,) = lab.own("replay/stop", {"zone": SPIKES})["prices"]
    assert (stopped["price"], stopped["source"]) == (before["price"], "hand")
    clock.skip(minutes=30)
    assert lab.own("prices")["prices"][0] == stopped
    assert lab.own("prices")["prices"][1]["price"] != other["price"]
    assert len(lab.own("replay/stop", {})["prices"]) == 1
    assert lab.own("replay/stop", {})["prices"] == []


GOOD = {"type": KIND, "zone": SPIKES, "times": [0, 60], "prices": [1, 2]}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"speed": 0}, "speed is 0; it has to be from 0.01 to 100000."),
    ({"speed": "fast"}, "speed is 'fast'; it has to be a number."),
    ({"from": 61}, "from is 1970-01-01T00:01:01.000Z; the series are from 1970-01-01T00:00:00"),
    ({"from": 1e300}, "from is 1e+300"),
    ({"series": []}, "There is no series for a type and zone of this cloud."),
    ({"series": [GOOD, GOOD]}, "There are two series"),
    ({"series": [GOOD | {"zone": "us-east-1f"}]}, "c3.xlarge is not offered in us-east-1f"),
    ({"series": [GOOD | {"zone": "x"}], "lenient": True}, "this cloud; it has c3.xlarge x."),
    ({"series": [GOOD | {"times": [60, 0]}]}, "in order"),
    ({"series": [GOOD | {"times": [0]}]}, "There are 1 times and 2 prices."),
    ({"series": [GOOD | {"prices": [1, 0]}]}, "above 0"),
    ({"series": [GOOD | {"prices": [1, "2"]}]}, "price is '2'"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_refuses_in_words_and_changes_nothing(
    lab: Lab, clock: Clock, given: dict[str, Any], message: str
) -> None:
    before = lab.own("prices")
    assert message in lab.denied("replay", {"series": [GOOD], **given})
    assert lab.own("prices") == before
