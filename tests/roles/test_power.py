"""The machine stopped and started by hand: once, twice, and what EC2 does not do."""

from __future__ import annotations

from typing import Any

import pytest

from tests import cloud
from tests.localcloud.lab import until
from tests.roles.plays import Outcome, Place, tags, tags_for

NAME = "box"
STOP, START = "playbooks/stop.yml", "tests/playbooks/start.yml"


def only(place: Place, name: str = NAME) -> dict[str, Any]:
    """The one live request."""
    live = [each for each in place.requests(name) if each["State"] in ("active", "disabled")]
    (request,) = live
    return request


def machine(place: Place, name: str = NAME) -> dict[str, Any]:
    (instance,) = place.instances(only(place, name)["SpotInstanceRequestId"])
    return instance


def run(place: Place, playbook: str, name: str = NAME, **settings: Any) -> Outcome:
    return place.run(playbook, cloudtop_name=name, **settings)


def unchanged(place: Place, playbook: str) -> None:
    """The playbook has nothing to do, and calls nothing that changes something."""
    before = place.mutating_calls()
    outcome = run(place, playbook)
    assert (outcome.code, outcome.changed) == (0, 0), outcome.text
    assert place.mutating_calls() == before


def refused(place: Place, playbook: str, name: str, *words: str) -> None:
    """The playbook fails with one plain sentence, and nothing is changed."""
    before = place.mutating_calls()
    outcome = run(place, playbook, name, cloudtop_launch_deadline=3)
    assert outcome.code != 0, outcome.text
    for word in (*words, "python runner.py"):
        assert word in outcome.sentence
    assert "\n" not in outcome.sentence
    assert place.mutating_calls() == before


@pytest.fixture(scope="module")
def first(place: Place) -> dict[str, Any]:
    """Its machine, as it was before all else."""
    outcome = run(place, "playbooks/cloud.yml")
    assert outcome.code == 0, outcome.text
    return machine(place)


def test_stops_the_machine_and_keeps_all_else(place: Place, first: dict[str, Any]) -> None:
    unchanged(place, START)
    outcome = run(place, STOP)
    assert (outcome.code, outcome.changed) == (0, 1), outcome.text
    stopped = machine(place)
    assert stopped["InstanceId"] == first["InstanceId"]
    assert stopped["State"]["Name"] == "stopped"
    request = only(place)
    assert (request["State"], request["Status"]["Code"]) == (
        "disabled",
        "instance-stopped-by-user",
    )
    unchanged(place, STOP)


def test_starts_the_same_machine(place: Place, first: dict[str, Any]) -> None:
    place.ec2.delete_tags(Resources=[first["InstanceId"]])
    outcome = run(place, START)
    assert outcome.code == 0, outcome.text
    started = machine(place)
    assert started["InstanceId"] == first["InstanceId"]
    assert started["State"]["Name"] == "running"
    assert tags(started) == tags(first)
    unchanged(place, START)


def test_names_a_lack_of_room(place: Place, first: dict[str, Any]) -> None:
    assert run(place, STOP).code == 0
    room = {"type": "m5d.4xlarge", "zone": first["Placement"]["AvailabilityZone"]}
    try:
        own(place, "capacity", {**room, "capacity": "none"})
        outcome = run(place, START)
    finally:
        own(place, "capacity", {**room, "capacity": "some"})
    assert outcome.code != 0
    assert "InsufficientInstanceCapacity" in outcome.sentence
    assert "stays stopped with its volume" in outcome.sentence
    assert run(place, START).code == 0


def test_check_mode_stops_nothing(place: Place, first: dict[str, Any]) -> None:
    before = place.mutating_calls()
    outcome = place.run(STOP, "--check", cloudtop_name=NAME)
    assert (outcome.code, outcome.changed) == (0, 1), outcome.text
    assert place.mutating_calls() == before


def test_what_ec2_stopped_only_ec2_starts(place: Place) -> None:
    make(place, "taken", InstanceInterruptionBehavior="stop")
    room = {"type": "m5d.4xlarge", "zone": "us-east-1a"}
    own(place, "capacity", {**room, "capacity": "none"})
    try:
        own(place, "reap", {"instance": machine(place, "taken")["InstanceId"], "notice": 0})
        await_state(place, "taken", "disabled")
        refused(place, START, "taken", "only EC2 starts it again", "instance-stopped-")
        refused(place, STOP, "taken", "cannot be kept stopped", "instance-stopped-")
    finally:
        own(place, "capacity", {**room, "capacity": "some"})


def test_a_one_time_request_has_no_stop(place: Place) -> None:
    make(place, "once", Type="one-time")
    refused(place, STOP, "once", "is one-time", "runner.py destroy")


def test_nothing_there_is_told(place: Place) -> None:
    refused(place, STOP, "nobody", "no live request", '"nobody"', "provision")
    refused(place, START, "nobody", "no live request", '"nobody"', "provision")


def test_names_a_request_without_a_machine(place: Place) -> None:
    make(place, "cheap", SpotPrice="0.0002", state="open")
    refused(place, STOP, "cheap", "price-too-low", "destroy")
    refused(place, START, "cheap", "price-too-low", "watch")


def make(place: Place, name: str, state: str = "active", **wanted: Any) -> None:
    """A cloudtop's volume and request, made by hand."""
    place.make_volume(name)
    spec = {
        "ImageId": place.image(),
        "InstanceType": "m5d.4xlarge",
        "Placement": {"AvailabilityZone": "us-east-1a"},
    }
    place.make_request(
        TagSpecifications=tags_for("spot-instances-request", name),
        LaunchSpecification=spec,
        **wanted,
    )
    await_state(place, name, state)


def await_state(place: Place, name: str, state: str) -> None:
    until(f"{name} is {state}", lambda: place.requests(name)[0]["State"] == state)


def own(place: Place, path: str, given: dict[str, Any]) -> None:
    """A control of the rehearsal cloud."""
    cloud.own(place.endpoint, path, given)
