"""EC2's codes for what does not exist, and for what is no id at all."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from tests.cloud import KEY, SECRET
from tests.localcloud.lab import Lab

GONE = ["i-0123456789abcdef0", "i-0123456789abcdef1"]


@pytest.mark.parametrize(
    ("code", "call", "given"),
    [
        ("InvalidInstanceID.Malformed", "describe_instances", {"InstanceIds": ["i-xyz"]}),
        ("InvalidInstanceID.Malformed", "terminate_instances", {"InstanceIds": ["mine"]}),
        ("InvalidInstanceID.Malformed", "get_console_output", {"InstanceId": "i-0123"}),
        ("InvalidSnapshotID.Malformed", "describe_snapshots", {"SnapshotIds": ["snap-x"]}),
        ("InvalidParameterValue", "describe_volumes", {"VolumeIds": ["vol-x"]}),
        (
            "InvalidSpotInstanceRequestID.Malformed",
            "cancel_spot_instance_requests",
            {"SpotInstanceRequestIds": ["sir"]},
        ),
        ("InvalidZone.NotFound", "create_volume", {"AvailabilityZone": "mars-1a", "Size": 1}),
        (
            "InvalidID",
            "create_tags",
            {"Resources": ["vol-x"], "Tags": [{"Key": "a", "Value": "b"}]},
        ),
        ("InvalidParameterCombination", "terminate_instances", {"InstanceIds": []}),
        (
            "InvalidParameterCombination",
            "describe_instances",
            {"InstanceIds": [GONE[0]], "MaxResults": 5},
        ),
        (
            "InvalidParameterCombination",
            "describe_instance_status",
            {"InstanceIds": [GONE[0]], "MaxResults": 5},
        ),
        ("MissingParameter", "delete_volume", {}),
        ("MissingParameter", "delete_snapshot", {}),
    ],
)
def test_fault_21_codes_are_those_of_ec2(
    lab: Lab, code: str, call: str, given: dict[str, Any]
) -> None:
    lab.refused(code, getattr(lab.ec2, call), **given)


def test_fault_21_old_short_ids_are_ids(lab: Lab) -> None:
    lab.refused(
        "InvalidInstanceID.NotFound", lab.ec2.describe_instances, InstanceIds=["i-01234567"]
    )
    lab.refused(
        "InvalidSpotInstanceRequestID.NotFound",
        lab.ec2.describe_spot_instance_requests,
        SpotInstanceRequestIds=["sir-fsdexa1z"],
    )


def test_fault_21_a_group_of_another_vpc_is_an_invalid_parameter(lab: Lab) -> None:
    vpc = lab.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = lab.ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    spec = lab.spec(SecurityGroupIds=[group])
    lab.refused("InvalidParameter", lab.ec2.run_instances, MinCount=1, MaxCount=1, **spec)


def test_fault_21_without_a_default_vpc_a_launch_has_to_name_one(lab: Lab) -> None:
    ec2 = boto3.client(
        "ec2", endpoint_url=lab.endpoint, region_name="eu-west-1",
        aws_access_key_id=KEY, aws_secret_access_key=SECRET,
    )  # fmt: skip
    wanted = [{"Name": "is-default", "Values": ["true"]}]
    (vpc,) = ec2.describe_vpcs(Filters=wanted)["Vpcs"]
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=vpc["VpcId"])
    image = ec2.describe_images()["Images"][0]["ImageId"]
    spec = {"ImageId": image, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
    lab.refused("VPCIdNotSpecified", ec2.run_instances, **spec)
    default = ec2.create_default_vpc()["Vpc"]["VpcId"]
    subnets = {
        one["AvailabilityZone"]: one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]
    }
    ec2.delete_subnet(SubnetId=subnets.pop("eu-west-1b"))
    placed = {**spec, "Placement": {"AvailabilityZone": "eu-west-1b"}}
    message = lab.refused("InvalidInput", ec2.run_instances, **placed)
    assert message == "No default subnet for availability zone: 'eu-west-1b'."
    for ident in subnets.values():
        ec2.delete_subnet(SubnetId=ident)
    message = lab.refused("MissingInput", ec2.run_instances, **spec)
    assert message == f"No subnets found for the default VPC '{default}'. Please specify a subnet."


def test_fault_23_all_ids_that_nothing_has_are_named(lab: Lab) -> None:
    known = lab.run()
    ids = [GONE[0], known, GONE[1]]
    for call in (lab.ec2.terminate_instances, lab.ec2.describe_instances):
        message = lab.refused("InvalidInstanceID.NotFound", call, InstanceIds=ids)
        assert message == f"The instance IDs '{GONE[0]}, {GONE[1]}' do not exist"
    assert lab.instance(known)["State"]["Name"] == "running"
