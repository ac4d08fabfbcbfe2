"""The history of spot prices: how it is asked for, and sums over it against sums by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtop.errors import CloudtopError
from cloudtop.prices import history
from spotprices.files import Prices
from tests.cloud import client, fake_cloud, own

KIND = "c3.xlarge"
REAL = Path(__file__).parents[2] / "localcloud/prices/c3.xlarge-1a-2015-06-07.csv.gz"
DAY = 86400
# $0.10 for one hour, $0.40 for half an hour, then $0.20
SERIES = Prices([0, 3600, 5400], [0.10, 0.40, 0.20])


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cloud whose past is the forty days of the file."""
    table = history.read(REAL)
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as (address, _, _):
        given = {
            "series": [
                {"type": kind, "zone": zone, "times": one.times, "prices": one.dollars}
                for (kind, zone), one in table.items()
            ],
            "from": max(one.times[-1] for one in table.values()),
        }
        own(address, "replay", given)
        yield address


def test_all_pages_of_a_history_in_ascending_order(endpoint: str) -> None:
    now = time.time()
    table = history.fetch(lambda: client(endpoint), [KIND], None, now - 30 * DAY, now)
    for place, whole in history.read(REAL).items():
        series = table[place]
        assert series.times == sorted(set(series.times))
        # As a file has it, but for prices of one second, of which EC2 gives one
        kept = dict(zip(whole.times, whole.dollars, strict=True))
        assert series.dollars == list(kept.values())[-len(series.dollars) :]
    assert max(len(one.times) for one in table.values()) > 1000


def test_the_price_that_held_at_the_start_comes_with_its_own_time(endpoint: str) -> None:
    now = time.time()
    start = now - DAY / 2
    table = history.fetch(lambda: client(endpoint), [KIND], None, start, now)
    moving = history.read(REAL).keys()
    assert moving < table.keys()
    for place, series in table.items():
        assert series.times[0] <= start
        assert all(later > start for later in series.times[1:])
        # A zone that is not in the file has one price, stated at midnight only
        assert len(series.times) > 1 or place not in moving


def test_many_types_are_asked_for_in_the_zones_that_are_named(endpoint: str) -> None:
    now = time.time()
    types = [f"i3.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")]
    types += [f"m5.{size}" for size in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")]
    zones = ["us-east-1a", "us-east-1b"]
    every = {(kind, zone) for kind in [*types, KIND] for zone in zones}
    table = history.fetch(lambda: client(endpoint), [*types, KIND], zones, now - DAY, now)
    assert table.keys() == every
    few = history.fetch(lambda: client(endpoint), types[:1], zones[:1], now - DAY, now)
    assert few.keys() == {("i3.large", "us-east-1a")}


def test_type_that_nobody_sells_has_no_series(endpoint: str) -> None:
    now = time.time()
    assert history.fetch(lambda: client(endpoint), ["zz9.large"], None, now - DAY, now) == {}


def test_refusal_is_a_sentence(endpoint: str) -> None:
    with pytest.raises(CloudtopError, match="EC2 answered InvalidParameterValue"):
        history.fetch(lambda: client(endpoint), [KIND], None, 0, time.time(), product="CP/M")


def test_broken_file_is_told_in_cloudtops_own_error(tmp_path: Path) -> None:
    (tmp_path / "prices").write_text("hello\n")
    with pytest.raises(CloudtopError, match="has no column timestamp") as caught:
        history.read(tmp_path / "prices")
    assert "describe-spot-price-history" in caught.value.hint


@pytest.mark.parametrize(
    ("when", "dollars"),
    [(-1, 0.10), (0, 0.10), (3599.9, 0.10), (3600, 0.40), (5399, 0.40), (5400, 0.20), (9e9, 0.20)],
)
def test_price_holds_until_the_next_one(when: float, dollars: float) -> None:
    assert history.price_at(SERIES, when) == dollars


def test_mean_is_weighted_by_time() -> None:
    # One hour at 0.10, half an hour at 0.40, half an hour at 0.20: 0.10 + 0.20 + 0.10 in 2 h
    assert history.time_weighted_mean(SERIES, 0, 7200) == pytest.approx(0.20)
    # Half an hour of 0.10 and half an hour of 0.40
    assert history.time_weighted_mean(SERIES, 1800, 5400) == pytest.approx(0.25)
    # An hour before there was a price, and the first hour
    assert history.time_weighted_mean(SERIES, -3600, 3600) == pytest.approx(0.10)
    assert history.time_weighted_mean(SERIES, 4000, 4000) == 0.40


def test_cost_is_by_the_second_of_what_ran() -> None:
    # 0.10 * 1800/3600 + 0.40 * 900/3600 = 0.05 + 0.10, then 0.20 * 3600/3600
    spans = [(1800.0, 4500.0), (6000.0, 9600.0)]
    assert history.cost(SERIES, 0, 20_000, spans) == pytest.approx(0.35)
    # The same in a window that ends after the first 0.05 and 360 s at 0.20
    assert history.cost(SERIES, 0, 3600, spans) == pytest.approx(0.05)
    assert history.cost(SERIES, 5400, 6360, spans) == pytest.approx(0.02)
    assert history.cost(SERIES, 0, 20_000, []) == 0


def test_two_machines_at_one_time_are_paid_twice() -> None:
    assert history.cost(SERIES, 0, 3600, [(0, 3600), (1800, 3600)]) == pytest.approx(0.15)


@pytest.mark.parametrize(
    # The shares of two hours: 50 % at 0.10, 25 % at 0.20, 25 % at 0.40
    ("share", "dollars"), [(1, 0.10), (50, 0.10), (51, 0.20), (75, 0.20), (76, 0.40), (100, 0.40)]
)  # fmt: skip
def test_percentile_is_weighted_by_time(share: float, dollars: float) -> None:
    assert history.percentile(SERIES, 0, 7200, share) == dollars


def test_percentile_of_a_moment_is_its_price() -> None:
    assert history.percentile(SERIES, 4000, 4000, 95) == 0.40
