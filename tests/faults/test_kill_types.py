"""Law 4 for a list of types: killed at each call that changes something, and run again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import fake_cloud
from tests.faults.killing import kill_after
from tests.faults.test_kill_restore import goes_through, start
from tests.localcloud.lab import Lab
from tests.roles.plays import Place, of, tags_for

NAME, ZONE, LIVE = "box", "us-east-1a", {"open", "active", "disabled"}
FIRST, SECOND = "m5d.4xlarge", "m6id.4xlarge"
RUNNING = {"Name": "instance-state-name", "Values": ["pending", "running"]}
# The access is made (see test_strikes); then the first type's request is cancelled, a generation is
# noted, the second type is asked for and its machine is tagged
KILL_AFTER = range(8, 14)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with fake_cloud(tmp_path / "cloud") as running:
        lab = Lab(*running)
        lab.own("capacity", {"type": FIRST, "zone": ZONE, "capacity": "none"})
        yield lab
        lab.tidy()


@pytest.fixture
def place(lab: Lab, tmp_path: Path) -> Place:
    """A cloudtop whose request EC2 has no machine for."""
    place = Place(lab.endpoint, tmp_path / "home")
    place.make_volume(NAME, ZONE)
    spec = {
        "ImageId": place.image(),
        "InstanceType": FIRST,
        "Placement": {"AvailabilityZone": ZONE},
    }
    (marked,) = tags_for("spot-instances-request", NAME)
    marked["Tags"].append({"Key": "cloudtop:generation", "Value": "1"})
    place.make_request(LaunchSpecification=spec, TagSpecifications=[marked])
    return place


def provision(place: Place) -> subprocess.Popen[str]:
    return start(
        place,
        "playbooks/cloud.yml",
        cloudtop_instance_types=[SECOND],
        cloudtop_bid=5,
        cloudtop_launch_deadline=6,
    )


def live(place: Place) -> list[str]:
    """The types of the live requests."""
    return [
        each["LaunchSpecification"]["InstanceType"]
        for each in place.requests(NAME)
        if each["State"] in LIVE
    ]


@pytest.mark.parametrize("calls", KILL_AFTER)
def test_killed_between_two_types_there_is_never_more_than_one_request(
    place: Place, calls: int
) -> None:
    assert kill_after(calls, lambda: provision(place)), "it ended before"
    assert len(live(place)) <= 1
    goes_through(provision(place))
    assert live(place) == [SECOND]
    machines = place.ec2.describe_instances(Filters=[*of(NAME), RUNNING])["Reservations"]
    assert len(machines) == 1
