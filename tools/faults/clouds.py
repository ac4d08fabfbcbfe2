"""A rehearsal cloud in this process that can be put back to a state it has had before."""

from __future__ import annotations

import copy
import ipaddress
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

from localcloud.api import wsgi
from localcloud.config import SSH_PORT, Config
from localcloud.credentials import make_home
from localcloud.daemon import server
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost, FakeMachine
from localcloud.machines.interface import MachineImage, MachineSpec
from tools.faults.blows import Api

KEY, SECRET = "AKIALOCALCLOUD000001", "secret-of-the-clouds-that-are-struck"
BANNER = b"SSH-2.0-OpenSSH_9.6\r\n"


class Host(FakeHost):
    """No machines, but where one would be, somebody says that ssh is there."""

    # One for all clouds of a process: their network is small, and each address stays listened to
    listeners: ClassVar[dict[str, socket.socket]] = {}

    def start(self, spec: MachineSpec) -> None:
        super().start(spec)
        self.listen(spec.address)

    def forward(self, instance_id: str, address: str) -> None:
        super().forward(instance_id, address)
        self.listen(address)

    def listen(self, address: str) -> None:
        """Say at an address, once a connection, that an ssh server is there."""
        with self._lock:
            if address not in self.listeners:
                # Another process may go on from the same moment, and say the same there
                listener = socket.create_server((address, SSH_PORT), reuse_port=True)
                self.listeners[address] = listener
                threading.Thread(target=greet, args=(listener,), daemon=True).start()


def greet(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        # Whoever asks may have gone
        with connection, suppress(OSError):
            connection.sendall(BANNER)


@dataclass(frozen=True)
class Snapshot:
    """All of a cloud at one moment: its own file, its machines, and a home beside it."""

    state: bytes = b""
    machines: dict[str, FakeMachine] = field(default_factory=dict)
    volumes: dict[str, int] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    boots: dict[str, MachineImage] = field(default_factory=dict)


class Place:
    """The clouds of one process, one after the other, and who uses them from which home.

    They all answer at one endpoint, whose socket is held as long as the place is: so what runs
    against them has one environment, and can be kept warm.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        # No other process has machines in this part of 127.128.0.0/9
        network = ipaddress.IPv4Network((0x7F800000 | os.getpid() % (1 << 19) << 4, 28))
        self.config = Config(folder / "cloud", folder / "cache", network=network)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"


@contextmanager
def cloud(
    place: Place, before: Snapshot, api: type[wsgi.Api] = Api
) -> Iterator[tuple[Server, Host]]:
    """A cloud that goes on from an earlier moment, at the endpoint of all before it."""
    config = place.config
    shutil.rmtree(config.home, ignore_errors=True)
    make_home(config)
    config.credentials_file.write_text(
        f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
    )
    config.credentials_file.chmod(0o600)
    if before.state:
        config.state_file.write_bytes(before.state)
    host = Host()
    host.machines = {ident: replace(each) for ident, each in before.machines.items()}
    for each in host.machines.values():
        each.volumes = set(each.volumes)
        if each.alive:
            host.listen(each.spec.address)
    for name in ("volumes", "snapshots", "boots"):
        setattr(host, name, copy.copy(getattr(before, name)))
    with serving(place, host, api) as running:
        yield running, host


@contextmanager
def serving(place: Place, host: Host, api: type[wsgi.Api]) -> Iterator[Server]:
    """A cloud with these machines that goes on from the state on the disk."""
    # The server makes the one and gets the other by these names
    ours = patch.multiple(server, Api=api, claim_port=lambda _: place.socket.dup())
    with ours, Server(place.config, host=host) as running:
        running.cloud.settling = 0
        yield running


def taken(running: Server, host: Host) -> Snapshot:
    """The cloud as it is now."""
    with running.cloud.lock:
        running.cloud.save()
    return Snapshot(
        running.config.state_file.read_bytes(),
        {ident: copy.copy(each) for ident, each in host.machines.items()},
        dict(host.volumes), dict(host.snapshots), dict(host.boots),
    )  # fmt: skip
