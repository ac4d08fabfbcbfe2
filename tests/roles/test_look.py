"""One look at EC2 in place of many: what it spares, and what it is never believed."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import fake_cloud, own
from tests.machine_programs.support.load import module
from tests.roles.plays import Outcome, Place, of

gather = module("ansible.module_utils.looks.gather")

CLOUD = "playbooks/cloud.yml"
NAME = {"cloudtop_name": "looked"}
IDENTITY = {"cloudtop:name": "looked", "cloudtop:owner": "alice"}
# Two of the inventory, and ten of the look
MOST_CALLS = 12
# Snapshots, policies, one policy, a role and its own policy
SCHEDULE_CALLS = 5
# Calls of the inventory: for machines, and for the regions of the account
INVENTORY = {"ec2:DescribeRegions", "ec2:DescribeInstances"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A cloud for each test, as some leave nothing as it was."""
    with fake_cloud(tmp_path / "cloud") as (endpoint, _server, _host):
        yield Place(endpoint, tmp_path / "home")


def provision(place: Place, *options: str, **settings: Any) -> Outcome:
    outcome = place.run(CLOUD, *options, **NAME, **settings)
    assert outcome.code == 0, outcome.text
    return outcome


def modules(outcome: Outcome) -> list[str]:
    """The modules for which a Python was started, in their order; needs -vvv."""
    return re.findall(r"Using module file \S*/(\w+)\.py", outcome.text)


def calls(place: Place) -> Counter[str]:
    kinds = own(place.endpoint, "calls")["actions"].values()
    return sum((Counter(kind) for kind in kinds), Counter())


def shown(place: Place, age: float = 0.0) -> dict[str, Any]:
    """The facts of a look of now, or of so many seconds ago."""
    ec2 = gather.ec2_calls(place.ec2, IDENTITY, ["m5d.4xlarge"])
    parts = {name: gather.plain(call()) for name, call in ec2.items()}
    whose = {"name": "looked", "owner": "alice", "region": "us-east-1"}
    return {**whose, "at": time.time() - age, "parts": parts}


def live(place: Place) -> list[str]:
    states = {"open", "active", "disabled"}
    requests = [each for each in place.requests("looked") if each["State"] in states]
    return [each["SpotInstanceRequestId"] for each in requests]


def test_a_provision_that_changes_nothing_is_one_module_and_a_handful_of_calls(
    place: Place,
) -> None:
    provision(place, cloudtop_elastic_ip=True)
    own(place.endpoint, "calls/reset", method="POST")
    again = provision(place, "-vvv", cloudtop_elastic_ip=True)
    assert again.changed == 0
    assert modules(again) == ["ec2_look"]
    assert place.mutating_calls() == 0
    spent = calls(place)
    # The inventory, and the requests' instances beside those with tags
    assert spent["ec2:DescribeInstances"] <= 3
    assert max(count for name, count in spent.items() if name not in INVENTORY) == 1
    assert sum(spent.values()) <= MOST_CALLS


def test_a_schedule_that_is_as_wanted_is_part_of_the_look(place: Place) -> None:
    wanted = {"cloudtop_snapshot_hours": 24, "cloudtop_ssh_cidr": "192.0.2.0/24"}
    provision(place, **wanted)
    own(place.endpoint, "calls/reset", method="POST")
    again = provision(place, "-vvv", **wanted)
    assert again.changed == 0
    assert modules(again) == ["ec2_look"]
    assert place.mutating_calls() == 0
    # The policies are listed, and the one of ours is looked at
    assert calls(place)["dlm:GetLifecyclePolicies"] == 1
    assert sum(calls(place).values()) <= MOST_CALLS + SCHEDULE_CALLS
    # Another rhythm is for the module, and for nobody else
    other = provision(place, "-vvv", **wanted, cloudtop_snapshot_keep=3)
    assert other.changed == 1
    assert modules(other) == ["ec2_look", "dlm_policy_once"]


def test_a_role_in_a_play_without_a_look_looks_for_itself(place: Place) -> None:
    volume = place.make_volume("looked")
    outcome = place.run("tests/playbooks/volume.yml", "-vvv", sizes=[10], **NAME)
    assert outcome.code == 0, outcome.text
    assert "ec2_persistent_volume_plan" in modules(outcome)
    assert "ec2_look" not in modules(outcome)
    assert [each["VolumeId"] for each in place.volumes("looked")] == [volume]


def test_another_computer_makes_it_all_between_the_look_and_the_roles(place: Place) -> None:
    """The facts are given, so the look of this run is the one of before."""
    before = shown(place)
    provision(place)
    mutating = place.mutating_calls()
    again = provision(place, ec2_look_facts={**before, "at": time.time()})
    assert again.changed == 0
    assert place.mutating_calls() == mutating
    assert len(live(place)) == 1
    assert len(place.volumes("looked")) == 1


def test_a_look_of_the_past_is_not_gone_by(place: Place) -> None:
    provision(place)
    (request,) = live(place)
    before = shown(place)
    outcome = place.run("playbooks/destroy.yml", **NAME)
    assert outcome.code == 0, outcome.text
    provision(place, ec2_look_facts={**before, "at": time.time() - 60})
    (other,) = live(place)
    assert other != request


def test_an_address_of_this_play_goes_to_the_machine_that_the_look_knows(place: Place) -> None:
    """The look has no address, and the role makes one: then it is there to be held."""
    provision(place)
    provision(place, cloudtop_elastic_ip=True)
    (address,) = place.ec2.describe_addresses(Filters=of("looked"))["Addresses"]
    (machine,) = place.instances(live(place)[0])
    assert address["InstanceId"] == machine["InstanceId"]


def test_a_machine_of_this_play_gets_the_address_that_the_look_knows(place: Place) -> None:
    """The look has the machine of a request that ends in the same play."""
    provision(place, cloudtop_elastic_ip=True)
    (request,) = live(place)
    provision(place, cloudtop_elastic_ip=True, cloudtop_switch=True, cloudtop_bid=0.9)
    (other,) = live(place)
    assert other != request
    (address,) = place.ec2.describe_addresses(Filters=of("looked"))["Addresses"]
    (machine,) = place.instances(other)
    assert address["InstanceId"] == machine["InstanceId"]


def test_playbooks_after_each_other_do_not_share_a_look(place: Place) -> None:
    """The look of the first is of before all that it makes, which the second is to end."""
    outcome = place.run("playbooks/destroy.yml", CLOUD, **NAME, cloudtop_elastic_ip=True)
    assert outcome.code == 0, outcome.text
    assert live(place) == []
    assert place.ec2.describe_addresses(Filters=of("looked"))["Addresses"] == []
    provision(place)
    assert len(live(place)) == 1


def test_who_may_not_look_is_no_worse_off(place: Place) -> None:
    """Each part that is denied is looked up by its role, which says what it always has."""
    provision(place)
    place.control("account", {"denied": ["ec2:DescribeAddresses", "ec2:DescribeInstanceTypes"]})
    again = provision(place, "-vvv")
    assert again.changed == 0
    assert modules(again) == [
        "ec2_look",
        "ec2_address_once",
        "ec2_spot_request_plan",
        "ec2_address_once",
    ]
    place.control("account", {"default": True})
