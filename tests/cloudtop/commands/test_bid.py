"""``runner.py bid``: its figures against sums by hand, and what it recommends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cloudtop.prices.price_lab import REAL, SMALL, refused, run


@pytest.fixture
def small(tmp_path: Path) -> str:
    (tmp_path / "small.csv").write_text(SMALL)
    return str(tmp_path / "small.csv")


def answer(tmp_path: Path, *words: str) -> dict[str, Any]:
    done = run(tmp_path, "bid", "--json", *words)
    assert done.stderr == ""
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def test_every_figure_of_a_bid_against_sums_by_hand(tmp_path: Path, small: str) -> None:
    (zone,) = answer(tmp_path, "--zone", "us-east-1a", "--history", small)["zones"]
    by_bid = {row["bid"]: row for row in zone["bids"]}
    # Every price, the bid of the settings (0.65) and on-demand
    assert list(by_bid) == [0.1, 0.2, 0.4, 0.65, 1.248]
    assert by_bid[0.2] == {
        "bid": 0.2,
        "reaps": 1,
        "longest_away_seconds": 1800,
        "away_seconds": 1800,
        "availability": 75.0,
        # An hour at 0.10 and half an hour at 0.20: 0.20 in 1.5 h
        "mean_paid": 0.133333,
        # 0.20 in two hours is 0.10 * 730 = 73; 4 of volume, 3/4 of 1.28 + 3.65
        "month": 80.7,
    }
    assert (by_bid[0.1]["reaps"], by_bid[0.1]["away_seconds"]) == (1, 3600)
    assert (by_bid[0.4]["reaps"], by_bid[0.4]["mean_paid"]) == (0, 0.2)


@pytest.mark.parametrize(("wanted", "bid"), [("50", 0.1), ("75", 0.2), ("75.1", 0.4), ("99", 0.4)])
def test_cheapest_bid_for_the_wanted_availability(
    tmp_path: Path, small: str, wanted: str, bid: float
) -> None:
    words = ("--zone", "us-east-1a", "--availability", wanted, "--history", small)
    (zone,) = answer(tmp_path, *words)["zones"]
    assert zone["recommended"] == bid


def test_cheapest_zone_comes_first_and_the_others_are_named(tmp_path: Path, small: str) -> None:
    done = run(tmp_path, "bid", "--history", small)
    assert "\ni3.4xlarge in us-east-1b, 0.1 days to 2015-06-01 02:00 UTC\n" in done.stdout
    assert "$0.03 an hour is the cheapest bid that ran 99 % of the time: $30.83 a month" in (
        done.stdout
    )
    assert "In us-east-1a: $0.4, 100 %, $154.93 a month." in done.stdout


def test_it_is_said_that_history_is_a_floor(tmp_path: Path, small: str) -> None:
    done = run(tmp_path, "bid", "--history", small)
    # The band comes first, and the history after it
    assert done.stdout.startswith("EC2 interrupts >20% of the i3.4xlarge machines a month.\n")
    words = " ".join(done.stdout.split())
    assert "Since the end of 2017 EC2 takes machines mostly for their capacity" in words
    assert "are a floor" in answer(tmp_path, "--history", small)["note"]


def test_table_of_real_prices_is_thinned_and_fits_80_columns(tmp_path: Path) -> None:
    words = ("--history", str(REAL), "-e", "cloudtop_bid=0.0417")
    lines = run(tmp_path, "bid", "--zone", "us-east-1e", *words).stdout.splitlines()
    lines = lines[lines.index("") + 1 :]
    rows = lines[2 : lines.index("")]
    assert 6 < len(rows) < 16
    assert max(len(line.rstrip()) for line in lines[1:]) <= 80
    ends = {line.rstrip().rpartition(" ")[2] for line in rows}
    assert {"recommended", "bid", "on-demand"} <= ends
    away = [float(line.split()[1]) for line in rows]
    assert away == sorted(away)
    (zone,) = answer(tmp_path, "--zone", "us-east-1e", *words)["zones"]
    # The sweep of all bids and the walk of test_bids.py have the same of this one
    (own,) = [row for row in zone["bids"] if row["bid"] == 0.0417]
    assert (own["reaps"], own["away_seconds"]) == (11, 21 * 3600 + 2 * 60 + 51)


def test_dearer_than_on_demand_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "bid", "--zone", "us-east-1a", "--history", str(REAL))
    assert "On demand the machine is $0.21 an hour, and nobody takes it away." in done.stdout


def test_file_of_several_types(tmp_path: Path) -> None:
    both = tmp_path / "both.csv"
    other = SMALL.replace("i3.4xlarge", "c5.large").partition("\n")[2]
    # The type of the settings, if it is one of them
    both.write_text(SMALL.replace("i3.4xlarge", "m5d.4xlarge") + other)
    (zone, _) = answer(tmp_path, "--history", str(both))["zones"]
    assert zone["type"] == "m5d.4xlarge"
    both.write_text(SMALL.replace("i3.4xlarge", "i3.large") + other)
    message = refused(tmp_path, "bid", "--history", str(both))
    assert "both.csv has prices of 2 types, and a bid is for one." in message
    (zone, _) = answer(tmp_path, "i3.large", "--history", str(both))["zones"]
    assert zone["type"] == "i3.large"


@pytest.mark.parametrize("wanted", ["101", "-1", "nan", "most"])
def test_availability_is_a_share(tmp_path: Path, small: str, wanted: str) -> None:
    message = refused(tmp_path, "bid", f"--availability={wanted}", "--history", small)
    assert (
        f"--availability is '{wanted}'; it has to be a number of per cent, from 0 to 100" in message
    )
