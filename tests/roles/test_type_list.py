"""Further types, where EC2 has no machine of the first: one request at a time, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import fake_cloud
from tests.localcloud.lab import Lab
from tests.roles.plays import Outcome, Place, tags, tags_for

NAME, ZONE = "box", "us-east-1b"
FIRST, SECOND, THIRD = "m5d.4xlarge", "m6id.4xlarge", "c5d.4xlarge"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with fake_cloud(tmp_path / "cloud") as running:
        lab = Lab(*running)
        yield lab
        lab.tidy()


@pytest.fixture
def place(lab: Lab, tmp_path: Path) -> Place:
    place = Place(lab.endpoint, tmp_path / "home")
    place.make_volume(NAME, ZONE)
    return place


def full(lab: Lab, *types: str, zone: str = ZONE) -> None:
    """There is no room for machines of these types."""
    for each in types:
        lab.own("capacity", {"type": each, "zone": zone, "capacity": "none"})


def provision(place: Place, *types: str, **settings: Any) -> Outcome:
    return place.run(
        "playbooks/cloud.yml",
        cloudtop_name=NAME,
        cloudtop_bid=5,
        cloudtop_instance_types=list(types),
        **{"cloudtop_launch_deadline": 6, **settings},
    )


def asked(place: Place) -> list[tuple[str, str]]:
    """Type and state of every request so far, in the order of their generations."""
    requests = sorted(place.requests(NAME), key=lambda each: int(tags(each)["cloudtop:generation"]))
    return [(each["LaunchSpecification"]["InstanceType"], each["State"]) for each in requests]


def waiting(place: Place, kind: str, generation: int = 1, **wanted: Any) -> None:
    """A live request of that type, as a run that was killed left it."""
    (marked,) = tags_for("spot-instances-request", NAME)
    marked["Tags"].append({"Key": "cloudtop:generation", "Value": str(generation)})
    spec = {
        "ImageId": place.image(),
        "InstanceType": kind,
        "Placement": {"AvailabilityZone": ZONE},
    }
    place.make_request(
        SpotPrice="5", LaunchSpecification=spec, TagSpecifications=[marked], **wanted
    )


def test_the_next_type_is_taken_kept_and_shown(lab: Lab, place: Place) -> None:
    full(lab, FIRST)
    outcome = provision(place, SECOND, THIRD)
    assert outcome.code == 0, outcome.text
    assert asked(place) == [(FIRST, "cancelled"), (SECOND, "active")]
    words = f"EC2 had no {FIRST} within 6 s (capacity-not-available), so {SECOND} is requested."
    assert words in outcome.text
    before = place.mutating_calls()
    again = provision(place, SECOND, THIRD)
    assert (again.code, again.changed) == (0, 0), again.text
    assert f"The machine is {SECOND}, a further type, and is kept" in again.text
    assert place.mutating_calls() == before


def test_a_type_above_the_bid_gives_way_too(lab: Lab, place: Place) -> None:
    lab.price(9, FIRST, ZONE)
    outcome = provision(place, SECOND)
    assert outcome.code == 0, outcome.text
    assert asked(place) == [(FIRST, "cancelled"), (SECOND, "active")]
    assert f"EC2 had no {FIRST} within 6 s (price-too-low)" in outcome.text


def test_with_no_room_for_any_the_first_stays_asked_for(lab: Lab, place: Place) -> None:
    full(lab, FIRST, SECOND)
    lab.price(9, THIRD, ZONE)
    outcome = provision(place, SECOND, THIRD)
    assert outcome.code != 0
    *ended, (kind, state) = asked(place)
    assert ended == [(each, "cancelled") for each in (FIRST, SECOND, THIRD)]
    assert (kind, state) == (FIRST, "open")
    for words in (
        f"of each: {FIRST} (capacity-not-available: There is no",
        f", {SECOND} (capacity-not-available: There is no",
        f", {THIRD} (price-too-low: ",
        f" for {FIRST} is kept and EC2 goes on trying for that;",
        "python runner.py provision",
    ):
        assert words in outcome.sentence
    assert "\n" not in outcome.sentence


def test_a_run_killed_while_waiting_goes_on_after_that_type(lab: Lab, place: Place) -> None:
    full(lab, FIRST, SECOND)
    waiting(place, SECOND)
    outcome = provision(place, SECOND, THIRD)
    assert outcome.code == 0, outcome.text
    assert asked(place) == [(SECOND, "cancelled"), (THIRD, "active")]


def test_a_run_killed_between_two_requests_begins_anew(lab: Lab, place: Place) -> None:
    full(lab, FIRST)
    waiting(place, FIRST)
    (request,) = place.requests(NAME)
    place.ec2.cancel_spot_instance_requests(
        SpotInstanceRequestIds=[request["SpotInstanceRequestId"]]
    )
    outcome = provision(place, SECOND)
    assert outcome.code == 0, outcome.text
    assert asked(place) == [(FIRST, "cancelled"), (FIRST, "cancelled"), (SECOND, "active")]


def test_passes_over_a_type_that_is_not_offered(lab: Lab, place: Place) -> None:
    outcome = provision(place, SECOND, cloudtop_instance_type="i3.400xlarge")
    assert outcome.code == 0, outcome.text
    assert asked(place) == [(SECOND, "active")]
    assert f"i3.400xlarge can't be had in {ZONE}: passed over." in outcome.text


def test_keeps_the_first_type_if_no_other_is_offered(lab: Lab, place: Place) -> None:
    full(lab, FIRST)
    outcome = provision(place, "i3.400xlarge")
    assert outcome.code != 0
    assert asked(place) == [(FIRST, "open")]
    assert "after 6 s the request is kept and EC2 goes on trying" in outcome.sentence


def test_a_machine_that_ec2_stopped_is_left_alone(lab: Lab, place: Place) -> None:
    waiting(place, FIRST, InstanceInterruptionBehavior="stop")
    (request,) = place.requests(NAME)
    lab.reaches(request["SpotInstanceRequestId"], "active", "fulfilled")
    (machine,) = place.instances(request["SpotInstanceRequestId"])
    full(lab, FIRST)
    lab.reap(machine["InstanceId"], notice=0)
    lab.reaches(request["SpotInstanceRequestId"], "disabled", "instance-stopped-no-capacity")
    outcome = provision(place, SECOND, cloudtop_interruption="stop")
    assert "only EC2 starts it again" in outcome.sentence
    assert asked(place) == [(FIRST, "disabled")]


def test_check_mode_gives_nothing_up(lab: Lab, place: Place) -> None:
    full(lab, FIRST)
    waiting(place, FIRST)
    before = place.mutating_calls()
    outcome = place.run(
        "playbooks/cloud.yml", "--check", cloudtop_name=NAME, cloudtop_instance_types=[SECOND]
    )
    assert outcome.code == 0, outcome.text
    assert place.mutating_calls() == before


@pytest.mark.parametrize("given", [f"{SECOND},{THIRD}", f"[{SECOND}, {THIRD}]"])
def test_a_text_is_a_list_too(lab: Lab, place: Place, given: str) -> None:
    full(lab, FIRST, SECOND)
    waiting(place, SECOND)
    outcome = place.run(
        "playbooks/cloud.yml",
        *("-e", f'cloudtop_instance_types="{given}"'),
        cloudtop_name=NAME,
        cloudtop_bid=5,
        cloudtop_launch_deadline=6,
    )
    assert outcome.code == 0, outcome.text
    assert asked(place) == [(SECOND, "cancelled"), (THIRD, "active")]


def test_a_first_volume_prefers_a_zone_that_offers_further_types(lab: Lab, place: Place) -> None:
    kind = "i3.4xlarge"
    lab.price(0.001, kind, "us-east-1e")
    lab.price(0.002, kind, "us-east-1c")
    # In all zones but us-east-1e
    for name, further, zone in (("alone", [], "e"), ("more", ["r5d.4xlarge"], "c")):
        outcome = place.run(
            "tests/playbooks/volume.yml",
            cloudtop_name=name,
            cloudtop_instance_type=kind,
            cloudtop_instance_types=further,
            sizes=[1],
        )
        assert outcome.code == 0, outcome.text
        (volume,) = place.volumes(name)
        assert volume["AvailabilityZone"] == f"us-east-1{zone}"
