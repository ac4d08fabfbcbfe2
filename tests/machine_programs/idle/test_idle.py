"""cloudtop-idle: stopped at work by nothing that counts, and kept for ever by nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support.idle import BUSY, PYTHON_ENVIRONMENT, STOPPED, Idle

Act = Callable[[Idle, int], None]


@pytest.fixture
def machine(tmp_path: Path) -> Idle:
    return Idle(tmp_path)


def input_at_a_terminal(machine: Idle, minute: int) -> None:
    machine.terminal(0, read=1000 + minute)


def a_new_login(machine: Idle, minute: int) -> None:
    machine.terminal(minute)


def tmux_socket(machine: Idle) -> None:
    """The socket of a tmux server of this user."""
    place = machine.tree / f"tmp/tmux-{os.getuid()}/default"
    if not place.exists():
        place.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))


def input_in_tmux(machine: Idle, minute: int) -> None:
    tmux_socket(machine)
    machine.stub("tmux", f'[ "$3" = list-sessions ] && echo "{1700000000 + minute} \\$0"')


def a_container(machine: Idle, minute: int) -> None:
    if not minute:
        machine.process("containerd-shim-runc-v2", "containerd-shim-runc-v2")


def a_third_of_a_cpu(machine: Idle, minute: int) -> None:
    machine.ticks += 20 * os.sysconf("SC_CLK_TCK")


def a_download(machine: Idle, minute: int) -> None:
    machine.bytes += 2 << 20


def a_command_over_ssh(machine: Idle, minute: int) -> None:
    """As scp, rsync and VS Code are: a session without a terminal, with 6 KiB a minute."""
    if not minute:
        machine.process("sshd", "sshd: ubuntu@notty")
    total = 4500 + 3072 * minute
    machine.connections = machine.connection(
        "192.0.2.1:5001", total, machine.processes, received=total
    )


def commands_one_after_the_other(machine: Idle, minute: int) -> None:
    pid = machine.process("sshd-session", "sshd-session: ubuntu@notty")
    line = machine.connection(f"[2001:db8::1]:{5000 + minute}", 9000, pid)
    machine.connections = line.replace('"sshd"', '"sshd-session"')


def a_wish_to_stay(machine: Idle, minute: int) -> None:
    place = machine.tree / "run/busy/stay.1000"
    place.touch()
    os.utime(place, (1000 + minute, 1000 + minute))


def a_command_without_room_for_a_lock(machine: Idle, minute: int) -> None:
    """Or with one that a file system was mounted over, when the machine was converged."""
    if not minute:
        machine.process("cloudtop-busy", "/usr/bin/python3 -IS /usr/local/bin/cloudtop-busy -- x")


def connections_that_nobody_can_see(machine: Idle, minute: int) -> None:
    machine.stub("ss", "exit 1")


@pytest.mark.parametrize(
    "act",
    [
        *(input_at_a_terminal, a_new_login, input_in_tmux, a_container, a_third_of_a_cpu),
        *(a_download, a_command_over_ssh, commands_one_after_the_other, a_wish_to_stay),
        *(a_command_without_room_for_a_lock, connections_that_nobody_can_see),
    ],
)
def test_one_kind_of_activity_alone_keeps_it(machine: Idle, act: Act) -> None:
    machine.look()
    for minute in range(7):
        act(machine, minute)
        status = machine.look()
        assert (status["state"], status["idle_seconds"]) == ("active", 0)
    assert (machine.steps, machine.sentences) == ([], "")


@contextmanager
def busy(machine: Idle) -> Iterator[subprocess.Popen[bytes]]:
    """cloudtop-busy with a command that runs until its input ends."""
    lock = machine.tree / "run/busy"
    with subprocess.Popen(
        [*BUSY, "--", "cat"],
        env={"PATH": "/usr/bin:/bin", "CLOUDTOP_BUSY": str(lock), **PYTHON_ENVIRONMENT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout
        # It answers once it runs, and then there is the lock
        process.stdin.write(b"here\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"here\n"
        yield process


def test_a_lock_of_a_command_that_runs_keeps_it(machine: Idle) -> None:
    with busy(machine):
        status = machine.looks(7)
        assert status["message"].startswith("active: cloudtop-busy holds a lock")
    assert machine.steps == []
    machine.looks(4)
    assert machine.steps == STOPPED


def test_a_lock_of_a_dead_process_does_not(machine: Idle) -> None:
    with busy(machine) as process:
        process.kill()
        process.wait()
        assert (machine.tree / f"run/busy/{process.pid}").exists()
        machine.looks(5)
    assert machine.steps == STOPPED


def nothing(machine: Idle, minute: int) -> None:
    pass


def an_open_terminal(machine: Idle, minute: int) -> None:
    """With a program that writes to it: no input."""
    machine.terminal(0, written=1000 + minute)


def a_terminal_of_the_future(machine: Idle, minute: int) -> None:
    """Its times are from before a clock was put right."""
    machine.terminal(0, read=4_000_000_000)


def terminals_that_close(machine: Idle, minute: int) -> None:
    for number in range(4):
        if minute == 0:
            machine.terminal(number)
        elif number == minute - 1:
            (machine.tree / f"dev/pts/{number}").unlink()


def tmux_without_anybody(machine: Idle, minute: int) -> None:
    input_in_tmux(machine, 0)


def a_dead_socket_of_tmux(machine: Idle, minute: int) -> None:
    input_in_tmux(machine, 0)
    machine.stub("tmux", "exit 1")


def docker_without_containers(machine: Idle, minute: int) -> None:
    if not minute:
        machine.process("dockerd", "/usr/bin/dockerd")
        machine.process("containerd", "/usr/bin/containerd")


def a_little_of_the_cpu(machine: Idle, minute: int) -> None:
    machine.ticks += 15 * os.sysconf("SC_CLK_TCK")


def keeping_ssh_alive(machine: Idle, minute: int) -> None:
    """A session without a terminal that nothing goes on in: 88 bytes every 15 s."""
    if not minute:
        machine.process("sshd", "sshd: ubuntu@notty")
    total = 4500 + 4 * 44 * minute
    machine.connections = machine.connection(
        "192.0.2.1:5001", total, machine.processes, received=total
    )


def top_in_an_open_terminal(machine: Idle, minute: int) -> None:
    """3 MiB a minute to a window that nobody looks at, on the interface, too; the client answers
    32 KiB with 60 bytes."""
    if not minute:
        machine.process("sshd", "sshd: ubuntu@pts/0")
    machine.terminal(0, written=1000 + minute)
    machine.bytes += 3 << 20
    machine.connections = machine.connection(
        "192.0.2.1:5001",
        9000 + (3 << 20) * minute,
        machine.processes,
        received=9000 + 60 * 96 * minute,
    )


def knocking_at_ssh(machine: Idle, minute: int) -> None:
    """Somebody who is not logged in."""
    pid = machine.process("sshd", "sshd: root [net]")
    machine.connections = machine.connection(f"203.0.113.9:{6000 + minute}", 9000, pid)


def many_connections(machine: Idle, minute: int) -> None:
    """More than fit into an answer of 64 KiB."""
    machine.connections = "".join(
        machine.connection(f"10.0.0.{host}:{port}", 9, local="10.0.0.5:5432")
        for host in range(1, 9)
        for port in range(40000, 40200)
    )


def asking_the_metadata(machine: Idle, minute: int) -> None:
    """More than spot_guard does."""
    machine.bytes += 3 << 20
    total = (3 << 20) * (minute + 1)
    machine.connections = machine.connection("169.254.169.254:80", total, local="10.0.0.5:41000")


def what_is_none_of_its_work(machine: Idle, minute: int) -> None:
    """Time that they take, and what the machine says to itself."""
    machine.steal += 50 * os.sysconf("SC_CLK_TCK")
    machine.loopback += 90 << 20


@pytest.mark.parametrize(
    "act",
    [
        *(nothing, an_open_terminal, a_terminal_of_the_future, terminals_that_close),
        *(tmux_without_anybody, a_dead_socket_of_tmux, docker_without_containers),
        *(a_little_of_the_cpu, keeping_ssh_alive, top_in_an_open_terminal, knocking_at_ssh),
        *(many_connections, asking_the_metadata, what_is_none_of_its_work),
    ],
)
def test_anything_else_keeps_it_no_minute_longer(machine: Idle, act: Act) -> None:
    states: list[Any] = []
    for minute in range(5):
        act(machine, minute)
        status = machine.look()
        states.append((status["state"], status["idle_seconds"] // 60))
        assert (machine.steps == []) == (minute < 4), status
    assert states == [("active", 0), ("idle", 1), ("warned", 2), ("warned", 3), ("ending", 4)]
    assert machine.steps == STOPPED
