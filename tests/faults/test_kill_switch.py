"""Law 4 for a switch of the zone: killed at each call that changes something, and run again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import fake_cloud
from tests.faults.killing import kill_after
from tests.faults.test_kill_restore import NAME, by_role, goes_through, running, start
from tests.roles.plays import Place, of, tags

# The snapshot, the early one's end, a volume, the old one's tags and the new one's; before
# them an early snapshot, the cancelling, the end and the mark, as in other commands
KILL_AFTER = range(5, 10)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path / "home")


def switch(place: Place) -> subprocess.Popen[str]:
    return start(
        place,
        "playbooks/switch_prepare.yml",
        "playbooks/switch_zone.yml",
        cloudtop_switch_zone="us-east-1b",
    )


@pytest.mark.parametrize("calls", KILL_AFTER)
def test_a_killed_switch_is_never_two_volumes_and_never_none(place: Place, calls: int) -> None:
    old, request = running(place)
    assert kill_after(calls, lambda: switch(place)), "it ended before"
    between = by_role(place)
    assert len(between.get("", [])) <= 1
    if not between.get(""):
        # Nothing is lost: each has the tags by which the next run goes on
        assert between["replaced"] == [old]
        assert len(between["restoring"]) == 1
    goes_through(switch(place))
    after = by_role(place)
    assert after.keys() == {"", "replaced"}
    assert after["replaced"] == [old]
    (new,) = after[""]
    (volume,) = place.ec2.describe_volumes(VolumeIds=[new])["Volumes"]
    assert volume["AvailabilityZone"] == "us-east-1b"
    assert place.instances(request) == []
    taken = place.ec2.describe_snapshots(OwnerIds=["self"], Filters=of(NAME))["Snapshots"]
    assert [each["SnapshotId"] for each in taken] == [volume["SnapshotId"]]
    assert tags(taken[0])["cloudtop:label"].startswith("before-switch-")
    goes_through(switch(place))
    assert by_role(place) == after
