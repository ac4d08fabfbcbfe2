"""An owner's end of the machine: held while somebody wants it, and else taken back by itself."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.machine_programs.support.departing import Departing, until
from tests.machine_programs.support.reaped import STOPPED
from tests.machine_programs.support.saved import Tree

BACK = [
    "systemctl reload-or-restart cloudtop-persistent-mount.service",
    "systemctl start docker.socket docker.service",
]


@pytest.fixture
def machine(tmp_path: Path) -> Departing:
    return Departing(tmp_path)


@pytest.fixture
def tree(machine: Departing) -> Tree:
    tree = Tree(machine.array / "project")
    tree.write("file", "changed\n")
    return tree


def is_back(machine: Departing) -> None:
    """The volume is mounted, docker runs, nothing keeps the end, and everybody was told."""
    until("the end is kept by nobody", lambda: not machine.keepers())
    assert machine.is_mounted
    docker = [line for line in machine.log if line in (STOPPED[1], BACK[1])]
    assert docker[-1:] in ([], [BACK[1]])
    assert "the machine is still here" in machine.warnings() or "called off" in machine.warnings()


def test_says_what_was_saved_and_holds_the_end(machine: Departing, tree: Tree) -> None:
    call = machine.call("end", "60", "terminate")
    answer = call.hears("report")
    assert (answer["guard"], answer["holds"]) == (True, True)
    report = answer["report"]
    (tree_report,) = report["saved"]["trees"]
    assert (tree_report["path"], tree_report["complete"]) == (str(tree.place), True)
    assert (report["mounted"], report["volume"], report["hooks"]) == (True, "unmounted", [])
    call.says("go 60")
    assert call.hears("held")["seconds"] == 60
    assert call.process.wait(30) == 0
    assert machine.steps == machine.all_steps
    assert not machine.is_mounted
    # As the laptop does where EC2 refuses to end it
    assert machine.call("back").hears("back")["mounted"]
    is_back(machine)


def test_two_saves_within_one_second_lie_beside_each_other(machine: Departing, tree: Tree) -> None:
    saved = machine.volume / ".cloudtop/saved"
    for second in range(60):
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + second))
        (saved / f"{stamp}-i-0abc").mkdir(parents=True)
    call = machine.call("end", "60", "terminate")
    report = call.hears("report")["report"]["saved"]
    assert report["directory"].endswith("-i-0abc.2")
    assert [each["complete"] for each in report["trees"]] == [True]
    call.says("go 60")
    assert call.hears("held")["seconds"] == 60
    assert call.process.wait(30) == 0


def test_a_held_end_that_does_not_come_is_taken_back(machine: Departing) -> None:
    call = machine.call("end", "60", "stop")
    call.hears("report")
    call.says("go 1")
    call.hears("held")
    until("it is taken back", lambda: BACK[1] in machine.log)
    is_back(machine)
    assert [line["event"] for line in machine.journal] == ["notice", "whole"]
    assert machine.journal[0]["why"] == "instance-stopped-by-user"


def test_a_laptop_that_goes_before_its_word_is_no_word(machine: Departing, tree: Tree) -> None:
    call = machine.call("end", "60", "terminate")
    call.hears("report")
    assert not machine.is_mounted
    call.hangs_up()
    assert call.hears("back")["mounted"]
    is_back(machine)


def test_a_laptop_that_is_asleep_is_no_word_either(machine: Departing) -> None:
    machine.settings["silence"] = 2
    call = machine.call("end", "60", "terminate")
    call.report()
    assert call.hears("back")["mounted"]
    is_back(machine)


def test_a_word_that_comes_too_late_ends_nothing(machine: Departing) -> None:
    machine.settings["silence"] = 2
    call = machine.call("end", "60", "terminate")
    call.report()
    os.kill(call.process.pid, signal.SIGSTOP)
    call.says("go 60")
    until("it is taken back", lambda: BACK[1] in machine.log)
    os.kill(call.process.pid, signal.SIGCONT)
    assert call.hears("back")["mounted"]
    is_back(machine)


def test_called_off_while_it_saves_nothing_is_stopped(machine: Departing, tree: Tree) -> None:
    machine.hook("waits", 'until [ -e "$TREE/run/farewell/reap.off" ]; do :; done'.replace(
        "$TREE", str(machine.tree)))  # fmt: skip
    call = machine.call("end", "60", "terminate")
    until("it saves", lambda: "terminate" in machine.warnings())
    call.hangs_up()
    assert call.hears("back")["mounted"]
    is_back(machine)
    assert machine.steps == []
    assert "docker and" in machine.warnings()
    assert [line["event"] for line in machine.journal] == ["notice", "whole"]


@pytest.fixture
def interrupted(machine: Departing) -> Departing:
    """As the end of an earlier version, or one that was killed with all that kept it, left it."""
    place = machine.tree / "run/farewell"
    place.mkdir()
    machine.mounted("")
    (place / "reap.stopped").write_text("docker\nvolume\n")
    (place / "conf").write_text(f". {machine.config()}\nrun={place}\n")
    notice = "action=terminate\ndue=2026-01-01T00:00:00Z\ninstance=i-0abc\nwhy=instance-x\n"
    (place / "spot-guard.notice").write_text(notice)
    return machine


def test_the_save_after_an_interrupted_end_looks_again(interrupted: Departing, tree: Tree) -> None:
    machine = interrupted
    call = machine.call("end", "60", "terminate")
    report = call.hears("report")["report"]
    assert report["mounted"]
    assert [each["path"] for each in report["saved"]["trees"]] == [str(tree.place)]
    call.hangs_up()
    call.hears("back")
    is_back(machine)


def test_docker_comes_back_though_the_volume_could_not_at_first(interrupted: Departing) -> None:
    machine = interrupted
    machine.stub(
        "systemctl",
        'echo "systemctl $*" >>"$TREE/log"\ncase "$*" in\n'
        '    *persistent-mount*) [ -e "$TREE/mountable" ] || exit 1\n'
        f'        echo "2 1 8:2 / {machine.volume} rw" >>"$TREE/proc/self/mountinfo" ;;\n'
        "    *is-active*) exit 3 ;;\n    show*) echo inactive ;;\nesac",
    )
    call = machine.call("end", "60", "terminate")
    assert call.hears("report")["report"]["mounted"] is False
    assert BACK[1] not in machine.log
    (machine.tree / "mountable").touch()
    call.hangs_up()
    assert call.hears("back")["mounted"]
    until("docker is started", lambda: BACK[1] in machine.log)
    is_back(machine)


def test_mounts_of_others_with_strange_names_hide_no_volume(machine: Departing) -> None:
    mounts = machine.tree / "proc/self/mountinfo"
    mounts.write_bytes(
        b"3 1 8:3 / /mnt/\xff\rx\n4 1 8:4 / /mnt/\xc2\x85y rw\n" + mounts.read_bytes()
    )
    assert machine.call("look").hears("report")["report"]["mounted"]


def test_a_volume_that_is_not_mounted_is_not_saved_to(machine: Departing, tree: Tree) -> None:
    machine.mounted("")
    call = machine.call("end", "60", "terminate")
    report = call.hears("report")["report"]
    assert (report["mounted"], report["saved"]) == (False, None)
    call.hangs_up()
    call.hears("back")


def test_a_hook_that_fails_is_in_the_report(machine: Departing) -> None:
    machine.hook("dump", "exit 3")
    call = machine.call("end", "60", "terminate")
    assert call.hears("report")["report"]["hooks"] == [f"{machine.hooks}/dump ended with 3."]
    call.hangs_up()
    call.hears("back")


def test_a_second_end_takes_the_first_back_and_saves_anew(machine: Departing, tree: Tree) -> None:
    first = machine.call("end", "60", "terminate")
    first.hears("report")
    second = machine.call("end", "60", "stop")
    report = second.hears("report")["report"]
    assert (report["mounted"], len(report["saved"]["trees"])) == (True, 1)
    first.says("go 600")
    assert first.hears("back")
    second.hangs_up()
    until("both are over", lambda: second.process.poll() is not None)
    is_back(machine)


def test_a_machine_without_a_guard_says_so(machine: Departing) -> None:
    (machine.tree / "bin/cloudtop-reap").unlink()
    for words in (("end", "60", "terminate"), ("look",)):
        call = machine.call(*words)
        assert call.hears("report")["guard"] is False
        assert call.process.wait(30) == 0
    assert machine.steps == []


def test_a_unit_that_cannot_be_started_stops_nothing(machine: Departing) -> None:
    machine.stub("systemd-run", "echo no bus >&2; exit 1")
    answer = machine.call("end", "60", "terminate").hears("report")
    assert (answer["guard"], answer["trouble"]) == (True, "no bus")
    assert "holds" not in answer
    assert machine.steps == []


def test_to_look_saves_and_stops_nothing(machine: Departing, tree: Tree) -> None:
    assert machine.call("look").hears("report")["report"]["mounted"]
    assert machine.steps == []
    assert machine.saved_files() == []


def test_whoever_does_not_decide_in_time_has_not_agreed(machine: Departing, tree: Tree) -> None:
    """The laptop is there and says so, and nobody answers its question."""
    machine.settings["decision"] = 1
    call = machine.call("end", "60", "terminate")
    call.hears("report")
    deadline = time.monotonic() + 60
    while call.process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            call.says(".")
        time.sleep(0.2)
    assert call.process.poll() is not None
    until("it is back", lambda: machine.is_mounted)


@pytest.mark.parametrize("seed", range(8))
def test_killed_anywhere_the_work_is_taken_back(machine: Departing, tree: Tree, seed: int) -> None:
    """The laptop's connection, what keeps the end, the saving itself: at a random moment."""
    dice = random.Random(seed)
    machine.settings["silence"] = 2
    machine.call("look").hears("report")
    call = machine.call("end", "60", "terminate")
    for _ in range(dice.randint(1, 3)):
        time.sleep(dice.random())
        reaps = [int(line.split()[0]) for line in _lines(machine.tree / "reaps")]
        victims = [call.process.pid, *machine.keepers(), *reaps[-1:]]
        victim = dice.choice(victims)
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    # Nobody has said a word for two seconds, then
    until("the call is over", lambda: call.process.poll() is not None)
    until("the end is kept by nobody", lambda: not machine.keepers())
    # A saving that was killed is no end; what it had stopped is started by now
    assert machine.is_mounted, f"seed {seed}"
    docker = [line for line in machine.log if line in (STOPPED[1], BACK[1])]
    assert docker[-1:] in ([], [BACK[1]]), f"seed {seed}"


def _lines(place: Path) -> list[str]:
    return place.read_text().splitlines() if place.exists() else []
