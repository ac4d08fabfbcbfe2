"""Law 4 for snapshots and restores: killed at each call that changes something, and run again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import packing
from tests.cloud import fake_cloud
from tests.faults.killing import DEADLINE, kill_after
from tests.roles.plays import ROOT, Place, of, tags, tags_for

NAME = "box"
# A volume, the cancelling, the end, the old one's tags and the new one's
KILL_AFTER = range(1, 6)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path / "home")


def start(place: Place, *playbooks: str, **settings: Any) -> subprocess.Popen[str]:
    """Playbooks, one after the other, as a process group of its own."""
    given = {"cloudtop_name": NAME, "cloudtop_owner": "alice", **settings}
    return subprocess.Popen(
        [
            packing.ansible_playbook(),
            *("-e", "@inventory/clouds/rehearsal.yml", "-e", json.dumps(given)),
            *playbooks,
        ],
        cwd=ROOT,
        env=place.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def take(place: Place) -> subprocess.Popen[str]:
    return start(place, "playbooks/snapshot.yml", cloudtop_snapshot_label="good")


def restore(place: Place) -> subprocess.Popen[str]:
    return start(place, "playbooks/restore.yml", cloudtop_restore_from="good")


def goes_through(process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output


def by_role(place: Place) -> dict[str, list[str]]:
    by_role: dict[str, list[str]] = {}
    for volume in place.ec2.describe_volumes(Filters=of(NAME))["Volumes"]:
        by_role.setdefault(tags(volume).get("cloudtop:role", ""), []).append(volume["VolumeId"])
    return by_role


def running(place: Place) -> tuple[str, str]:
    """A cloudtop as a provision leaves it: its volume and its live request."""
    volume = place.make_volume(NAME)
    zone = {"AvailabilityZone": "us-east-1a"}
    spec = {"ImageId": place.image(), "InstanceType": "m5d.4xlarge", "Placement": zone}
    request = place.make_request(
        LaunchSpecification=spec, TagSpecifications=tags_for("spot-instances-request", NAME)
    )
    waiter = place.ec2.get_waiter("spot_instance_request_fulfilled")
    waiter.wait(SpotInstanceRequestIds=[request], WaiterConfig={"Delay": 1})
    (instance,) = place.instances(request)
    machine = instance["InstanceId"]
    place.ec2.get_waiter("instance_running").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1})
    place.ec2.attach_volume(VolumeId=volume, InstanceId=machine, Device="/dev/xvdj")
    return volume, request


def test_a_killed_snapshot_run_again_is_one(place: Place) -> None:
    place.make_volume(NAME)
    assert kill_after(1, lambda: take(place)), "it ended before"
    goes_through(take(place))
    snapshots = place.ec2.describe_snapshots(OwnerIds=["self"], Filters=of(NAME))["Snapshots"]
    assert [tags(each)["cloudtop:label"] for each in snapshots] == ["good"]


@pytest.mark.parametrize("calls", KILL_AFTER)
def test_a_killed_restore_is_never_two_volumes_and_never_none(place: Place, calls: int) -> None:
    old, request = running(place)
    goes_through(take(place))
    assert kill_after(calls, lambda: restore(place)), "it ended before"
    between = by_role(place)
    assert len(between.get("", [])) <= 1
    if not between.get(""):
        # Nothing is lost: each has the tags by which the next run goes on
        assert between["replaced"] == [old]
        assert len(between["restoring"]) == 1
    goes_through(restore(place))
    after = by_role(place)
    assert after.keys() == {"", "replaced"}
    assert after["replaced"] == [old]
    (new,) = after[""]
    assert new != old
    assert place.instances(request) == []
    states = {each["State"] for each in place.requests(NAME)}
    assert states <= {"cancelled", "closed"}
    goes_through(again := restore(place))
    assert again.returncode == 0
    assert by_role(place) == after
