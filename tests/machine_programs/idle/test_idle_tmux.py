"""cloudtop-idle and tmux servers: one that does not answer is no activity and holds nothing up."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest

from tests.machine_programs.support import hostile_tmux
from tests.machine_programs.support.hostile_corpus import corpus
from tests.machine_programs.support.idle import STOPPED, Idle

PRINTABLE = bytes([*range(0x20, 0x7F), 0x0A])


@pytest.fixture
def machine(tmp_path: Path) -> Idle:
    machine = Idle(tmp_path)
    machine.settings |= {"minutes": 2, "warning": 1}
    return machine


def answers(machine: Idle, script: str) -> None:
    """The answer of this user's tmux server."""
    place = machine.tree / f"tmp/tmux-{os.getuid()}/default"
    if not place.exists():
        place.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))
    machine.stub("tmux", script)


def test_servers_that_never_answer_do_not_keep_it(machine: Idle) -> None:
    (machine.tree / "bin/tmux").unlink()
    with hostile_tmux.nobody_answers(machine.tree / "tmp"):
        machine.looks(3)
        assert machine.steps == STOPPED
    assert "in 1 min it stops" in machine.sentences


def test_a_server_that_answers_again_had_no_input_meanwhile(machine: Idle) -> None:
    machine.settings["minutes"] = 9
    answers(machine, "echo '1700000000 $0'")
    machine.looks(2)
    answers(machine, "exit 1")
    assert machine.looks(2)["state"] == "idle"
    answers(machine, "echo '1700000000 $0'")
    assert machine.look()["idle_seconds"] == 240
    answers(machine, "exit 1")
    machine.look()
    answers(machine, "echo '1700000001 $0'")
    assert machine.look()["state"] == "active"


def test_an_answer_is_not_believed_beyond_numbers(machine: Idle) -> None:
    machine.look()
    answers(machine, "printf '%s\\n' 'x $0' '1 \\033[31m' '1 $0 x' '; run-shell true'")
    assert machine.looks(1)["state"] == "warned"


def test_the_text_of_a_lock_is_shown_and_not_run(machine: Idle) -> None:
    """Everybody may write one."""
    marker = machine.tree / "marker"
    (machine.tree / "bin/tmux").unlink()
    lock = machine.tree / "run/busy/1"
    with (
        hostile_tmux.tmux(machine.tree / "tmp") as server,
        server.client(machine.tree / "screen"),
    ):
        for text in corpus(marker)[:9]:
            machine.settings["minutes"] = 2
            (machine.tree / "run/idle.state").unlink(missing_ok=True)
            machine.looks(2)
            lock.write_bytes(text.encode(errors="surrogateescape"))
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                report = machine.look()
            assert report["message"].encode().translate(None, PRINTABLE) == b""
            assert "This machine stays: cloudtop-busy holds a lock" in server.ask("show-messages")
        assert server.ran_nothing(marker)
    assert machine.sentences.encode().translate(None, PRINTABLE) == b""
