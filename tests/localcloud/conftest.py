"""A rehearsal cloud without machines for each file of tests: a process has one at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.fake import FakeHost
from localcloud.server import Server
from tests.cloud import fake_cloud
from tests.localcloud.lab import Lab


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
