"""cloudtop-idle counts: from when, and when everyone is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.idle import FILES, PYTHON, PYTHON_ENVIRONMENT, STOPPED, Idle


@pytest.fixture
def machine(tmp_path: Path) -> Idle:
    return Idle(tmp_path)


def test_activity_begins_the_count_anew(machine: Idle) -> None:
    machine.looks(4)
    machine.terminal(3)
    assert machine.look()["idle_seconds"] == 0
    assert "This machine stays: there was input at pts/3." in machine.told
    machine.looks(3)
    assert machine.steps == []
    machine.look()
    assert machine.steps == STOPPED


@pytest.mark.parametrize("seconds", [301, 3 * 3600, -50])
def test_a_gap_or_a_jump_begins_the_count_anew(machine: Idle, seconds: float) -> None:
    """As after a hibernation, which uptime goes on in."""
    machine.looks(4)
    told = machine.look(seconds)
    assert (told["state"], told["idle_seconds"]) == ("active", 0)
    assert machine.steps == []


def test_a_state_that_cannot_be_read_begins_the_count_anew(machine: Idle) -> None:
    machine.looks(4)
    for text in ("", "{}", "[1]", '{"before": {"what": 1}}', "\0"):
        (machine.tree / "run/idle.state").write_text(text)
        assert machine.look()["idle_seconds"] == 0
    assert machine.steps == []


def test_a_shorter_limit_gives_the_whole_warning(machine: Idle) -> None:
    machine.settings["minutes"] = 60
    machine.looks(20)
    machine.settings["minutes"] = 4
    told = machine.look()
    assert (told["state"], told["message"]) == ("warned", "idle 2 min of 4; then it stops")
    machine.look()
    assert machine.steps == []
    machine.look()
    assert machine.steps == STOPPED


def test_without_a_warning_it_stops_all_the_same(machine: Idle) -> None:
    machine.settings["warning"] = 0
    assert machine.looks(4)["state"] == "idle"
    machine.look()
    assert machine.steps == STOPPED


def test_the_wish_to_stay_begins_the_count_anew(machine: Idle) -> None:
    machine.looks(4)
    done = subprocess.run(
        [*PYTHON, str(FILES / "cloudtop-idle"), "--stay"],
        env={"CLOUDTOP_BUSY": str(machine.tree / "run/busy"), **PYTHON_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.look()["idle_seconds"] == 0
    machine.looks(3)
    assert machine.steps == []


def test_a_wish_that_nobody_can_hear_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PYTHON, str(FILES / "cloudtop-idle"), "--stay"],
        env={"CLOUDTOP_BUSY": str(tmp_path / "gone"), **PYTHON_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "could not be touched: No such file" in done.stderr
