"""The replay of bids: against sums by hand, a slow and obvious one, and what must always hold."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtop.prices import backtest, history
from cloudtop.prices.backtest import Outcome
from spotprices.files import Prices

REAL = Path(__file__).parents[2] / "localcloud/prices/c3.xlarge-2015-06.csv.gz"
HOUR = 3600
# One hour each; the fifth price is stated anew by the sixth
SERIES = Prices([n * HOUR for n in range(7)], [0.10, 0.30, 0.40, 0.10, 0.20, 0.20, 0.50])
# The window ends with the eighth hour, so the last price holds for two
END = 8 * HOUR


def slow(series: Prices, start: int, end: int, bid: float) -> Outcome:
    """Second by second, as one would explain it."""
    reaps = running = longest = gap = 0
    paid = 0.0
    was_running = False
    for second in range(start, end):
        held = [d for time, d in zip(series.times, series.dollars, strict=True) if time <= second]
        price = held[-1] if held else series.dollars[0]
        runs = price <= bid
        if runs:
            running, gap, paid = running + 1, 0, paid + price
        else:
            gap += 1
            reaps += was_running
        longest, was_running = max(longest, gap), runs
    mean = paid / running if running else None
    return Outcome(bid, end - start, reaps, longest, end - start - running, mean)


def alike(one: Outcome, other: Outcome) -> bool:
    """Whole numbers are equal, and the mean but for its last digits."""
    means = (one.mean or 0) == pytest.approx(other.mean or 0, rel=1e-9)
    whole = [(x.bid, x.window, x.reaps, x.longest_away, x.away) for x in (one, other)]
    return whole[0] == whole[1] and means


PRICES = st.integers(1, 6).map(lambda cents: cents / 100)
SERIES_OF = st.lists(st.tuples(st.integers(0, 9), PRICES), min_size=1, max_size=25).map(
    lambda steps: Prices(
        [sum(gap for gap, _ in steps[: n + 1]) for n in range(len(steps))],
        [price for _, price in steps],
    )
)
EVERY_BID = [cents / 200 for cents in range(1, 15)]


@pytest.mark.parametrize(
    ("bid", "reaps", "longest", "away", "paid", "ran"),
    [
        (0.05, 0, 8, 8, 0.0, 0),
        (0.10, 2, 4, 6, 0.20, 2),
        (0.20, 2, 2, 4, 0.60, 4),
        (0.30, 2, 2, 3, 0.90, 5),
        (0.40, 1, 2, 2, 1.30, 6),
        (0.50, 0, 0, 0, 2.30, 8),
    ],
)
def test_each_bid_against_sums_by_hand(
    bid: float, reaps: int, longest: int, away: int, paid: float, ran: int
) -> None:
    (outcome,) = backtest.replay(SERIES, 0, END, [bid])
    assert (outcome.reaps, outcome.longest_away, outcome.away) == (
        reaps,
        longest * HOUR,
        away * HOUR,
    )
    assert outcome.availability == pytest.approx(100 * ran / 8)
    assert (outcome.mean or 0) * ran == pytest.approx(paid)
    # Dollars an hour of the window, 730 hours
    assert outcome.machine_month == pytest.approx(paid / 8 * 730)
    # 50 GiB of volume always, 16 GiB of root disk and the address while it runs
    beside = 50 * 0.08 + ran / 8 * (16 * 0.08 + 730 * 0.005)
    assert outcome.month(50, 16) == pytest.approx(paid / 8 * 730 + beside)


def test_a_bid_that_never_ran_paid_nothing() -> None:
    (outcome,) = backtest.replay(SERIES, 0, END, [0.05])
    assert outcome.mean is None
    assert outcome.month(50, 0) == pytest.approx(4.0)


def test_window_cuts_what_is_seen() -> None:
    # From the middle of the second hour to the middle of the fourth: away, and back
    (outcome,) = backtest.replay(SERIES, HOUR * 3 // 2, HOUR * 7 // 2, [0.2])
    assert (outcome.reaps, outcome.away, outcome.longest_away) == (0, 1.5 * HOUR, 1.5 * HOUR)


def test_reaps_are_marked_where_the_price_passes_the_bid() -> None:
    assert backtest.reap_times(SERIES, 0, END, 0.2) == [HOUR, 6 * HOUR]
    assert backtest.reap_times(SERIES, 0, END, 0.3) == [2 * HOUR, 6 * HOUR]
    assert backtest.reap_times(SERIES, 0, END, 0.5) == []


def test_candidates_are_the_prices_of_the_window_and_the_bids_given() -> None:
    assert backtest.candidates(SERIES, 0, END, [0.25, 0.2]) == [0.1, 0.2, 0.25, 0.3, 0.4, 0.5]
    assert backtest.candidates(SERIES, 4 * HOUR, 5 * HOUR, []) == [0.2]


@pytest.mark.parametrize(
    ("availability", "bid"), [(0, 0.1), (25, 0.1), (26, 0.2), (62.5, 0.3), (75, 0.4), (100, 0.5)]
)
def test_cheapest_bid_for_an_availability(availability: float, bid: float) -> None:
    outcomes = backtest.replay(SERIES, 0, END, backtest.candidates(SERIES, 0, END, []))
    assert backtest.cheapest(outcomes, availability).bid == bid


@settings(deadline=None, database=None, max_examples=200)
@given(SERIES_OF, st.integers(-5, 40), st.integers(1, 90))
def test_sweep_is_the_slow_replay(series: Prices, start: int, length: int) -> None:
    outcomes = backtest.replay(series, start, start + length, EVERY_BID)
    for one, bid in zip(outcomes, EVERY_BID, strict=True):
        assert alike(one, slow(series, start, start + length, bid)), one


@settings(deadline=None, database=None, max_examples=200)
@given(SERIES_OF, st.integers(-5, 40), st.integers(1, 90))
def test_a_higher_bid_is_never_away_longer_nor_cheaper(
    series: Prices, start: int, length: int
) -> None:
    for low, high in pairwise(backtest.replay(series, start, start + length, EVERY_BID)):
        assert high.away <= low.away <= low.window
        assert high.longest_away <= low.longest_away <= low.away
        assert high.machine_month >= low.machine_month - 1e-9
        assert (high.mean or 0) >= (low.mean or 0) - 1e-9
        assert (high.mean or 0) <= high.bid + 1e-9


@settings(deadline=None, database=None, max_examples=100)
@given(SERIES_OF, st.integers(1, 90), PRICES)
def test_marked_reaps_are_the_counted_ones(series: Prices, length: int, bid: float) -> None:
    (outcome,) = backtest.replay(series, 0, length, [bid])
    assert len(backtest.reap_times(series, 0, length, bid)) == outcome.reaps


@pytest.mark.parametrize("zone", ["us-east-1a", "us-east-1b", "us-east-1e"])
def test_real_prices_of_2015_against_a_walk_through_the_file(zone: str) -> None:
    series = history.read(REAL)["c3.xlarge", zone]
    start, end = series.times[0], series.times[-1]
    wanted = backtest.candidates(series, start, end, [0.03, 0.20])
    outcomes = backtest.replay(series, start, end, wanted)
    for outcome in [*outcomes[:: len(outcomes) // 20], outcomes[-1]]:
        ran = paid = away = longest = gap = 0.0
        reaps, before = 0, False
        for time, until, price in zip(series.times, series.times[1:], series.dollars, strict=False):
            if until == time:
                continue
            if price <= outcome.bid:
                ran, paid, gap, before = ran + until - time, paid + (until - time) * price, 0, True
            else:
                reaps += before
                away, gap, before = away + until - time, gap + until - time, False
            longest = max(longest, gap)
        mean = paid / ran if ran else None
        assert alike(outcome, Outcome(outcome.bid, end - start, reaps, longest, away, mean))
    assert outcomes[-1].reaps == 0 and outcomes[-1].availability == 100


def test_a_bid_of_2015_was_reaped_about_once_a_day() -> None:
    """39 days of us-east-1a at $0.05. A file that mixed two markets gave hundreds of reaps."""
    series = history.read(REAL.with_name("c3.xlarge-1a-2015-06-07.csv.gz"))[
        "c3.xlarge", "us-east-1a"
    ]
    start = datetime(2015, 6, 3, tzinfo=UTC).timestamp()
    (outcome,) = backtest.replay(series, start, start + 39 * 24 * HOUR, [0.05])
    assert 30 <= outcome.reaps <= 40


def test_mean_paid_is_what_the_bill_says() -> None:
    series = history.read(REAL)["c3.xlarge", "us-east-1a"]
    start, end, bid = series.times[0], series.times[-1], 0.1
    (outcome,) = backtest.replay(series, start, end, [bid])
    spans = [
        (begin, until)
        for begin, until, price in history.stretches(series, start, end)
        if price <= bid
    ]
    billed = history.cost(series, start, end, spans)
    assert outcome.machine_month * (end - start) / HOUR / 730 == pytest.approx(billed)
