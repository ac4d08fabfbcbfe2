"""A rehearsal cloud without machines for each file of tests: a process has one at a time."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.cli import main
from localcloud.config import Config, from_environment
from localcloud.daemon import process
from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from tests.cloud import fake_cloud, give_credentials
from tests.localcloud.clock import Clock, standing
from tests.localcloud.lab import Lab
from tests.localcloud.roles import Roles


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Server, FakeHost]]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture
def lab(cloud: tuple[str, Server, FakeHost]) -> Iterator[Lab]:
    """Clients and short cuts; whatever requests and instances a test leaves are ended."""
    lab = Lab(*cloud)
    yield lab
    lab.tidy()


@pytest.fixture
def roles(lab: Lab) -> Roles:
    return Roles(lab)


@pytest.fixture(scope="module")
def roots() -> dict[str, str]:
    """The snapshot that the next fixture keeps."""
    return {}


@pytest.fixture
def snapshot(lab: Lab, roots: dict[str, str]) -> str:
    """The snapshot of a root volume, one for each file of tests."""
    if not roots:
        roots["snapshot"] = lab.snapshot(lab.root(lab.run()))
    return roots["snapshot"]


@pytest.fixture
def clock(lab: Lab) -> Iterator[Clock]:
    """The cloud's time stands still until the test moves it."""
    with standing(lab.server) as clock:
        yield clock


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Config]:
    """A home and a port of its own; whatever is started there is ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("LOCALCLOUD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALCLOUD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALCLOUD_PORT", str(port))
    monkeypatch.setattr(main, "prepare", lambda config: None)
    monkeypatch.setattr(
        process, "foreground_argv", lambda: [sys.executable, "-m", "tests.localcloud.fake_daemon"]
    )
    config = from_environment()
    give_credentials(config)
    yield config
    if pid := process.holder(config):
        os.kill(pid, signal.SIGKILL)
