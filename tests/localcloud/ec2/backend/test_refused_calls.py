"""A call that EC2 refuses makes nothing: everything is checked first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.localcloud.lab import ZONE, Lab

RESERVED = ("InvalidParameterValue", [{"Key": "aws:x", "Value": "1"}])
TOO_MANY = ("TagLimitExceeded", [{"Key": f"k{n}", "Value": ""} for n in range(51)])
LONG_KEY = ("InvalidParameterValue", [{"Key": "k" * 129, "Value": ""}])
LONG_VALUE = ("InvalidParameterValue", [{"Key": "k", "Value": "v" * 257}])
NONE: tuple[str, list[dict[str, str]]] = ("InvalidParameterValue", [])
TWICE = ("InvalidParameterValue", [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}])


def everything(lab: Lab) -> dict[str, int]:
    """How many records of each kind there are."""
    ec2 = lab.ec2
    return {
        "instances": sum(len(r["Instances"]) for r in ec2.describe_instances()["Reservations"]),
        "volumes": len(ec2.describe_volumes()["Volumes"]),
        "snapshots": len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]),
        "requests": len(ec2.describe_spot_instance_requests()["SpotInstanceRequests"]),
        "addresses": len(ec2.describe_addresses()["Addresses"]),
        "images": len(ec2.describe_images(Owners=["self"])["Images"]),
    }


def calls(lab: Lab, volume: str, instance: str) -> dict[str, tuple[Callable[..., Any], Any]]:
    ec2, launch = lab.ec2, {**lab.spec(), "MinCount": 1, "MaxCount": 1}
    return {
        "instance": (ec2.run_instances, {**launch, "ClientToken": "refused"}),
        "volume": (ec2.create_volume, {"AvailabilityZone": ZONE, "Size": 1}),
        "snapshot": (ec2.create_snapshot, {"VolumeId": volume}),
        "spot-instances-request": (
            ec2.request_spot_instances,
            {"LaunchSpecification": lab.spec(), "SpotPrice": "0.2"},
        ),
        "elastic-ip": (ec2.allocate_address, {"Domain": "vpc"}),
        "image": (ec2.create_image, {"InstanceId": instance, "Name": "refused"}),
    }


@pytest.fixture(scope="module")
def kept() -> dict[str, str]:
    return {}


@pytest.mark.parametrize("tags", [RESERVED, TOO_MANY, LONG_KEY, LONG_VALUE, NONE, TWICE])
@pytest.mark.parametrize(
    "kind", ["instance", "volume", "snapshot", "spot-instances-request", "elastic-ip", "image"]
)
def test_fault_1_bad_tags_make_nothing(lab: Lab, kind: str, tags: Any, kept: Any) -> None:
    if "volume" not in kept:
        kept["volume"] = lab.volume()
    instance = lab.run() if kind == "image" else ""
    call, params = calls(lab, kept["volume"], instance)[kind]
    before = everything(lab)
    code, wanted = tags
    lab.refused(code, call, **params, TagSpecifications=[{"ResourceType": kind, "Tags": wanted}])
    assert everything(lab) == before


def test_fault_1_a_refused_client_token_can_be_used_again(lab: Lab) -> None:
    launch = {**lab.spec(), "MinCount": 1, "MaxCount": 1, "ClientToken": "again"}
    bad = [{"ResourceType": "instance", "Tags": RESERVED[1]}]
    lab.refused(RESERVED[0], lab.ec2.run_instances, **launch, TagSpecifications=bad)
    first = lab.ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    assert lab.ec2.run_instances(**launch)["Instances"][0]["InstanceId"] == first


@pytest.mark.parametrize("tags", [RESERVED, TOO_MANY, LONG_KEY, LONG_VALUE])
def test_create_tags_has_the_same_rules(lab: Lab, tags: Any) -> None:
    volume = lab.volume()
    lab.refused(tags[0], lab.ec2.create_tags, Resources=[volume], Tags=tags[1])
    assert not lab.volume_of(volume).get("Tags")


NIC = {"DeviceIndex": 0}


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("Placement.Tenancy", {"Placement": {"Tenancy": "dedicated"}}),
        ("Placement.GroupName", {"Placement": {"GroupName": "near"}}),
        ("CpuOptions", {"CpuOptions": {"CoreCount": 1}}),
        ("Ipv6AddressCount", {"Ipv6AddressCount": 1}),
        ("KernelId", {"KernelId": "aki-1"}),
        ("EnclaveOptions", {"EnclaveOptions": {"Enabled": True}}),
        ("HibernationOptions", {"HibernationOptions": {"Configured": True}}),
        (
            "NetworkInterfaces.SecondaryPrivateIpAddressCount",
            {"NetworkInterfaces": [{**NIC, "SecondaryPrivateIpAddressCount": 2}]},
        ),
    ],
)
def test_a_parameter_that_would_be_dropped_is_refused(
    lab: Lab, name: str, params: Mapping[str, Any]
) -> None:
    before = everything(lab)
    launch = {**lab.spec(), "MinCount": 1, "MaxCount": 1, **params}
    message = lab.refused("UnsupportedOperation", lab.ec2.run_instances, **launch)
    assert message == f"The rehearsal cloud does not support {name} in RunInstances."
    assert everything(lab) == before


def test_a_parameter_that_asks_for_the_default_is_taken(lab: Lab) -> None:
    lab.run(
        Placement={"AvailabilityZone": ZONE, "Tenancy": "default"},
        EnclaveOptions={"Enabled": False},
        HibernationOptions={"Configured": False},
    )


def test_the_primary_private_address_of_an_interface_is_kept(lab: Lab) -> None:
    subnet = lab.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [ZONE]}])[
        "Subnets"
    ][0]
    wanted = subnet["CidrBlock"].rsplit(".", 1)[0] + ".77"
    address = {"PrivateIpAddress": wanted, "Primary": True}
    ident = lab.run(NetworkInterfaces=[{**NIC, "PrivateIpAddresses": [address]}])
    assert lab.instance(ident)["PrivateIpAddress"] == wanted


@pytest.mark.parametrize(
    "params",
    [
        {"MetadataOptions": {"HttpTokens": "foo"}},
        {"MetadataOptions": {"HttpPutResponseHopLimit": 100}},
        {"InstanceInitiatedShutdownBehavior": "foo"},
    ],
)
def test_a_choice_that_ec2_does_not_have_is_refused(lab: Lab, params: Mapping[str, Any]) -> None:
    before = everything(lab)
    launch = {**lab.spec(), "MinCount": 1, "MaxCount": 1, **params}
    lab.refused("InvalidParameterValue", lab.ec2.run_instances, **launch)
    assert everything(lab) == before


def test_a_request_with_a_launch_group_is_refused(lab: Lab) -> None:
    message = lab.refused(
        "UnsupportedOperation",
        lab.ec2.request_spot_instances,
        LaunchSpecification=lab.spec(),
        LaunchGroup="together",
    )
    assert "LaunchGroup in RequestSpotInstances" in message
