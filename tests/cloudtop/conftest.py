"""A rehearsal cloud without machines, for what the command line asks of EC2 itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtop import paths
from tests import cloud


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cloud.fake_cloud(tmp_path_factory.mktemp("cloud")) as (url, _server, _host):
        yield url


@pytest.fixture
def entered(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment of that cloud, with no settings of one's own."""
    for key, value in cloud.environment(endpoint).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")


@pytest.fixture(autouse=True)
def no_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no credentials asks no metadata service of this computer for some."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
