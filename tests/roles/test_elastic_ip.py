"""One Elastic IP: allocated once, at the present machine, and released with the cloudtop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.roles.plays import Outcome, Place, of, tags, tags_for

NAME = "box"
CLOUD = "playbooks/cloud.yml"


def provision(place: Place, **settings: Any) -> Outcome:
    return place.run(CLOUD, **{"cloudtop_name": NAME, "cloudtop_elastic_ip": True, **settings})


def addresses(place: Place, name: str = NAME) -> list[dict[str, Any]]:
    return list(place.ec2.describe_addresses(Filters=of(name))["Addresses"])


def machine(place: Place) -> dict[str, Any]:
    (request,) = [each for each in place.requests(NAME) if each["State"] == "active"]
    (instance,) = place.instances(request["SpotInstanceRequestId"])
    return instance


@pytest.fixture(scope="module")
def first(place: Place) -> Outcome:
    outcome = provision(place)
    assert outcome.code == 0, outcome.text
    return outcome


def test_the_machine_has_the_one_address_of_the_cloudtop(place: Place, first: Outcome) -> None:
    (address,) = addresses(place)
    assert tags(address) == {
        "Name": "cloudtop-box",
        "cloudtop:name": "box",
        "cloudtop:owner": "alice",
    }
    assert address["InstanceId"] == machine(place)["InstanceId"]
    assert machine(place)["PublicIpAddress"] == address["PublicIp"]


def test_the_machine_may_take_this_address_and_no_other(place: Place, first: Outcome) -> None:
    (profile,) = place.iam.list_instance_profiles()["InstanceProfiles"]
    role = profile["Roles"][0]["RoleName"]
    (name,) = place.iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = place.iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    here = f"arn:aws:ec2:us-east-1:{profile['Arn'].split(':')[4]}"
    allocation = addresses(place)[0]["AllocationId"]
    given = [
        (each["Resource"], each.get("Condition"))
        for each in policy["Statement"]
        if each["Action"] == "ec2:AssociateAddress"
    ]
    this_machine = {"ArnEquals": {"ec2:InstanceProfile": profile["Arn"]}}
    zone = machine(place)["Placement"]["AvailabilityZone"]
    in_zone = {"StringLikeIfExists": {"ec2:AvailabilityZone": zone}}
    assert given == [
        ([f"{here}:elastic-ip/{allocation}"], None),
        (f"{here}:network-interface/*", in_zone),
        (f"{here}:instance/*", this_machine),
    ]
    assert "Address" not in str([one["Action"] for one in policy["Statement"][:3]])


def test_twice_is_once(place: Place, first: Outcome) -> None:
    before = place.mutating_calls()
    again = provision(place)
    assert (again.code, again.changed) == (0, 0), again.text
    assert place.mutating_calls() == before
    # The setting alone allocates; what is there is the cloudtop's without it, too
    without = provision(place, cloudtop_elastic_ip=None)
    assert (without.code, without.changed) == (0, 0), without.text
    assert place.mutating_calls() == before


def test_a_relaunched_machine_gets_the_address(place: Place, first: Outcome) -> None:
    (before,) = addresses(place)
    old = machine(place)["InstanceId"]
    place.ec2.terminate_instances(InstanceIds=[old])
    outcome = provision(place)
    assert outcome.code == 0, outcome.text
    (after,) = addresses(place)
    assert after["AllocationId"] == before["AllocationId"]
    assert after["InstanceId"] == machine(place)["InstanceId"] != old


def test_converge_looks_for_the_machine_at_its_new_address(place: Place, first: Outcome) -> None:
    (address,) = addresses(place)
    place.ec2.disassociate_address(AssociationId=address["AssociationId"])
    assert machine(place)["PublicIpAddress"] != address["PublicIp"]
    outcome = place.run("tests/playbooks/held.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    # The look of the play still has the address of before
    where = f"ansible_host is {address['PublicIp']}, and the facts have {address['PublicIp']}."
    assert where in outcome.text
    assert machine(place)["PublicIpAddress"] == address["PublicIp"]


def test_destroy_releases_the_address(place: Place, first: Outcome) -> None:
    place.ec2.allocate_address(TagSpecifications=tags_for("elastic-ip", "other"))
    outcome = place.run("playbooks/destroy.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    assert addresses(place) == []
    assert len(addresses(place, "other")) == 1
    again = place.run("playbooks/destroy.yml", cloudtop_name=NAME)
    assert (again.code, again.changed) == (0, 0), again.text


def test_two_laptops_at_once_have_one_address(place: Place, tmp_path: Any) -> None:
    other = Place(place.endpoint, tmp_path)
    with ThreadPoolExecutor() as both:
        outcomes = list(
            both.map(lambda each: provision(each, cloudtop_name="twin"), (place, other))
        )
    assert [outcome.text for outcome in outcomes if "Traceback" in outcome.text] == []
    assert 0 in [outcome.code for outcome in outcomes]
    assert len(addresses(place, "twin")) == 1


def test_no_address_is_left_to_allocate(place: Place) -> None:
    while len(place.ec2.describe_addresses()["Addresses"]) < 5:
        place.ec2.allocate_address()
    outcome = provision(place, cloudtop_name="sixth")
    assert outcome.code != 0
    assert "-e cloudtop_elastic_ip=false" in outcome.sentence
    assert place.requests("sixth") == []
