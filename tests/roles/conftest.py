"""A rehearsal cloud without machines for each file of tests; modules are packed once for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import packing
from tests.cloud import fake_cloud
from tests.roles.plays import Place


@pytest.fixture(scope="session", autouse=True)
def packed_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with packing.kept(tmp_path_factory) as store:
        yield store


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path_factory.mktemp("home"))
