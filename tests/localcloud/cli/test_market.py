"""price, prices, capacity and replay on the command line, against a cloud without machines."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.config import Config
from localcloud.daemon import process
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from spotprices.availability import DAY
from tests.localcloud.cli.test_reap import output
from tests.localcloud.clock import Clock, standing
from tests.localcloud.lab import TYPE, ZONE, until

TRACE = str(DAY)
FILE = str(Path(__file__).parents[1] / "prices/c3.xlarge-2015-06.csv.gz")


@pytest.fixture
def clock(config: Config) -> Iterator[Clock]:
    """A cloud whose time stands still."""
    with Server(config, FakeHost()) as server, standing(server) as clock:
        yield clock


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(output(capsys, "prices", *argv, "--json"))["prices"]
    return rows


def test_price_is_set_shown_and_given_back(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Every price is the default one" in output(capsys, "prices")
    text = output(capsys, "price", TYPE, ZONE, "0.35")
    assert text == f"{TYPE}  {ZONE}  $0.3500/h  set by hand\n"
    assert output(capsys, "prices") == text
    rows = shown(capsys, TYPE)
    assert [row["price"] for row in rows if row["zone"] != ZONE] == [
        row["default"] for row in rows if row["zone"] != ZONE
    ]
    assert (len(rows), [row["price"] for row in rows if row["zone"] == ZONE]) == (5, [0.35])
    assert "default" in output(capsys, "price", TYPE, ZONE, "--default")
    assert shown(capsys) == []


def test_notice_alone_and_with_a_price(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert "gives 5 seconds of notice" in output(capsys, "price", "--notice", "5")
    assert "gives 6 seconds of notice" in output(capsys, "price", TYPE, ZONE, "1", "--notice", "6")
    assert json.loads(output(capsys, "prices", "--json"))["notice_seconds"] == 6


def test_capacity(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert "default; no capacity" in output(capsys, "capacity", TYPE, ZONE, "none", "--reap")
    assert [row["capacity"] for row in shown(capsys)] == ["none"]
    assert "no capacity" not in output(capsys, "capacity", TYPE, ZONE, "some")
    assert shown(capsys) == []


def test_replay_of_a_whole_file(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "replay", FILE, "--speed", "60", "--from", "2015-06-03")
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["c3.xlarge", f"us-east-1{letter}"] for letter in "abe"
    ]
    assert "replay at 2015-06-03 00:00:00, 60 times as fast, until" in text
    clock.skip(hours=1)
    assert "at 2015-06-05 12:00:00" in output(capsys, "prices")
    assert "set by hand" in output(capsys, "replay", "--stop", "--zone", "us-east-1e")
    assert len(output(capsys, "replay", "--stop").splitlines()) == 2
    assert "No replay runs." in output(capsys, "replay", "--stop")


def test_replay_of_availability(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ("--type", f"r5.16xlarge={TYPE}", "--zone", f"us-east-1b={ZONE}", "--speed", "60")
    text = output(capsys, "replay", "--availability", TRACE, *chosen)
    assert "no capacity; availability replay at 2023-04-19 00:00, 60 times as fast" in text
    clock.skip(seconds=5)
    assert "no capacity" not in output(capsys, "prices")
    assert "default" in output(capsys, "replay", "--stop")
    refused = output(capsys, "replay", FILE, "--availability", TRACE, code=1)
    assert "Prices and availability are two replays." in refused
    assert "has no trace" in output(
        capsys, "replay", "--availability", TRACE, "--trace", "x", code=1
    )


def test_replay_for_another_type_and_zone(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ("--type", f"c3.xlarge={TYPE}", "--zone", f"us-east-1a={ZONE}")
    output(capsys, "replay", FILE, *chosen)
    (row,) = shown(capsys)
    assert (row["type"], row["zone"], row["price"]) == (TYPE, ZONE, 1.0)
    assert row["replay"]["speed"] == 1


def test_series_that_the_cloud_does_not_have_are_left_out_unless_named(
    clock: Clock, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    row = "2015-06-01T00:00:00Z,us-east-1a,{},0.05\n"
    head = "timestamp,availability_zone,instance_type,spot_price\n"
    path.write_text(head + row.format("hi1.4xlarge") + row.format("c3.xlarge"))
    text = output(capsys, "replay", str(path))
    assert "Left out, because this cloud does not have them: hi1.4xlarge us-east-1a." in text
    assert [one["type"] for one in shown(capsys)] == ["c3.xlarge"]
    refused = output(capsys, "replay", str(path), "--type", "hi1.4xlarge", code=1)
    assert "'hi1.4xlarge'" in refused


REFUSED: list[tuple[str, str]] = [
    (f"price {TYPE} {ZONE} 0", "The price is 0; it has to be dollars an hour above 0"),
    (f"price {TYPE} {ZONE} cheap", "The price is 'cheap'; it has to be a number of dollars."),
    (f"price {TYPE} {ZONE} inf", "The price is 'inf'"),
    (f"price {TYPE} {ZONE}", "A type needs a zone, and then either dollars an hour or --default"),
    (f"price {TYPE} {ZONE} 1 --default", "either dollars"),
    (f"price {TYPE}", "A type needs a zone"),
    ("price", "There is nothing to set"),
    (f"price hi1.4xlarge {ZONE} 1", "Invalid value 'hi1.4xlarge' for InstanceType."),
    (f"price {TYPE} us-east-1z 1", "There is no zone 'us-east-1z'"),
    (f"price {TYPE} {ZONE} 1 --notice soon", "notice is 'soon'; it has to be a number of seconds"),
    ("prices hi1.4xlarge", "Invalid value 'hi1.4xlarge'"),
    (f"capacity {TYPE} {ZONE} few", "capacity is 'few'; valid: none, some."),
    (f"capacity {TYPE} {ZONE} some --reap", "reap goes with none"),
    ("replay", "There is no file of prices to replay."),
    ("replay nowhere.csv", "nowhere.csv cannot be read: No such file or directory."),
    (f"replay {__file__}", "has no column timestamp"),
    (f"replay {FILE} --stop", "A file and --stop do not go together."),
    (f"replay {FILE} --speed 0", "speed is 0; it has to be from 0.01 to 100000."),
    (f"replay {FILE} --speed fast", "speed is 'fast'"),
    (f"replay {FILE} --from soon", "from is 'soon'; it has to be like 2015-06-01 or"),
    (f"replay {FILE} --from 2014-01-01", "from is 2014-01-01T00:00:00.000Z; the series are from"),
    (f"replay {FILE} --type {TYPE}", f"no prices of the type {TYPE}; it has: c3.xlarge."),
    (f"replay {FILE} --zone us-east-1c", "it has: us-east-1a, us-east-1b, us-east-1e."),
    (f"replay {FILE} --type c3.xlarge=hi1.4xlarge", "Invalid value 'hi1.4xlarge'"),
    (f"replay {FILE} --zone =us-east-1a", "several series for c3.xlarge in us-east-1a."),
]


@pytest.mark.parametrize(("command", "sentence"), REFUSED)
def test_refuses_in_a_sentence_and_changes_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str], command: str, sentence: str
) -> None:
    output(capsys, "price", "r3.large", ZONE, "0.5")
    before = output(capsys, "prices", "--json")
    text = output(capsys, *command.split(), code=1)
    assert sentence in text
    assert len(text.splitlines()) == 2, text
    assert output(capsys, "prices", "--json") == before


def test_market_survives_kill_9(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    output(capsys, "start")
    output(capsys, "price", TYPE, ZONE, "0.35", "--notice", "4")
    output(capsys, "capacity", TYPE, "us-east-1c", "none")
    output(
        capsys, "replay", FILE, "--type", "c3.xlarge", "--zone", "us-east-1a", "--speed", "100000"
    )
    before = json.loads(output(capsys, "prices", "--json"))
    os.kill(process.holder(config) or 0, signal.SIGKILL)
    until("the end of the process", lambda: process.holder(config) is None)
    output(capsys, "start")
    after = json.loads(output(capsys, "prices", "--json"))
    for row in (*before["prices"], *after["prices"]):
        if row["replay"]:
            # These go on
            row["price"] = row["replay"]["time"] = row["replay"]["over"] = None
    assert after == before
    assert [row["source"] for row in after["prices"]] == ["replay", "hand", "default"]
