"""Blows at EC2 that a cloudtop survives, or names plainly: each ends with one of each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import fake_cloud, own
from tests.roles.plays import Outcome, Place, tags_for

CLOUD = "playbooks/cloud.yml"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path / "home")


def provision(place: Place, **settings: Any) -> Outcome:
    return place.run(CLOUD, cloudtop_name="box", **settings)


def live(place: Place) -> list[dict[str, Any]]:
    states = {"open", "active", "disabled"}
    return [each for each in place.requests("box") if each["State"] in states]


def has_one_of_each(place: Place) -> None:
    (request,) = live(place)
    assert len(place.instances(request["SpotInstanceRequestId"])) == 1
    assert len(place.volumes("box")) == 1


def pull(place: Place, lever: str, **given: Any) -> None:
    own(place.endpoint, lever, given)


def spec(place: Place, **other: Any) -> dict[str, Any]:
    zone = {"AvailabilityZone": "us-east-1a"}
    return {"ImageId": place.image(), "InstanceType": "m5d.4xlarge", "Placement": zone, **other}


def test_two_laptops_running_provision_at_once(place: Place, tmp_path: Path) -> None:
    other = Place(place.endpoint, tmp_path / "other-home")
    with ThreadPoolExecutor() as both:
        outcomes = list(both.map(provision, (place, other)))
    assert [outcome.text for outcome in outcomes if "Traceback" in outcome.text] == []
    for laptop in (place, other):
        again = provision(laptop)
        assert again.code == 0, again.text
    has_one_of_each(place)
    assert len(place.requests("box")) == 1


def test_the_pinned_image_deregistered(place: Place) -> None:
    root = place.ec2.run_instances(ImageId=place.image(), MinCount=1, MaxCount=1)
    machine = root["Instances"][0]["InstanceId"]
    place.ec2.get_waiter("instance_running").wait(InstanceIds=[machine], WaiterConfig={"Delay": 1})
    image = place.ec2.create_image(InstanceId=machine, Name="pinned", NoReboot=True)["ImageId"]
    place.ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})
    assert provision(place, cloudtop_image=image).code == 0
    (request,) = live(place)
    place.ec2.deregister_image(ImageId=image)
    (instance,) = place.instances(request["SpotInstanceRequestId"])
    place.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    outcome = provision(place)
    if outcome.code:
        # It was asked before EC2 had found out that the image is gone
        assert image in outcome.text
        outcome = provision(place)
    assert outcome.code == 0, outcome.text
    has_one_of_each(place)
    assert live(place)[0]["LaunchSpecification"]["ImageId"] == place.image()


def test_a_request_that_expired_with_its_instance_running(place: Place) -> None:
    place.make_volume("box")
    key = place.make_request(
        LaunchSpecification=spec(place),
        ValidUntil=datetime.now(UTC) + timedelta(seconds=5),
        TagSpecifications=tags_for("spot-instances-request", "box"),
    )
    waiter = place.ec2.get_waiter("spot_instance_request_fulfilled")
    waiter.wait(SpotInstanceRequestIds=[key], WaiterConfig={"Delay": 1})
    while live(place):
        assert place.instances(key)
    before = place.mutating_calls()
    outcome = provision(place)
    assert outcome.code != 0
    assert "still runs although its request has ended" in outcome.sentence
    assert outcome.sentence.endswith("python runner.py provision")
    assert live(place) == []
    assert place.mutating_calls() - before <= 10
    assert place.run("playbooks/destroy.yml", cloudtop_name="box").code == 0
    assert place.instances(key) == []
    assert len(place.volumes("box")) == 1


def test_no_capacity_past_the_deadline(place: Place) -> None:
    kind = "m5d.4xlarge"
    offerings = place.ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [kind]}]
    )["InstanceTypeOfferings"]
    zones = [each["Location"] for each in offerings]
    assert len(zones) > 1
    for zone in zones:
        pull(place, "capacity", type=kind, zone=zone, capacity="none")
    outcome = provision(place, cloudtop_launch_deadline=5)
    assert outcome.code != 0
    (request,) = live(place)
    assert "capacity-not-available" in outcome.sentence
    assert f"The request {request['SpotInstanceRequestId']} has no running" in outcome.sentence
    for zone in zones:
        pull(place, "capacity", type=kind, zone=zone, capacity="some")
    again = provision(place)
    assert again.code == 0, again.text
    has_one_of_each(place)
    assert live(place)[0]["SpotInstanceRequestId"] == request["SpotInstanceRequestId"]


def test_the_volume_gone_while_the_request_lives(place: Place) -> None:
    assert provision(place).code == 0
    (volume,) = place.volumes("box")
    place.ec2.delete_volume(VolumeId=volume["VolumeId"])
    outcome = provision(place)
    assert outcome.code != 0
    assert "is alive, but its volume is gone" in outcome.sentence
    assert place.volumes("box") == []


def test_the_volume_attached_to_a_stranger(place: Place) -> None:
    volume = place.make_volume("box")
    ran = place.ec2.run_instances(
        ImageId=place.image(),
        InstanceType="m5d.4xlarge",
        Placement={"AvailabilityZone": "us-east-1a"},
        MinCount=1,
        MaxCount=1,
    )
    stranger = ran["Instances"][0]["InstanceId"]
    place.ec2.get_waiter("instance_running").wait(InstanceIds=[stranger], WaiterConfig={"Delay": 1})
    place.ec2.attach_volume(VolumeId=volume, InstanceId=stranger, Device="/dev/xvdj")
    outcome = provision(place)
    assert outcome.code != 0
    assert f"{volume} is attached to {stranger}, which is no machine of" in outcome.sentence
    assert live(place) == []
