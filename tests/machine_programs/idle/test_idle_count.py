"""cloudtop-idle counts: from when, and when it warns everyone."""

from __future__ import annotations

import fcntl
import json
import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support import installed
from tests.machine_programs.support.idle import IDLE, PYTHON_ENVIRONMENT, STOPPED, Idle


@pytest.fixture
def machine(tmp_path: Path) -> Idle:
    return Idle(tmp_path)


def test_activity_begins_the_count_anew(machine: Idle) -> None:
    machine.looks(4)
    machine.terminal(3)
    assert machine.look()["idle_seconds"] == 0
    assert "This machine stays: there was input at pts/3." in machine.sentences
    machine.looks(3)
    assert machine.steps == []
    machine.look()
    assert machine.steps == STOPPED


@pytest.mark.parametrize("seconds", [301, 3 * 3600, -50])
def test_a_gap_or_a_jump_begins_the_count_anew(machine: Idle, seconds: float) -> None:
    """As after a hibernation, which uptime goes on in."""
    machine.looks(4)
    status = machine.look(seconds)
    assert (status["state"], status["idle_seconds"]) == ("active", 0)
    assert machine.steps == []


def test_a_state_that_cannot_be_read_begins_the_count_anew(machine: Idle) -> None:
    machine.looks(4)
    for text in ("", "{}", "[1]", '{"before": {"what": 1}}', "\0"):
        (machine.tree / "run/idle.state").write_text(text)
        assert machine.look()["idle_seconds"] == 0
    assert machine.steps == []


def test_a_state_of_an_earlier_version_is_none_but_its_end_is_taken_back(machine: Idle) -> None:
    machine.looks(4)
    earlier = json.dumps({"before": {"uptime": 340.5, "ssh": {"a b": 1}}, "idle": 180.0})
    (machine.tree / "run/idle.state").write_text(earlier)
    assert machine.look()["state"] == "active"
    (machine.tree / "run/idle").mkdir()
    for name in ("conf", "reap.stopped"):
        (machine.tree / "run/idle" / name).touch()
    (machine.tree / "run/idle.state").write_text(earlier)
    assert machine.look()["state"] == "failed"
    assert machine.steps == ["reap whole"]


def started(machine: Idle, *words: str) -> subprocess.CompletedProcess[str]:
    """cloudtop-idle as its unit starts it."""
    return subprocess.run(
        [*IDLE, *words],
        env=installed.environ(machine.tree),
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_program_looks_and_another_one_waits_for_no_look(machine: Idle) -> None:
    machine.look()
    state = machine.tree / "run/idle.state"
    state.unlink()
    done = started(machine, "--look", str(machine.configured()))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(state.read_text())["before"]["uptime"] == 160.5
    state.unlink()
    with (machine.tree / "run/idle.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = started(machine, "--look", str(machine.configured()))
    assert (done.returncode, done.stderr) == (1, "Another look is under way.\n")
    assert not state.exists()


@pytest.mark.parametrize(
    ("text", "word"),
    [("minutes=soon", "soon"), ("action='stop", "quotation"), (None, "No such file")],
)
def test_a_configuration_that_cannot_be_read_is_a_sentence(
    machine: Idle, text: str | None, word: str
) -> None:
    place = machine.tree / "broken.conf"
    if text is not None:
        place.write_text(f"{text}\nrun={machine.tree}/run\n")
    done = started(machine, "--look", str(place))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{place} cannot be read (")
    assert word in done.stderr
    assert done.stderr.endswith("it is written by: runner.py converge\n")


@pytest.mark.parametrize("minutes", ["0", "-1", "0.5"])
def test_with_no_minutes_set_it_is_never_idle(machine: Idle, minutes: str) -> None:
    machine.settings["minutes"] = minutes
    place = str(machine.configured())
    for _ in range(3):
        done = started(machine, "--look", place)
        assert (done.returncode, done.stderr) == (0, "")
        assert "see cloudtop_idle_stop_minutes" in done.stdout
    assert machine.steps == []
    assert machine.sentences == ""


def test_other_words_are_its_usage(machine: Idle) -> None:
    for words in (("--what",), ("--look", "a", "b"), ("--stay", "a")):
        done = started(machine, *words)
        assert (done.returncode, done.stderr) == (2, "usage: cloudtop-idle [--stay]\n")


def test_a_shorter_limit_gives_the_whole_warning(machine: Idle) -> None:
    machine.settings["minutes"] = 60
    machine.looks(20)
    machine.settings["minutes"] = 4
    status = machine.look()
    assert (status["state"], status["message"]) == ("warned", "idle 2 min of 4; then it stops")
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
        [*IDLE, "--stay"],
        env={"CLOUDTOP_BUSY": str(machine.tree / "run/busy"), **PYTHON_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.look()["idle_seconds"] == 0
    machine.looks(3)
    assert machine.steps == []


def test_a_wish_that_cannot_be_left_fails(tmp_path: Path) -> None:
    done = subprocess.run(
        [*IDLE, "--stay"],
        env={"CLOUDTOP_BUSY": str(tmp_path / "gone"), **PYTHON_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "could not be touched: No such file" in done.stderr
