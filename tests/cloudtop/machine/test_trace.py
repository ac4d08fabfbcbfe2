"""A day of the market: its accounts are right, and it is played on a cloud without machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudtop.errors import CloudtopError
from cloudtop.machine import trace
from cloudtop.machine.drill_report import Check, Report
from cloudtop.machine.trace import DayReport, Loss, Stretch, Trace
from spotprices.availability import COLUMNS, DAY
from tests.cloud import fake_cloud, own
from tests.cloudtop.machine.test_drill import Box, drill_of

PLACE = {"type": "m5d.4xlarge", "zone": "us-east-1a"}


def whole(number: int = 1, good: bool = True) -> Report:
    return Report(number, "i-1", "i-2", checks=[Check("all", good, "yes")])


def file(tmp_path: Path, *rows: str, zone: str = "us-east-1b") -> Path:
    path = tmp_path / "trace.csv"
    lines = [f"t,34,2023-04-19T{row[:8]}Z,{zone},r5.16xlarge,{row[9:]}" for row in rows]
    path.write_text("\n".join([",".join(COLUMNS), *lines, ""]))
    return path


def test_the_day_that_comes_with_it_has_its_losses() -> None:
    day = trace.load(DAY, "", "us-east-1c")
    assert (day.instance_type, day.zone) == ("r5.16xlarge", "us-east-1c")
    assert day.stretches[0].room
    assert all(
        one.end == other.begin and one.room != other.room
        for one, other in zip(day.stretches, day.stretches[1:], strict=False)
    )
    assert 3 <= sum(not one.room for one in day.stretches) <= 20
    # The zone with the most room
    assert trace.load(DAY, "", "eu-west-1a").zone == "us-east-1d"


def test_a_day_begins_with_its_first_room(tmp_path: Path) -> None:
    path = file(
        tmp_path, "00:00:00 0", "00:01:00 1", "00:02:00 1", "00:11:00 0", "00:13:00 1",
        "00:21:00 end",
    )  # fmt: skip
    day = trace.load(path, "", "us-east-1b")
    assert [(one.seconds, one.room) for one in day.stretches] == [
        (600, True), (120, False), (480, True),
    ]  # fmt: skip
    assert (day.seconds, day.room_seconds) == (1200, 1080)


def test_a_day_without_a_loss_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "00:00:00 1", "00:21:00 end")
    with pytest.raises(CloudtopError, match="no machine is lost"):
        trace.load(path, "", "us-east-1b")
    with pytest.raises(CloudtopError, match="has no trace 'other'") as refused:
        trace.load(path, "other", "us-east-1b")
    assert "--trace-name NAME" in refused.value.hint


STRETCHES = (
    Stretch(0, 600, True),
    Stretch(600, 700, False),
    Stretch(700, 720, True),
    Stretch(720, 800, False),
    Stretch(800, 1000, True),
)


def report(*boots: float, good: bool = True) -> DayReport:
    losses = [
        Loss(gone.begin, gone.end, boot, False, whole(good=good))
        for gone, boot in zip(STRETCHES[1::2], boots, strict=False)
    ]
    return DayReport(Trace("r5.16xlarge", "us-east-1b", STRETCHES), 60.0, losses)


def test_a_boot_counts_once_in_its_own_seconds() -> None:
    assert report(0, 0).room_share == pytest.approx(0.82)
    assert report(10, 30).usable_share == pytest.approx(0.82 - 0.04)


def test_room_that_is_shorter_than_the_boot_is_no_use() -> None:
    assert report(50, 0).usable_share == pytest.approx(0.82 - 0.02)


def test_a_day_is_good_if_every_loss_was_survived() -> None:
    assert report(1, 1).good
    assert not report(1).good
    assert not report(1, 1, good=False).good


def test_the_report_says_what_was_scaled() -> None:
    text = trace.render(report(10, 30), "m5d.4xlarge in us-east-1a")
    assert "00:10:00 lost; room again at 00:11:40, usable at 00:11:50: 10 s of boot" in text
    assert "EC2 had room for 82.00% of this time" in text
    assert "the cloudtop was usable for 78.00%" in text
    assert "Only the market's time was scaled (60 times as fast)" in text
    assert "30 s at most" in text
    shown = json.loads(json.dumps(report(10, 30).as_json()))
    assert (shown["ec2_share"], shown["usable_share"], shown["good"]) == (0.82, 0.78, True)
    assert shown["losses"][0]["usable_again"] == "1970-01-01T00:11:50Z"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        stage = Box(endpoint, tmp_path)
        yield stage
        for server in stage.servers.values():
            server.shutdown()
            server.server_close()


def day_of(box: Box, stretches: tuple[Stretch, ...], speed: float) -> trace.Day:
    own(box.endpoint, "price", {"notice": 0.3})

    def play(points: trace.Points) -> None:
        times, available = zip(*points, strict=True)
        series = {**PLACE, "times": times, "available": available}
        own(box.endpoint, "replay/availability", {"series": [series], "speed": speed})

    lines: list[str] = []
    drill = drill_of(box, deadline=20.0)
    return trace.Day(
        Trace("r5.16xlarge", "us-east-1b", stretches), drill, play, speed, lines.append
    )


def test_a_day_is_played_and_every_loss_survived(box: Box) -> None:
    day = day_of(box, STRETCHES, 600.0)
    played = day.run()
    assert played.good, [check for loss in played.losses for check in loss.report.checks]
    assert [loss.lost for loss in played.losses] == [600, 720]
    machines = [loss.report.instance for loss in played.losses]
    assert len({*machines, played.losses[-1].report.next_instance}) == 3
    reaps: list[dict[str, Any]] = own(box.endpoint, "reaps")
    assert [one["cause"] for one in reaps] == ["no-capacity"] * 2
    assert 0 < played.usable_share <= played.room_share


def test_a_machine_that_is_not_taken_is_told(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MARGIN", 0.5)
    day = day_of(box, STRETCHES, 6000.0)
    day.play = lambda _points: None
    with pytest.raises(CloudtopError, match=r"no room any more; i-.* still runs"):
        day.run()


def test_a_day_that_ends_without_room_ends_with_the_loss(box: Box) -> None:
    played = day_of(box, STRETCHES[:2], 600.0).run()
    (loss,) = played.losses
    assert loss.over
    assert loss.report.good
    assert played.usable_share == played.room_share == pytest.approx(6 / 7)
