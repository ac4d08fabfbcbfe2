"""cloudtop-reap tells those who are in tmux."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine_programs.support.reaped import Reaped


@pytest.fixture
def machine(tmp_path: Path) -> Reaped:
    return Reaped(tmp_path)


@pytest.fixture
def server(machine: Reaped) -> Iterator[Path]:
    """The socket of a tmux server with one client, and beside it one that nobody serves."""
    place = machine.tree / f"tmp/tmux-{os.getuid()}"
    place.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place / "dead"))
    command = ["tmux", "-S", str(place / "default")]
    environ = {"PATH": "/usr/bin:/bin", "TERM": "xterm", "HOME": str(machine.home)}
    subprocess.run([*command, "new-session", "-d", "-s", "work"], env=environ, check=True)
    attach = f"{' '.join(command)} attach -t work"
    client = subprocess.Popen(
        ["script", "--quiet", "--command", attach, str(machine.tree / "screen")],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    listed = ""
    while not listed:
        assert client.poll() is None
        listed = subprocess.run(
            [*command, "list-clients"], capture_output=True, text=True, env=environ
        ).stdout
    yield place / "default"
    subprocess.run([*command, "kill-server"], env=environ, check=True)
    client.communicate(timeout=30)


def test_tells_every_client_of_tmux(machine: Reaped, server: Path) -> None:
    machine.reap()
    messages = subprocess.run(
        ["tmux", "-S", str(server), "show-messages"], capture_output=True, text=True
    ).stdout
    assert "EC2 takes this machine away (terminate)" in messages
