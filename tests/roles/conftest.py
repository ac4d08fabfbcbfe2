"""A rehearsal cloud without machines for each file of tests; modules are packed once for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import fake_cloud
from tests.roles import owners_policy
from tests.roles.plays import Place


@pytest.fixture(scope="session", autouse=True)
def quick_playbooks(packed_modules: Path) -> None:
    """All playbooks of this folder take what others have packed."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as (endpoint, _server, _host):
        place = Place(endpoint, tmp_path_factory.mktemp("home"))
        yield place
        # Whatever the playbooks of the file were: bake, switch, snapshot, restore, stop, start
        assert owners_policy.lacking(place.called) == set(), "docs/aws-policy.json lacks these"
