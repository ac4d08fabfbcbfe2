"""The calls about spot requests: refusals, filters and pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.localcloud.lab import TYPE, ZONE, Lab


def test_same_token_same_request(lab: Lab) -> None:
    first = lab.ask(ClientToken="token-a")
    assert lab.ask(ClientToken="token-a") == first
    lab.refused(
        "IdempotentParameterMismatch",
        lab.ec2.request_spot_instances,
        SpotPrice="0.3",
        Type="persistent",
        LaunchSpecification=lab.spec(),
        ClientToken="token-a",
    )
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[first])
    assert lab.ask(ClientToken="token-a") == first


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("InvalidParameterValue", {"InstanceType": "hi1.4xlarge"}, {}),
    ("InvalidParameterValue", {"Placement": {"AvailabilityZone": "us-east-1z"}}, {}),
    ("Unsupported", {"InstanceType": "g7e.2xlarge", "Placement": {"AvailabilityZone": ZONE}}, {}),
    ("InvalidParameterValue", {"InstanceType": "a1.large"}, {}),
    ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}, {}),
    ("InvalidKeyPair.NotFound", {"KeyName": "nobody"}, {}),
    ("InvalidGroup.NotFound", {"SecurityGroupIds": ["sg-0123456789abcdef0"]}, {}),
    ("InvalidGroup.NotFound", {"SecurityGroups": ["nobody"]}, {}),
    ("InvalidSubnetID.NotFound", {"SubnetId": "subnet-0123456789abcdef0", "Placement": None}, {}),
    ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "nobody"}}, {}),
    ("InvalidUserData.Malformed", {"UserData": "#!/bin/sh"}, {}),
    ("InvalidParameterValue", {"UserData": base64.b64encode(b"x" * 16385).decode()}, {}),
    ("InvalidParameterValue", {}, {"SpotPrice": "0"}),
    ("InvalidParameterValue", {}, {"SpotPrice": "cheap"}),
    ("InvalidParameterValue", {}, {"SpotPrice": "0.0000001"}),
    ("InvalidParameterValue", {}, {"Type": "forever"}),
    ("InvalidParameterValue", {}, {"InstanceCount": 0}),
    (
        "InvalidParameterCombination",
        {},
        {"Type": "one-time", "InstanceInterruptionBehavior": "stop"},
    ),
    ("InvalidParameterValue", {}, {"ValidUntil": datetime(2020, 1, 1, tzinfo=UTC)}),
    ("InvalidParameterValue", {}, {"TagSpecifications": [{"ResourceType": "instance"}]}),
    ("InvalidParameterValue", {}, {"ClientToken": "x" * 65}),
    (
        "InvalidBlockDeviceMapping",
        {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 4}}]},
        {},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "spec", "params"), REFUSED)
def test_refuses(lab: Lab, code: str, spec: dict[str, Any], params: dict[str, Any]) -> None:
    given = {"SpotPrice": "0.2", "Type": "persistent", **params}
    lab.refused(code, lab.ec2.request_spot_instances, LaunchSpecification=lab.spec(**spec), **given)


def test_unknown_ids_are_named(lab: Lab) -> None:
    sir = "sir-0123456789abcdef0"
    for call in (lab.ec2.describe_spot_instance_requests, lab.ec2.cancel_spot_instance_requests):
        message = lab.refused(
            "InvalidSpotInstanceRequestID.NotFound", call, SpotInstanceRequestIds=[sir]
        )
        assert sir in message


def test_filters(lab: Lab) -> None:
    tags = {"ResourceType": "spot-instances-request", "Tags": [{"Key": "only", "Value": "here"}]}
    sir, ident = lab.spot_instance(TagSpecifications=[tags])
    lab.ask(SpotPrice="0.0001")

    def matches(name: str, *values: str) -> list[str]:
        answer = lab.ec2.describe_spot_instance_requests(
            Filters=[
                {"Name": name, "Values": list(values)},
                {"Name": "state", "Values": ["open", "active"]},
            ]
        )
        return [one["SpotInstanceRequestId"] for one in answer["SpotInstanceRequests"]]

    for name, value in (
        ("tag:only", "here"), ("tag-key", "only"), ("state", "act*"), ("instance-id", ident),
        ("status-code", "fulfilled"), ("launched-availability-zone", ZONE),
        ("spot-instance-request-id", sir),
    ):  # fmt: skip
        assert matches(name, value) == [sir], name
    for name, value in (("launch.instance-type", TYPE), ("launch.image-id", lab.image)):
        assert len(matches(name, value)) == 2, name
    assert matches("type", "one-time") == []
    lab.refused(
        "InvalidParameterValue",
        lab.ec2.describe_spot_instance_requests,
        Filters=[{"Name": "shoe-size", "Values": ["42"]}],
    )


def test_pages(lab: Lab) -> None:
    requests = {lab.ask(SpotPrice="0.0001") for _ in range(7)}
    pager = lab.ec2.get_paginator("describe_spot_instance_requests")
    pages = list(pager.paginate(PaginationConfig={"PageSize": 5}))
    assert len(pages) > 1
    seen = [one["SpotInstanceRequestId"] for page in pages for one in page["SpotInstanceRequests"]]
    assert requests <= set(seen)
    assert len(seen) == len(set(seen))
    lab.refused(
        "InvalidNextToken", lab.ec2.describe_spot_instance_requests, MaxResults=5, NextToken="x"
    )


def test_amazon_aws_reads_the_launch_specification(lab: Lab) -> None:
    entry = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 16, "VolumeType": "gp3"}}
    sir = lab.ask(lab.spec(BlockDeviceMappings=[entry]))
    shown = lab.request(sir)["LaunchSpecification"]
    assert shown["BlockDeviceMappings"] == [entry]
    assert shown["Placement"] == {"AvailabilityZone": ZONE}
    assert "UserData" not in shown
