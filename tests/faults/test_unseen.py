"""A destroy whose credentials may not look says so, and does not say that all is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import runner
from cloudtop import paths
from cloudtop.settings import clouds
from tests.cloud import fake_cloud, own
from tests.roles.plays import Place, tags_for

NAME = "box"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A cloudtop that has an address and nothing else, in the environment of its cloud."""
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        place = Place(endpoint, tmp_path / "home")
        place.ec2.allocate_address(TagSpecifications=tags_for("elastic-ip", NAME))
        for key, value in place.environ.items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("PATH", f"{place.environ['PATH']}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")
        # It runs already, in this process
        monkeypatch.setattr(clouds, "start", lambda cloud: None)
        monkeypatch.setattr(clouds, "enter", lambda cloud, region, profile: None)
        yield place


def destroy() -> int:
    return runner.main(["destroy", "--yes", "--name", NAME, "-e", "cloudtop_owner=alice"])


@pytest.mark.parametrize(
    ("action", "thing"),
    [
        ("ec2:DescribeAddresses", "an Elastic IP"),
        ("dlm:GetLifecyclePolicies", "a schedule that takes snapshots"),
    ],
)
def test_destroy_says_what_it_may_not_look_at(
    place: Place, capsys: pytest.CaptureFixture[str], action: str, thing: str
) -> None:
    own(place.endpoint, "account", {"denied": [action]})
    assert destroy() == 1
    output = capsys.readouterr()
    assert f"It may have {thing}, which costs money: these credentials may not look" in output.err
    assert action in output.err
    assert "Nothing of it is left" not in output.out + output.err
    own(place.endpoint, "account", {"default": True})
    assert destroy() == 0
    assert "Nothing of it is left, and nothing costs money any more." in capsys.readouterr().out
    assert place.ec2.describe_addresses()["Addresses"] == []
