"""The journal of reaps in ``status``."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cloudtop_machine.reap_journal import words as on_the_machine

from cloudtop.aws import find as ec2
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.machine import reap_journal, status, summary
from cloudtop.settings import clouds, settings

NOTICE = {"event": "notice", "instance": "i-1", "saved": {"trees": ["a", "b"]}}
BACK = {
    "event": "back",
    "instance": "i-2",
    "previous": "i-1",
    "last_seen": "2026-02-03T12:03:00Z",
    "away_seconds": 192,
    "why": "instance-terminated-no-capacity",
    "price": 0.19,
}


def test_the_last_reap_is_told_in_a_line() -> None:
    older = {**BACK, "instance": "i-1", "previous": "i-0", "why": "price-too-low"}
    assert reap_journal.last([older, NOTICE, BACK]) == (
        "2026-02-03 12:03 UTC, no capacity, $0.19/h, back after 3 min 12 s,"
        " 2 work trees saved: cloudtop-restore"
    )


def test_a_notice_to_another_machine_saved_nothing_of_this_one() -> None:
    assert "saved" not in reap_journal.last([{**NOTICE, "instance": "i-0"}, BACK])


def test_what_is_unknown_is_left_out() -> None:
    line = reap_journal.last([{**BACK, "why": "unknown", "price": None}])
    assert line == "2026-02-03 12:03 UTC, back after 3 min 12 s"


@pytest.mark.parametrize("journal", [None, [], {"message": "unreadable"}, [NOTICE], ["back", 1]])
def test_without_a_reap_nothing_is_told(journal: Any) -> None:
    assert reap_journal.last(journal) == ""


def test_odd_values_are_no_error() -> None:
    odd = {"event": "back", "last_seen": 7, "away_seconds": "long", "why": 3, "price": "dear"}
    assert reap_journal.last([odd]) == "at an unknown time, 3"


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan, True])
def test_what_is_no_number_is_left_out(odd: float) -> None:
    line = reap_journal.last([{**BACK, "away_seconds": odd, "price": odd}])
    assert line == "2026-02-03 12:03 UTC, no capacity"


def test_a_laptop_and_the_machine_give_the_same_reasons() -> None:
    assert reap_journal.REASONS == on_the_machine.REASONS


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 61, 3599, 3600, 3661, 7200, 90_000])
def test_a_laptop_and_the_machine_give_the_same_span(seconds: int) -> None:
    assert reap_journal.span(seconds) == on_the_machine.span(seconds)


TREES = [[], ["a", "b"], 0, 3, 2.0, True, math.inf, "2", None, {"a": 1}]


@pytest.mark.parametrize("saved", [None, "all", [], {}, *({"trees": each} for each in TREES)])
def test_a_laptop_and_the_machine_count_the_same_work_trees(saved: Any) -> None:
    assert reap_journal.saved_trees(saved) == on_the_machine.trees(saved)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (192, "3 min 12 s"), (7200, "2 h")]
)
def test_a_span_is_told_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert reap_journal.span(seconds) == words


def test_status_asks_the_machine_for_its_journal_and_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reaps.json").write_text('[{"event": "back", "away_seconds": 60}]\n')
    command = status.ASK_MACHINE.replace("/run/cloudtop", str(tmp_path))
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout
    monkeypatch.setattr(PinnedMachine, "ask", lambda *_: answer)
    login = PinnedMachine("cloudtop", "127.0.0.1", 22, tmp_path / "key", tmp_path)
    machine = status.ask_machine(login)
    assert machine == {"reaps": [{"event": "back", "away_seconds": 60}]}
    nothing = ec2.Resources(request=None, instance=None, volume=None)
    seen = status.gather(settings.load(), clouds.load("rehearsal"), nothing)
    shown = summary.render(replace(seen, machine=machine))
    assert "  last away    at an unknown time, back after 1 min\n" in shown
