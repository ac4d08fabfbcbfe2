"""cloudtop-spot-guard: whatever the metadata service says, it goes on and gives no false alarm."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudtop_machine.reap import watch_notice
from cloudtop_machine.times import seconds_of, seconds_of_date

from tests.machine_programs.support.guard import Guard
from tests.machine_programs.support.imds import NOTICE, REBALANCE, Answer, Imds, ec2_time


@pytest.fixture
def imds() -> Iterator[Imds]:
    imds = Imds()
    yield imds
    imds.close()


@pytest.fixture
def guard(tmp_path: Path, imds: Imds) -> Guard:
    return Guard(tmp_path, imds)


def hang_up(handler: Any) -> None:
    """The connection ends without an answer."""
    handler.close_connection = True


def hang_up_in_the_middle(handler: Any) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"action": "terminate"')
    handler.close_connection = True


def gibberish(handler: Any) -> None:
    handler.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")
    handler.close_connection = True


def endless(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000)
    handler.close_connection = True


BAD: dict[str, Answer] = {
    "not found": (404, "<html>404 - Not Found</html>"),
    "server error": (500, "Internal Server Error"),
    "busy": (503, ""),
    "redirect": (302, ""),
    "empty": (200, ""),
    "no JSON": (200, "terminate at noon"),
    "half a JSON": (200, '{"action": "terminate", "time": "2099'),
    "deep JSON": (200, "[" * 50000),
    "no object": (200, '["terminate"]'),
    "no time": (200, '{"action": "terminate"}'),
    "no action": (200, json.dumps({"time": ec2_time(100)})),
    "unknown action": (200, json.dumps({"action": "polish", "time": ec2_time(100)})),
    "an action of no text": (200, json.dumps({"action": ["stop"], "time": ec2_time(100)})),
    "a time that is none": (200, '{"action": "terminate", "time": "soon; reboot        "}'),
    "a day that is none": (200, '{"action": "terminate", "time": "2099-02-31T00:00:00Z"}'),
    "a number for a time": (200, '{"action": "terminate", "time": 4102444800}'),
    "a time of two lines": (
        200,
        json.dumps({"action": "stop", "time": ec2_time(100).replace("T", "\n")}),
    ),
    "a time long past": (200, json.dumps({"action": "terminate", "time": ec2_time(-660)})),
    "bytes that are no text": (200, "\udcff\udcfe"),
    "hanging up": hang_up,
    "hanging up in the middle": hang_up_in_the_middle,
    "no HTTP": gibberish,
    "endless": endless,
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
def test_no_false_alarm_and_the_real_one_is_seen_after_it(
    guard: Guard, imds: Imds, answer: Answer
) -> None:
    imds.answers[NOTICE] = answer
    with guard:
        guard.looks()
        assert guard.started == []
        guard.notice()
        guard.looks()
        assert guard.started == ["end"]


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate"])
@pytest.mark.parametrize("seconds", [120, 0, -5])
def test_a_notice_starts_the_end_once(guard: Guard, action: str, seconds: float) -> None:
    when = guard.notice(action, seconds)
    with guard:
        guard.looks(5)
    assert guard.started == ["end"]
    left = (guard.tree / "run/spot-guard.notice").read_text()
    assert left == f"action={action}\ndue={when}\ninstance=i-0abc\n"


def test_an_instance_id_of_two_lines_is_none(guard: Guard, imds: Imds) -> None:
    imds.answers["/latest/meta-data/instance-id"] = (200, "i-0abc\nwhy=idle")
    guard.notice()
    with guard:
        guard.looks()
    assert "why" not in (guard.tree / "run/spot-guard.notice").read_text()


def test_its_restart_starts_nothing_again(guard: Guard) -> None:
    guard.notice()
    for _ in range(2):
        with guard:
            guard.looks()
    assert guard.started == ["end"]


def test_a_start_that_fails_is_tried_again(guard: Guard) -> None:
    guard.systemctl("exit 1")
    guard.notice()
    with guard:
        guard.looks()
        guard.systemctl('echo "$*" >>"$TREE/started"')
        guard.looks()
    assert guard.started == ["end"]
    assert guard.text.count("cloudtop-reap@end.service could not be started") == 1


def test_a_notice_that_moves_is_one_end(guard: Guard) -> None:
    guard.notice(seconds=100)
    with guard:
        guard.looks()
        moved = guard.notice(seconds=130)
        guard.looks()
    assert guard.started == ["end"]
    assert (guard.tree / "run/spot-guard.begun").read_text() == f"terminate {moved}\n"
    left = (guard.tree / "run/spot-guard.notice").read_text()
    assert left == f"action=terminate\ndue={moved}\ninstance=i-0abc\n"


def test_a_moved_notice_that_cannot_be_written_is_tried_again(guard: Guard) -> None:
    guard.notice(seconds=100)
    blocked = guard.tree / "run/spot-guard.notice.new"
    with guard:
        guard.looks()
        blocked.mkdir()
        moved = guard.notice(seconds=130)
        guard.looks()
        blocked.rmdir()
        notice = guard.tree / "run/spot-guard.notice"
        guard.until(lambda: f"due={moved}" in notice.read_text())
    assert guard.started == ["end"]


def test_a_notice_that_moved_and_was_not_acted_upon_is_one_end(guard: Guard) -> None:
    guard.settings["grace"] = 0
    blocked = "cloudtop-reap@whole.service"
    guard.systemctl(f'[ "$3" = {blocked} ] && exit 1; echo "$*" >>"$TREE/started"')
    guard.notice(seconds=-8)
    with guard:
        guard.until(lambda: blocked in guard.text)
        guard.notice(seconds=-4)
        guard.looks()
        guard.systemctl('echo "$*" >>"$TREE/started"')
        guard.looks()
    assert guard.started == ["end", "whole"]


def test_a_notice_from_before_the_boot_is_an_old_one(guard: Guard) -> None:
    (guard.tree / "proc/uptime").write_text("20.00 30.00\n")
    guard.notice("stop", -60)
    with guard:
        guard.looks()
    assert guard.started == []
    assert "it is an old one" in guard.text


@pytest.mark.parametrize("ahead", [-86400, -1800, -300, 300, 1800])
def test_a_clock_that_is_wrong_costs_no_notice_and_no_time(
    guard: Guard, imds: Imds, ahead: int
) -> None:
    """The notice's time is by EC2's clock, and so is the Date of each answer."""
    guard.settings["grace"] = 60
    imds.ahead = ahead
    guard.notice(seconds=ahead + 120)
    with guard:
        guard.looks()
    assert guard.started == ["end"]
    left = dict(line.split("=") for line in (guard.tree / "run/spot-guard.notice").open())
    due = seconds_of(left["due"].strip())
    assert due and abs(due - time.time() - 120) < 10


@pytest.mark.parametrize("ahead", [-1800, 1800])
def test_the_time_of_a_notice_is_over_by_ec2s_clock(guard: Guard, imds: Imds, ahead: int) -> None:
    guard.settings["grace"] = 0
    imds.ahead = ahead
    guard.notice(seconds=ahead - 5)
    for _ in range(2):
        with guard:
            guard.looks()
    assert guard.started == ["end", "whole"]


@pytest.mark.parametrize("ahead", [-1800, 1800])
def test_a_notice_is_an_old_one_by_ec2s_clock(guard: Guard, imds: Imds, ahead: int) -> None:
    imds.ahead = ahead
    guard.notice(seconds=ahead - 660)
    with guard:
        guard.looks()
    assert guard.started == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        (" sun, 06 nov 1994 08:49:37 gmt", 784111777),
        ("", None),
        ("Sun, 06 Nov 1994 08:49:37 EST", None),
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Sunday, 06-Nov-94 08:49:37 GMT", None),
        ("a b c d e gmt", None),
    ],
)
def test_a_date_of_http_is_read_or_is_none(text: str, seconds: int | None) -> None:
    assert seconds_of_date(text) == seconds


@pytest.mark.parametrize(
    "text", ["imds='http://127.0.0.1:1/latest'\ninterval='", "interval=''\n", "grace=a\n", None]
)
def test_a_torn_configuration_ends_no_guard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    place = tmp_path / "guard.conf"
    if text is not None:
        place.write_text(text)
    assert watch_notice.settings_of(str(place)) == watch_notice.SETTINGS
    assert f"{place} cannot be read" in capsys.readouterr().out


def test_what_is_wrong_is_said_once(guard: Guard, imds: Imds) -> None:
    imds.answers[NOTICE] = (200, "soon")
    with guard:
        guard.looks(6)
    assert guard.text.count("that cannot be read") == 1


@pytest.mark.parametrize("restart", [False, True], ids=["", "its restart between"])
def test_makes_whole_again_once_where_ec2_did_not_take_it(
    guard: Guard, imds: Imds, restart: bool
) -> None:
    guard.settings["grace"] = 3600 if restart else 0
    guard.notice(seconds=-5)
    with guard:
        guard.looks()
    guard.settings["grace"] = 0
    for _ in range(2):
        with guard:
            guard.looks()
    assert guard.started == ["end", "whole"]


def test_the_next_notice_after_that_is_a_new_one(guard: Guard) -> None:
    guard.settings["grace"] = 0
    guard.notice(seconds=-5)
    with guard:
        guard.looks()
        guard.notice(seconds=100)
        guard.looks()
    assert guard.started == ["end", "whole", "end"]


def test_a_recommendation_warns_once(guard: Guard, imds: Imds) -> None:
    when = ec2_time(-3)
    imds.answers[REBALANCE] = (200, json.dumps({"noticeTime": when}))
    for _ in range(2):
        with guard:
            imds.await_gets(REBALANCE, 3)
    assert guard.started == ["rebalance"]
    left = (guard.tree / "run/spot-guard.rebalance").read_text()
    assert left == f"since={when}\ninstance=i-0abc\n"


@pytest.mark.parametrize("text", ["", "soon", "{}", '{"noticeTime": "now"}'])
def test_no_false_recommendation(guard: Guard, imds: Imds, text: str) -> None:
    imds.answers[REBALANCE] = (200, text)
    with guard:
        imds.await_gets(REBALANCE, 3)
    assert guard.started == []


def test_a_notice_that_cannot_be_written_is_tried_again(guard: Guard) -> None:
    """As on a full /run. The end reads it, so that none is started without it."""
    blocked = guard.tree / "run/spot-guard.notice.new"
    blocked.mkdir(parents=True)
    guard.notice()
    with guard:
        guard.looks()
        assert guard.started == []
        assert guard.text.count("spot-guard.notice could not be written") == 1
        blocked.rmdir()
        guard.until(lambda: guard.started == ["end"])
        guard.looks()
    assert guard.started == ["end"]


def test_an_end_whose_begin_cannot_be_written_is_started_once(guard: Guard) -> None:
    blocked = guard.tree / "run/spot-guard.begun.new"
    blocked.mkdir(parents=True)
    when = guard.notice()
    with guard:
        guard.looks(5)
        assert guard.started == ["end"]
        blocked.rmdir()
        begun = guard.tree / "run/spot-guard.begun"
        guard.until(begun.exists)
        assert begun.read_text() == f"terminate {when}\n"
    # Its restart knows it, too
    with guard:
        guard.looks()
    assert guard.started == ["end"]
