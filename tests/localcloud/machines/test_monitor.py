"""The commands to QEMU while a guest is held in its reboot, with a peer that speaks QMP."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.machines.monitor import Loop, Monitor
from localcloud.machines.qemu import QMP_SOCKET

GREETING = {"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": []}}
STAMP = {"seconds": 1, "microseconds": 0}


class Peer:
    """Answers every command, resets the guest at Ctrl-Alt-Delete, and keeps the commands."""

    def __init__(self, directory: Path) -> None:
        self.commands: list[str] = []
        self.status = "running"
        self.hears_keys = True
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / QMP_SOCKET))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._send(connection, GREETING)
            # One command at a time, with no line end after it: the next one awaits its answer
            while command := connection.recv(1 << 16):
                self._answer(connection, json.loads(command))

    def _answer(self, connection: socket.socket, command: dict[str, Any]) -> None:
        name = command["execute"]
        self.commands.append(name)
        answer = {"status": self.status} if name == "query-status" else {}
        ident = {"id": command["id"]} if "id" in command else {}
        self._send(connection, {"return": answer, **ident})
        if name == "send-key" and self.hears_keys:
            data = {"guest": True, "reason": "guest-reset"}
            self._send(connection, {"event": "RESET", "data": data, "timestamp": STAMP})

    def _send(self, connection: socket.socket, message: dict[str, Any]) -> None:
        connection.sendall(json.dumps(message).encode() + b"\r\n")


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    peer = Peer(tmp_path)
    yield peer
    peer.close()


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    loop = Loop()
    monitor = Monitor(loop, "i-0aa", lambda: None)
    yield monitor
    monitor.close()
    loop.close()


def connect(monitor: Monitor, tmp_path: Path) -> None:
    monitor.connect(tmp_path, lambda: True, 5)


def test_guest_is_held_at_its_reset_and_let_go_after(
    peer: Peer, monitor: Monitor, tmp_path: Path
) -> None:
    connect(monitor, tmp_path)
    with monitor.held_in_reboot(5):
        assert peer.commands[-2:] == ["send-key", "stop"]
    assert peer.commands[-1] == "cont"


def test_guest_is_let_go_also_when_the_copy_fails(
    peer: Peer, monitor: Monitor, tmp_path: Path
) -> None:
    connect(monitor, tmp_path)
    with pytest.raises(ValueError, match="no space"), monitor.held_in_reboot(5):
        raise ValueError("no space")
    assert peer.commands[-1] == "cont"


def test_guest_that_does_not_reboot_is_reset_and_held(
    peer: Peer, monitor: Monitor, tmp_path: Path
) -> None:
    connect(monitor, tmp_path)
    peer.hears_keys = False
    with monitor.held_in_reboot(0.1):
        assert peer.commands[-3:] == ["send-key", "system_reset", "stop"]


def test_plain_reboot_holds_nothing(peer: Peer, monitor: Monitor, tmp_path: Path) -> None:
    connect(monitor, tmp_path)
    monitor.reboot(5)
    assert peer.commands[-1] == "send-key"


def test_guest_that_a_killed_server_held_is_let_go(
    peer: Peer, monitor: Monitor, tmp_path: Path
) -> None:
    peer.status = "paused"
    connect(monitor, tmp_path)
    assert peer.commands[-2:] == ["query-status", "cont"]
