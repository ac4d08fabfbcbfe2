"""One live request: made, found again, taken over after a relaunch, and ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.machine_programs.support import load
from tests.roles.plays import Outcome, Place, of, tags

ours = load.module("ansible.module_utils.ec2_ours")

NAME = "box"
IDENTITY = {"Name": "cloudtop-box", "cloudtop:name": "box", "cloudtop:owner": "alice"}


@pytest.fixture(scope="module")
def first(place: Place) -> Outcome:
    """A whole first run; the tests below look at what it made."""
    outcome = place.run("playbooks/cloud.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    return outcome


@pytest.fixture
def request_(first: Outcome, place: Place) -> dict[str, Any]:
    (only,) = [each for each in place.requests(NAME) if each["State"] == "active"]
    return only


def test_makes_a_persistent_request_as_asked(place: Place, request_: dict[str, Any]) -> None:
    spec = request_["LaunchSpecification"]
    assert request_["Type"] == "persistent"
    assert float(request_["SpotPrice"]) == 0.65
    assert request_["InstanceInterruptionBehavior"] == "terminate"
    assert spec["InstanceType"] == "m5d.4xlarge"
    assert tags(request_) == {**IDENTITY, "cloudtop:generation": "1"}
    (volume,) = place.volumes(NAME)
    assert spec["Placement"]["AvailabilityZone"] == volume["AvailabilityZone"]


def test_the_root_disk_is_encrypted_and_the_only_one(request_: dict[str, Any]) -> None:
    (root,) = request_["LaunchSpecification"]["BlockDeviceMappings"]
    assert root["DeviceName"] == "/dev/sda1"
    assert root["Ebs"]["Encrypted"] is True
    assert root["Ebs"]["DeleteOnTermination"] is True
    assert root["Ebs"]["VolumeSize"] == 16


def test_what_ec2_launched_has_our_tags(place: Place, request_: dict[str, Any]) -> None:
    (instance,) = place.instances(request_["SpotInstanceRequestId"])
    assert tags(instance) == IDENTITY
    root = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    (volume,) = place.ec2.describe_volumes(VolumeIds=[root])["Volumes"]
    assert tags(volume) == {**IDENTITY, "cloudtop:role": "root"}


def test_twice_is_once(place: Place, first: Outcome) -> None:
    before = place.mutating_calls()
    again = place.run("playbooks/cloud.yml", cloudtop_name=NAME)
    assert (again.code, again.changed) == (0, 0), again.text
    assert place.mutating_calls() == before


def test_check_mode_makes_nothing_and_shows_the_change(place: Place, first: Outcome) -> None:
    before = place.mutating_calls()
    outcome = place.run("playbooks/cloud.yml", "--check", cloudtop_name="other")
    assert outcome.code == 0, outcome.text
    assert outcome.changed >= 5
    assert place.mutating_calls() == before


def test_a_relaunch_is_taken_over_and_a_new_bid_is_shown(
    place: Place, request_: dict[str, Any]
) -> None:
    key = request_["SpotInstanceRequestId"]
    (old,) = place.instances(key)
    place.ec2.terminate_instances(InstanceIds=[old["InstanceId"]])
    outcome = place.run("playbooks/cloud.yml", cloudtop_name=NAME, cloudtop_bid=0.5)
    assert outcome.code == 0, outcome.text
    assert f"The request {key} is kept as it is, and its bid is 0.65, not 0.5" in outcome.text
    (new,) = place.instances(key)
    assert new["InstanceId"] != old["InstanceId"]
    assert tags(new) == IDENTITY


def test_a_machine_that_its_owner_stopped_is_started(
    place: Place, request_: dict[str, Any]
) -> None:
    (instance,) = place.instances(request_["SpotInstanceRequestId"])
    place.ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    outcome = place.run("playbooks/cloud.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    (started,) = place.instances(request_["SpotInstanceRequestId"])
    assert started["InstanceId"] == instance["InstanceId"]
    assert started["State"]["Name"] == "running"


def test_destroy_leaves_the_volume_alone(place: Place, request_: dict[str, Any]) -> None:
    (volume,) = place.volumes(NAME)
    outcome = place.run("playbooks/destroy.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    assert {each["State"] for each in place.requests(NAME)} == {"cancelled"}
    assert place.instances(request_["SpotInstanceRequestId"]) == []
    assert place.ec2.describe_key_pairs(Filters=of(NAME))["KeyPairs"] == []
    assert place.ec2.describe_security_groups(Filters=of(NAME))["SecurityGroups"] == []
    assert place.iam.list_instance_profiles()["InstanceProfiles"] == []
    assert place.roles() == []
    (left,) = place.volumes(NAME)
    assert left["VolumeId"] == volume["VolumeId"]
    assert tags(left)["cloudtop:generation"] == "2"


def test_destroy_twice_is_once_and_deletes_the_volume_by_its_name(place: Place) -> None:
    outcome = place.run("playbooks/destroy.yml", cloudtop_name=NAME, cloudtop_delete_volume=NAME)
    assert (outcome.code, outcome.changed) == (0, 1), outcome.text
    assert place.volumes(NAME) == []


def test_b2_the_request_maps_disks_that_are_there_only_if_mapped(place: Place) -> None:
    outcome = place.run(
        "playbooks/cloud.yml", cloudtop_name="original", cloudtop_instance_type="c3.xlarge"
    )
    assert outcome.code == 0, outcome.text
    (request,) = place.requests("original")
    root, *stores = request["LaunchSpecification"]["BlockDeviceMappings"]
    assert root["DeviceName"] == "/dev/sda1"
    assert stores == [
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "VirtualName": "ephemeral1"},
    ]


def test_b8_a_type_of_another_architecture_gets_an_image_for_it(place: Place) -> None:
    settings = {"cloudtop_name": "arm", "cloudtop_instance_type": "c6gd.xlarge"}
    outcome = place.run("playbooks/cloud.yml", **settings)
    assert outcome.code == 0, outcome.text
    (request,) = place.requests("arm")
    image = request["LaunchSpecification"]["ImageId"]
    (shown,) = place.ec2.describe_images(ImageIds=[image])["Images"]
    assert shown["Architecture"] == "arm64"


@pytest.mark.parametrize(
    ("instance_type", "disks"),
    [
        ("m5d.4xlarge", 2),
        ("i3.16xlarge", 8),
        ("m5.large", 0),
        # Their disks are there as every request maps them
        ("c3.xlarge", 2),
        ("hi1.4xlarge", -1),
    ],
)
def test_the_number_of_instance_store_disks_is_known(
    place: Place, instance_type: str, disks: int
) -> None:
    assert ours.instance_store_disks(place.ec2, instance_type) == disks


def test_b13_bad_parameters_are_said_in_ec2s_words_and_once(place: Place) -> None:
    place.control("account", {"bad_parameters": True})
    try:
        before = len(place.requests("faulty"))
        outcome = place.run("playbooks/cloud.yml", cloudtop_name="faulty")
        assert outcome.code != 0
        assert "EC2 says bad-parameters: Your Spot request failed due to bad parameters" in (
            outcome.text
        )
        assert len(place.requests("faulty")) == before + 1
    finally:
        place.control("account", {"default": True})
