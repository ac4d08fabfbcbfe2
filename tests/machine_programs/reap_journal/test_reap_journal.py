"""The journal of reaps on the volume: who had it last, until when, and why that one went."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support.journal import LAUNCHED, OLD, PRICES, REQUEST, Journal


@pytest.fixture
def machine(tmp_path: Path) -> Journal:
    """A machine that has the volume mounted, which i-old had before it."""
    machine = Journal(tmp_path)
    machine.had("i-old", seconds_ago=300)
    return machine


def test_the_first_machine_only_says_who_it_is(tmp_path: Path) -> None:
    machine = Journal(tmp_path)
    assert machine.shown() == []
    assert machine.last["instance"] == "i-me"
    assert not machine.motd.exists()


def test_a_relaunch_says_who_had_the_volume_until_when_and_how_long_it_was_away(
    machine: Journal,
) -> None:
    (entry,) = machine.shown()
    assert (entry["event"], entry["instance"], entry["previous"]) == ("back", "i-me", "i-old")
    assert entry["last_seen"] == machine.utc(300)
    assert 300 <= entry["away_seconds"] < 400
    assert machine.entries == [entry]
    last = machine.last
    assert (last["instance"], last["type"], last["zone"]) == ("i-me", "i3.4xlarge", "us-east-1b")


def test_a_return_says_what_ran_before(machine: Journal) -> None:
    machine.had("i-old", seconds_ago=300, type="c3.xlarge", zone="us-east-1b")
    (entry,) = machine.shown()
    assert entry["ran"] == {"launched": LAUNCHED, "type": "c3.xlarge", "zone": "us-east-1b"}


def test_a_machine_that_did_not_say_what_it_was_is_a_return_all_the_same(machine: Journal) -> None:
    (entry,) = machine.shown()
    assert entry["ran"] == {"launched": LAUNCHED, "type": None, "zone": None}


def test_running_again_says_nothing_new(machine: Journal) -> None:
    first = machine.shown()
    assert machine.shown() == first


def test_a_reboot_is_no_return(machine: Journal) -> None:
    machine.had("i-me", seconds_ago=300)
    assert machine.shown() == []


def test_the_same_machine_after_a_stop_is_a_return(machine: Journal) -> None:
    machine.had("i-me", seconds_ago=300, launched="2026-01-01T00:00:00Z")
    (entry,) = machine.shown()
    assert (entry["instance"], entry["previous"]) == ("i-me", "i-me")


def test_a_notice_after_the_last_sign_of_life_is_one_too(machine: Journal) -> None:
    machine.notice("i-old", seconds_ago=250)
    machine.notice("i-other", seconds_ago=10)
    assert machine.shown()[-1]["last_seen"] == machine.utc(250)


def test_what_the_old_machine_noted_is_why(machine: Journal) -> None:
    machine.notice("i-old", seconds_ago=250, why="instance-terminated-no-capacity")
    assert machine.shown()[-1]["why"] == "instance-terminated-no-capacity"


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("instance-terminated-no-capacity", "instance-terminated-no-capacity\n"),
        ("instance-stopped-by-price", "instance-stopped-by-price\n"),
        ("marked-for-termination", ""),
        ("fulfilled", ""),
        ("", ""),
    ],
)
def test_at_a_notice_it_prints_why(machine: Journal, code: str, printed: str) -> None:
    machine.answer("DescribeSpotInstanceRequests", REQUEST.format(bid="0.2", code="fulfilled"))
    machine.answer("DescribeSpotInstanceRequests", REQUEST.format(bid="0.2", code=code))
    machine.shown()
    assert machine.last["request"] == "sir-1"
    done = machine.run("why")
    assert (done.returncode, done.stdout) == (0, printed), done.stderr
    # The request that is open again has no instance to be found by
    (asked,) = [line for line in machine.log if "SpotInstanceRequestId.1=sir-1" in line]
    assert "Filter" not in asked


def test_a_notice_that_nothing_came_of_is_no_reason(machine: Journal) -> None:
    machine.notice("i-old", seconds_ago=250, why="idle")
    machine.notice("i-old", seconds_ago=240, event="whole")
    assert machine.shown()[-1]["why"] == "unknown"


@pytest.mark.parametrize(
    ("why", "words"),
    [("idle", "nobody worked on it"), ("instance-stopped-by-user", "by hand")],
)
def test_what_its_owner_wanted_is_not_called_ec2s(machine: Journal, why: str, words: str) -> None:
    machine.notice("i-old", seconds_ago=250, why=why)
    machine.shown()
    message = machine.motd.read_text()
    assert message.startswith("This machine went at ")
    assert f" ({words}) and it was back after" in message


def mounted_as(machine: Journal, volume: str) -> None:
    """Write the status of cloudtop-persistent-mount."""
    status = json.dumps({"state": "mounted", "volume": volume})
    (machine.tree / "run/persistent-mount.json").write_text(status)


def test_a_volume_of_a_snapshot_was_not_away(machine: Journal) -> None:
    mounted_as(machine, "vol-new")
    machine.had("i-old", seconds_ago=7200, volume="vol-old", type="c3.xlarge", zone="us-east-1b")
    (entry,) = machine.shown()
    # The run before the snapshot is an entry, and no reap is claimed
    assert (entry["event"], entry["last_seen"]) == ("copy", machine.utc(7200))
    assert (entry["previous"], entry["instance"]) == ("i-old", "i-me")
    assert entry["ran"] == {"launched": LAUNCHED, "type": "c3.xlarge", "zone": "us-east-1b"}
    assert not machine.motd.exists()
    assert (machine.last["instance"], machine.last["volume"]) == ("i-me", "vol-new")


def test_a_snapshot_of_after_a_notice_comes_back_from_that(machine: Journal) -> None:
    mounted_as(machine, "vol-new")
    machine.had("i-old", seconds_ago=300, volume="vol-old")
    machine.notice("i-old", seconds_ago=290, why="instance-stopped-by-user")
    assert [each["event"] for each in machine.shown()] == ["notice", "back"]


def test_the_same_volume_was_away(machine: Journal) -> None:
    mounted_as(machine, "vol-old")
    machine.had("i-old", seconds_ago=300, volume="vol-old")
    assert [each["event"] for each in machine.shown()] == ["back"]


def test_a_price_above_the_bid_while_it_was_away_is_why(machine: Journal) -> None:
    machine.answer("DescribeSpotInstanceRequests", REQUEST.format(bid="0.200000", code="fulfilled"))
    machine.answer("DescribeSpotPriceHistory", PRICES)
    entry = machine.shown()[-1]
    assert (entry["why"], entry["price"]) == ("price-too-low", 0.19)
    (asked,) = [line for line in machine.log if "DescribeSpotPriceHistory" in line]
    assert "InstanceType.1=i3.4xlarge" in asked and "AvailabilityZone=us-east-1b" in asked
    assert f"StartTime={machine.utc(300)}" in asked


def test_without_a_reason_the_price_is_told_all_the_same(machine: Journal) -> None:
    machine.answer("DescribeSpotInstanceRequests", REQUEST.format(bid="0.500000", code="fulfilled"))
    machine.answer("DescribeSpotPriceHistory", PRICES)
    entry = machine.shown()[-1]
    assert (entry["why"], entry["price"]) == ("unknown", 0.19)


def test_a_permission_that_is_missing_costs_the_reason_alone(machine: Journal) -> None:
    for action in ("DescribeSpotInstanceRequests", "DescribeSpotPriceHistory"):
        machine.error(action, "UnauthorizedOperation")
    entry = machine.shown()[-1]
    assert (entry["why"], entry["price"]) == ("unknown", None)


def test_a_torn_line_takes_no_other_with_it(machine: Journal) -> None:
    (machine.place / "reaps.jsonl").write_bytes(b'not json\n[1]\n\xff\xfe\n{"event": "noti')
    (entry,) = machine.shown()
    assert entry["event"] == "back"


def test_a_huge_journal_is_cut_to_its_newest_lines(machine: Journal) -> None:
    line = json.dumps({"event": "notice", "instance": "i-older", "time": OLD, "pad": "x" * 9000})
    (machine.place / "reaps.jsonl").write_text(f"{line}\n" * 400)
    machine.shown()
    kept = machine.entries
    assert 100 < len(kept) <= 200
    assert kept[-1]["event"] == "back"
    assert (machine.place / "reaps.jsonl").stat().st_size <= 1 << 20


def test_all_that_the_journal_has_is_told(machine: Journal) -> None:
    for number in range(150):
        machine.notice(f"i-{number}", seconds_ago=1000 - number)
    assert len(machine.shown()) == 151


def test_a_long_journal_keeps_200_lines(machine: Journal) -> None:
    entries = [{"event": "notice", "instance": "i-older", "number": n} for n in range(300)]
    text = "".join(f"{json.dumps(entry)}\n" for entry in entries)
    (machine.place / "reaps.jsonl").write_text(text)
    machine.shown()
    assert [entry.get("number") for entry in machine.entries] == [*range(101, 300), None]


@pytest.mark.parametrize("text", ["", "not json", '["i-old"]', '{"instance": null}'])
def test_a_damaged_note_of_the_last_machine_fails_nothing(machine: Journal, text: str) -> None:
    (machine.place / "last").write_text(text)
    assert machine.shown() == []
    assert machine.last["instance"] == "i-me"


def test_it_follows_no_link_of_the_users(machine: Journal) -> None:
    elsewhere = machine.tree / "elsewhere"
    machine.place.rename(elsewhere)
    machine.place.symlink_to(elsewhere)
    done = machine.run()
    assert done.returncode == 0
    assert "is no directory of root's" in done.stderr
    assert not (elsewhere / "reaps.jsonl").exists()


def test_without_the_volume_nothing_is_written(machine: Journal) -> None:
    (machine.tree / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n")
    assert "is not mounted" in machine.run().stderr
    assert sorted(path.name for path in machine.place.iterdir()) == ["alive", "last"]


def test_a_sign_of_life_is_given_every_minute(machine: Journal) -> None:
    machine.shown()
    os.utime(machine.place / "alive", (1, 1))
    assert machine.run("alive").returncode == 0
    assert (machine.place / "alive").stat().st_mtime > 1
    assert len(machine.entries) == 1


def test_the_old_sign_of_life_stays_until_it_could_be_read(machine: Journal) -> None:
    machine.silence()
    assert "does not answer" in machine.run().stdout
    assert machine.run("alive").returncode == 0
    assert int((machine.place / "alive").stat().st_mtime) == machine.began - 300
    machine.silence(False)
    assert machine.run("alive").returncode == 0
    assert machine.entries[-1]["last_seen"] == machine.utc(300)


def test_a_volume_that_is_read_only_fails_nothing(machine: Journal) -> None:
    machine.shown()
    machine.stub("touch", "exit 1")
    assert machine.run("alive").returncode == 0


def test_the_login_message_tells_the_last_reap_in_a_line(machine: Journal) -> None:
    machine.notice(
        "i-old", seconds_ago=250, why="instance-terminated-no-capacity", saved={"trees": ["a", "b"]}
    )
    machine.answer("DescribeSpotInstanceRequests", REQUEST.format(bid="0.500000", code="fulfilled"))
    machine.answer("DescribeSpotPriceHistory", PRICES)
    machine.shown()
    clock = machine.utc(250)[11:16]
    assert machine.motd.read_text().startswith(
        f"EC2 took this machine at {clock} UTC (no capacity, $0.19/h) and it was back after 4 min "
    )
    assert machine.motd.read_text().endswith("; 2 work trees were saved: cloudtop-restore\n")


def test_without_a_notice_the_login_message_says_so(machine: Journal) -> None:
    machine.shown()
    assert machine.motd.read_text().startswith("This machine went without a notice at ")
    assert "saved" not in machine.motd.read_text()


def test_the_login_message_of_a_reap_goes_after_a_day(machine: Journal) -> None:
    machine.shown()
    machine.run("alive")
    assert machine.motd.exists()
    yesterday = time.time() - 25 * 3600
    os.utime(machine.motd, (yesterday, yesterday))
    machine.run("alive")
    assert not machine.motd.exists()


@pytest.mark.parametrize("saved", [None, 3, "all", {"trees": {}}, {"trees": None}, []])
def test_odd_values_in_the_journal_fail_nothing(machine: Journal, saved: Any) -> None:
    machine.notice("i-old", seconds_ago=250, why=7, saved=saved)
    assert machine.shown()[-1]["event"] == "back"
    assert "and it was back after" in machine.motd.read_text()
