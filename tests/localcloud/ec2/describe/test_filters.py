"""Filters: those that EC2 documents are there or refused as not rehearsed, others do not exist."""

from __future__ import annotations

import re
from typing import Any

import pytest
from moto.core.utils import get_service_model

from tests.localcloud.lab import ZONE, Lab

CALLS = {
    "DescribeInstances": "describe_instances",
    "DescribeInstanceStatus": "describe_instance_status",
    "DescribeSpotInstanceRequests": "describe_spot_instance_requests",
    "DescribeVolumesModifications": "describe_volumes_modifications",
    "DescribeVolumes": "describe_volumes",
    "DescribeInstanceTypes": "describe_instance_types",
    "DescribeSnapshots": "describe_snapshots",
}


def documented(operation: str) -> list[str]:
    shape = get_service_model("ec2").operation_model(operation).input_shape
    text = shape.members["Filters"].documentation
    return re.findall(r"<code>([a-z0-9.\-]+)</code> -", text)


def ids(answer: Any) -> list[str]:
    return [one["InstanceId"] for each in answer["Reservations"] for one in each["Instances"]]


@pytest.mark.parametrize("operation", CALLS)
def test_fault_16_a_filter_of_ec2s_is_there_or_is_not_rehearsed(lab: Lab, operation: str) -> None:
    lab.run()
    call = getattr(lab.ec2, CALLS[operation])
    names = documented(operation)
    assert len(names) > 4
    lacking = []
    for name in names:
        try:
            call(Filters=[{"Name": name, "Values": ["no-such-value"]}])
        except lab.ec2.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "UnsupportedOperation", (name, error)
            assert f"does not support the filter '{name}'" in str(error)
            lacking.append(name)
    assert len(lacking) <= len(names) / 5, lacking


def test_a_filter_that_ec2_has_not_is_invalid(lab: Lab) -> None:
    wanted = [{"Name": "colour", "Values": ["red"]}]
    message = lab.refused("InvalidParameterValue", lab.ec2.describe_instances, Filters=wanted)
    assert message == "The filter 'colour' is invalid"


def test_fault_16_filters_look_at_the_parts_of_an_instance(lab: Lab) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "kind", "Value": "looked-for"}]}]
    lab.run()
    ident = lab.run(
        TagSpecifications=tags,
        MetadataOptions={"HttpPutResponseHopLimit": 3, "HttpTokens": "required"},
    )
    reservation = lab.ec2.describe_instances(InstanceIds=[ident])["Reservations"][0]
    (instance,) = reservation["Instances"]
    (nic,) = instance["NetworkInterfaces"]
    for name, value in {
        "reservation-id": reservation["ReservationId"],
        "metadata-options.http-put-response-hop-limit": "3",
        "network-interface.mac-address": nic["MacAddress"],
        "network-interface.addresses.private-ip-address": instance["PrivateIpAddress"],
        "network-interface.association.public-ip": instance["PublicIpAddress"],
        "tag-value": "looked-for",
    }.items():
        wanted = [{"Name": name, "Values": [value]}]
        assert ids(lab.ec2.describe_instances(Filters=wanted)) == [ident], name
    everywhere = {
        "platform-details": "Linux/UNIX", "network-interface.availability-zone": ZONE,
        "metadata-options.state": "applied", "hibernation-options.configured": "false",
    }  # fmt: skip
    filters = [{"Name": name, "Values": [value]} for name, value in everywhere.items()]
    assert ident in ids(lab.ec2.describe_instances(Filters=filters))


def test_fault_16_status_is_filtered_by_reachability(lab: Lab) -> None:
    ident = lab.run()
    wanted = [{"Name": "instance-status.reachability", "Values": ["passed"]}]
    answer = lab.ec2.describe_instance_status(Filters=wanted)["InstanceStatuses"]
    assert ident in [one["InstanceId"] for one in answer]
    wanted = [{"Name": "event.code", "Values": ["*"]}]
    assert lab.ec2.describe_instance_status(Filters=wanted)["InstanceStatuses"] == []
