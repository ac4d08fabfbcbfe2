"""A rehearsal cloud without machines for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cloud import fake_cloud
from tests.roles.plays import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path_factory.mktemp("home"))
