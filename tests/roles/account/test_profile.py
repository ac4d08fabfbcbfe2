"""Machines without a role of cloudtop's own: with none, or with one that an administrator made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.roles.plays import Outcome, Place
from tests.roles.provisioned import make_profile

NONE = {"cloudtop_instance_profile": "none"}
ATTACH = "tests/playbooks/attach.yml"


def good(place: Place, playbook: str, **settings: Any) -> Outcome:
    outcome = place.run(playbook, **{"cloudtop_name": "plain", **settings})
    assert outcome.code == 0, outcome.text
    return outcome


@pytest.fixture
def no_iam(place: Place) -> Iterator[None]:
    """Nobody may do anything in IAM."""
    place.control("account", {"denied": ["iam:*"]})
    yield
    place.control("account", {"default": True})


def machine(place: Place, name: str) -> dict[str, Any]:
    (request,) = [each for each in place.requests(name) if each["State"] == "active"]
    (instance,) = place.instances(request["SpotInstanceRequestId"])
    return instance


def test_b7_a_cloudtop_needs_nothing_of_iam(place: Place, no_iam: None) -> None:
    good(place, "playbooks/cloud.yml", **NONE)
    assert good(place, "playbooks/cloud.yml", **NONE).changed == 0
    (request,) = place.requests("plain")
    assert "IamInstanceProfile" not in request["LaunchSpecification"]
    for changed in (1, 0):
        assert good(place, ATTACH, **NONE).changed == changed
    (volume,) = place.volumes("plain")
    assert volume["Attachments"][0]["InstanceId"] == machine(place, "plain")["InstanceId"]
    good(place, "playbooks/destroy.yml", **NONE)
    assert place.requests("plain")[0]["State"] == "cancelled"


def test_b7_the_volume_comes_to_the_machine_after_a_reap(place: Place, no_iam: None) -> None:
    old = machine_of_new(place, "reaped", NONE)
    place.control("reap", {"instance": old, "notice": 0})
    place.ec2.get_waiter("instance_terminated").wait(InstanceIds=[old])
    good(place, "playbooks/cloud.yml", cloudtop_name="reaped", **NONE)
    assert good(place, ATTACH, cloudtop_name="reaped", **NONE).changed == 1
    (volume,) = place.volumes("reaped")
    now = machine(place, "reaped")["InstanceId"]
    assert volume["Attachments"][0]["InstanceId"] == now != old


def machine_of_new(place: Place, name: str, settings: dict[str, Any]) -> str:
    """Id of the machine of a cloudtop that is made, its volume at it."""
    good(place, "playbooks/cloud.yml", cloudtop_name=name, **settings)
    good(place, ATTACH, cloudtop_name=name, **settings)
    return str(machine(place, name)["InstanceId"])


def test_a_volume_is_not_taken_from_another_machine(place: Place) -> None:
    holder = machine_of_new(place, "holder", NONE)
    other = machine_of_new(place, "other", NONE)
    (volume,) = place.volumes("holder")
    given = {"persistent_volume_attach_to": other, "persistent_volume_attach_deadline": 1}
    outcome = place.run(ATTACH, cloudtop_name="holder", **given)
    assert outcome.code != 0
    assert f"{holder} still has it" in outcome.sentence
    (after,) = place.volumes("holder")
    assert after["Attachments"] == volume["Attachments"]


def test_without_a_role_no_machine_is_to_end_itself(place: Place) -> None:
    before = place.mutating_calls()
    outcome = place.run(
        "tests/playbooks/access.yml", cloudtop_idle_stop_minutes=30, cloudtop_name="idle",
        **NONE,
    )  # fmt: skip
    assert "can't stop itself" in outcome.sentence
    assert "cloudtop_idle_stop_minutes=0" in outcome.sentence
    assert place.roles() == []
    assert place.mutating_calls() >= before


def test_b7_a_profile_of_an_administrator_stays_as_it_is(place: Place) -> None:
    profile = make_profile(place)
    roles = place.iam.list_roles()["Roles"]
    named = {"cloudtop_name": "named", "cloudtop_instance_profile": profile}
    place.control("account", {"denied": ["iam:C*", "iam:Put*", "iam:Tag*", "iam:Get*"]})
    try:
        good(place, "playbooks/cloud.yml", **named)
    finally:
        place.control("account", {"default": True})
    assert machine(place, "named")["IamInstanceProfile"]["Arn"].endswith(f"/{profile}")
    # Its role may not attach: this computer does
    assert good(place, ATTACH, **named).changed == 1
    outcome = good(place, "playbooks/cloud.yml", cloudtop_name="named", **NONE)
    assert f"its instance profile is {profile}, not none" in outcome.text
    good(place, "playbooks/destroy.yml", **named)
    assert place.iam.list_roles()["Roles"] == roles
