"""Elastic IPs: EC2's refusals, and a machine's address with one and without."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud import aws
from tests.localcloud.lab import ZONE, Lab, until

TAGS = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "a", "Value": "b"}]}]


@pytest.fixture(autouse=True)
def released(lab: Lab) -> Iterator[None]:
    """Whatever addresses a test leaves are released."""
    yield
    for one in lab.ec2.describe_addresses()["Addresses"]:
        if "AssociationId" in one:
            lab.ec2.disassociate_address(AssociationId=one["AssociationId"])
        lab.ec2.release_address(AllocationId=one["AllocationId"])


def allocated(lab: Lab, **params: Any) -> tuple[str, str]:
    """Allocation id and address."""
    answer = lab.ec2.allocate_address(Domain="vpc", **params)
    return answer["AllocationId"], answer["PublicIp"]


def associated(lab: Lab, allocation: str, instance: str, **params: Any) -> str:
    answer = lab.ec2.associate_address(AllocationId=allocation, InstanceId=instance, **params)
    return str(answer["AssociationId"])


def address_of(lab: Lab, allocation: str) -> dict[str, Any]:
    return dict(lab.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0])


def reached(lab: Lab, instance: str, address: str) -> None:
    """The API, the metadata and the machine's port all come to say so."""
    assert lab.instance(instance)["PublicIpAddress"] == address
    assert lab.metadata(instance, "public-ipv4") == address
    until(f"{instance} at {address}", lambda: lab.host.machines[instance].spec.address == address)


def test_an_allocated_address_is_free_tagged_and_of_the_clouds_own_network(lab: Lab) -> None:
    answer = lab.ec2.allocate_address(TagSpecifications=TAGS)
    ident = answer["AllocationId"]
    assert ident.startswith("eipalloc-")
    assert answer["Domain"] == "vpc"
    assert ipaddress.ip_address(answer["PublicIp"]) in lab.server.config.network
    assert address_of(lab, ident) == {
        "AllocationId": ident,
        "PublicIp": answer["PublicIp"],
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": "us-east-1",
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    by_tag = [{"Name": "tag:a", "Values": ["b"]}]
    assert len(lab.ec2.describe_addresses(Filters=by_tag)["Addresses"]) == 1
    (tag,) = lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [ident]}])["Tags"]
    assert tag["ResourceType"] == "elastic-ip"
    shown = lab.ec2.describe_addresses_attribute(AllocationIds=[ident], Attribute="domain-name")
    assert shown["Addresses"] == [{"AllocationId": ident, "PublicIp": answer["PublicIp"]}]


def test_the_instance_is_reached_at_it_and_its_first_address_is_given_back(lab: Lab) -> None:
    ident = lab.run()
    first = lab.instance(ident)["PublicIpAddress"]
    allocation, address = allocated(lab)
    association = associated(lab, allocation, ident)
    reached(lab, ident, address)
    entry, instance = address_of(lab, allocation), lab.instance(ident)
    nic = instance["NetworkInterfaces"][0]
    assert (entry["AssociationId"], entry["InstanceId"]) == (association, ident)
    assert entry["NetworkInterfaceId"] == nic["NetworkInterfaceId"]
    assert entry["PrivateIpAddress"] == instance["PrivateIpAddress"]
    assert nic["Association"]["PublicIp"] == address
    assert instance["PublicDnsName"].startswith(f"ec2-{address.replace('.', '-')}.")
    by_address = [{"Name": "ip-address", "Values": [first]}]
    assert lab.ec2.describe_instances(Filters=by_address)["Reservations"] == []
    # Once more is no error, and the same association
    assert associated(lab, allocation, ident) == association


def test_an_instance_that_it_leaves_gets_a_new_address(lab: Lab) -> None:
    ident = lab.run()
    first = lab.instance(ident)["PublicIpAddress"]
    allocation, address = allocated(lab)
    association = associated(lab, allocation, ident)
    reached(lab, ident, address)
    lab.ec2.disassociate_address(AssociationId=association)
    later = lab.instance(ident)["PublicIpAddress"]
    assert later not in (first, address)
    reached(lab, ident, later)
    assert "InstanceId" not in address_of(lab, allocation)
    lab.refused(
        "InvalidAssociationID.NotFound",
        lab.ec2.disassociate_address,
        AssociationId=association,
    )


def test_an_instance_without_a_public_address_has_none_after_it(lab: Lab) -> None:
    subnet = lab.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [ZONE]}])
    nic = {
        "DeviceIndex": 0, "SubnetId": subnet["Subnets"][0]["SubnetId"],
        "AssociatePublicIpAddress": False,
    }  # fmt: skip
    ident = lab.run(NetworkInterfaces=[nic])
    allocation, address = allocated(lab)
    interface = lab.instance(ident)["NetworkInterfaces"][0]["NetworkInterfaceId"]
    answer = lab.ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface)
    reached(lab, ident, address)
    lab.ec2.disassociate_address(AssociationId=answer["AssociationId"])
    assert "PublicIpAddress" not in lab.instance(ident)


def test_it_moves_to_another_machine_once_the_first_one_has_let_go(lab: Lab) -> None:
    old, new = lab.run(), lab.run()
    allocation, address = allocated(lab)
    associated(lab, allocation, old)
    reached(lab, old, address)
    message = lab.refused(
        "Resource.AlreadyAssociated",
        lab.ec2.associate_address,
        AllocationId=allocation,
        InstanceId=new,
        AllowReassociation=False,
    )
    assert address_of(lab, allocation)["AssociationId"] in message
    associated(lab, allocation, new, AllowReassociation=True)
    reached(lab, new, address)
    reached(lab, old, lab.instance(old)["PublicIpAddress"])
    forwards = [call for call in lab.host.calls if call.startswith("forward")]
    # The host was never asked for an address that another machine still had
    assert forwards.index(f"forward {new} {address}") == len(forwards) - 1


def test_a_second_address_takes_the_place_of_the_first(lab: Lab) -> None:
    ident = lab.run()
    first, _ = allocated(lab)
    second, address = allocated(lab)
    associated(lab, first, ident)
    lab.refused(
        "Resource.AlreadyAssociated",
        lab.ec2.associate_address,
        AllocationId=second,
        InstanceId=ident,
    )
    associated(lab, second, ident, AllowReassociation=True)
    reached(lab, ident, address)
    assert "AssociationId" not in address_of(lab, first)


def test_a_stopped_instance_keeps_it_and_a_terminated_one_does_not(lab: Lab) -> None:
    ident = lab.run()
    allocation, address = allocated(lab)
    lab.ec2.stop_instances(InstanceIds=[ident])
    lab.becomes(ident, "stopped")
    associated(lab, allocation, ident)
    assert lab.instance(ident)["PublicIpAddress"] == address
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.becomes(ident, "running")
    reached(lab, ident, address)
    lab.ec2.stop_instances(InstanceIds=[ident])
    assert lab.becomes(ident, "stopped")["PublicIpAddress"] == address
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")
    assert "InstanceId" not in address_of(lab, allocation)


def test_a_relaunched_instance_gets_it_when_somebody_gives_it(lab: Lab) -> None:
    sir, old = lab.spot_instance()
    allocation, address = allocated(lab)
    associated(lab, allocation, old)
    reached(lab, old, address)
    lab.ec2.terminate_instances(InstanceIds=[old])
    new = lab.relaunched(sir, old)
    assert lab.instance(new)["PublicIpAddress"] != address
    associated(lab, allocation, new, AllowReassociation=True)
    reached(lab, new, address)


def test_the_aws_command_line_works_unchanged(lab: Lab) -> None:
    ident = lab.run()
    answer = aws(lab.endpoint, "ec2", "allocate-address", "--domain", "vpc")
    chosen = ["--allocation-id", answer["AllocationId"], "--instance-id", ident]
    aws(lab.endpoint, "ec2", "associate-address", *chosen)
    reached(lab, ident, answer["PublicIp"])
