"""Network interfaces of their own: what EC2 checks, and what has to go before what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.lab import Lab


def network(lab: Lab) -> dict[str, Any]:
    """Ids of a new VPC, a subnet and a group in it."""
    vpc = lab.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = lab.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    group = lab.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    return {"SubnetId": subnet, "Groups": [group]}


def test_an_interface_keeps_its_subnet_its_group_and_its_address(lab: Lab) -> None:
    wanted = network(lab)
    tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "b"}]}]
    interface = lab.ec2.create_network_interface(
        **wanted, PrivateIpAddress="10.7.1.9", TagSpecifications=tags
    )["NetworkInterface"]
    assert (interface["PrivateIpAddress"], interface["Status"]) == ("10.7.1.9", "available")
    assert interface["TagSet"] == [{"Key": "a", "Value": "b"}]
    lab.refused(
        "InvalidIPAddress.InUse", lab.ec2.create_network_interface,
        **wanted, PrivateIpAddress="10.7.1.9",
    )  # fmt: skip
    subnet, (group,) = wanted["SubnetId"], wanted["Groups"]
    lab.refused("DependencyViolation", lab.ec2.delete_subnet, SubnetId=subnet)
    lab.refused("DependencyViolation", lab.ec2.delete_security_group, GroupId=group)
    lab.ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    again = lab.ec2.create_network_interface(**wanted, PrivateIpAddress="10.7.1.9")
    ident = again["NetworkInterface"]["NetworkInterfaceId"]
    lab.ec2.delete_network_interface(NetworkInterfaceId=ident)
    lab.ec2.delete_security_group(GroupId=group)
    lab.ec2.delete_subnet(SubnetId=subnet)


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("InvalidParameter", {"Groups": ["another VPC's"]}),
        ("InvalidSubnetID.NotFound", {"SubnetId": "subnet-0123456789abcdef0"}),
        ("InvalidGroup.NotFound", {"Groups": ["sg-0123456789abcdef0"]}),
        ("InvalidParameterValue", {"PrivateIpAddress": "10.8.0.1"}),
        ("UnsupportedOperation", {"InterfaceType": "efa"}),
    ],
)
def test_a_refused_interface_is_not_made(lab: Lab, code: str, given: dict[str, Any]) -> None:
    wanted = network(lab)
    if code == "InvalidParameter":
        other = lab.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
        given = {"Groups": [other[0]["GroupId"]]}
    before = len(lab.ec2.describe_network_interfaces()["NetworkInterfaces"])
    lab.refused(code, lab.ec2.create_network_interface, **{**wanted, **given})
    assert len(lab.ec2.describe_network_interfaces()["NetworkInterfaces"]) == before


def test_an_interface_of_a_machine_stays_and_another_cannot_be_attached(lab: Lab) -> None:
    instance = lab.run()
    (nic,) = lab.instance(instance)["NetworkInterfaces"]
    ident = nic["NetworkInterfaceId"]
    message = lab.refused(
        "InvalidParameterValue", lab.ec2.delete_network_interface, NetworkInterfaceId=ident
    )
    assert message == f"Network interface '{ident}' is currently in use."
    other = lab.ec2.create_network_interface(SubnetId=nic["SubnetId"])["NetworkInterface"]
    free = other["NetworkInterfaceId"]
    lab.refused(
        "UnsupportedOperation", lab.ec2.attach_network_interface,
        NetworkInterfaceId=free, InstanceId=instance, DeviceIndex=1,
    )  # fmt: skip
    address = lab.ec2.allocate_address()["AllocationId"]
    lab.refused(
        "UnsupportedOperation", lab.ec2.associate_address,
        AllocationId=address, NetworkInterfaceId=free,
    )  # fmt: skip
    lab.ec2.terminate_instances(InstanceIds=[instance])
    lab.becomes(instance, "terminated")


def test_an_interface_goes_with_its_machine(lab: Lab) -> None:
    message = lab.refused(
        "UnsupportedOperation", lab.ec2.run_instances,
        **{**lab.spec(), "MinCount": 1, "MaxCount": 1},
        NetworkInterfaces=[{"DeviceIndex": 0, "DeleteOnTermination": False}],
    )  # fmt: skip
    assert "a network interface that stays after its machine" in message
