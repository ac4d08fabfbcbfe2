"""DescribeInstanceTypes and its filters."""

from __future__ import annotations

import pytest
from moto.ec2.models.instance_types import INSTANCE_TYPES

from localcloud.ec2.describe.instance_type_filters import TYPE_FILTERS
from tests.localcloud.lab import Lab


@pytest.mark.parametrize(
    ("name", "value", "is_there", "is_not"),
    [
        ("instance-storage-info.disk.count", "4", "i3.8xlarge", "i3.4xlarge"),
        ("instance-storage-info.disk.size-in-gb", "1900", "i3.8xlarge", "m5d.large"),
        ("instance-storage-info.disk.type", "hdd", "d2.xlarge", "i3.large"),
        ("instance-storage-info.nvme-support", "required", "i3.large", "c3.large"),
        ("processor-info.supported-architecture", "arm64", "m6g.large", "m5.large"),
        ("vcpu-info.default-vcpus", "16", "m5d.4xlarge", "m5d.2xlarge"),
        ("supported-usage-class", "spot", "m5.large", "none"),
        ("bare-metal", "true", "m5.metal", "m5.large"),
        ("instance-type", "m5d.*", "m5d.large", "m5.large"),
        ("network-info.ena-support", "required", "m5.large", "none"),
    ],
)
def test_fault_14_filters_look_into_lists(
    lab: Lab, name: str, value: str, is_there: str, is_not: str
) -> None:
    pages = lab.ec2.get_paginator("describe_instance_types").paginate(
        Filters=[{"Name": name, "Values": [value]}]
    )
    types = {each["InstanceType"] for page in pages for each in page["InstanceTypes"]}
    assert is_there in types
    assert is_not not in types


@pytest.mark.parametrize("name", ["instance-storage-info.disks", "tag:a", "tag-key"])
def test_a_filter_that_types_do_not_have_is_refused(lab: Lab, name: str) -> None:
    filters = [{"Name": name, "Values": ["x"]}]
    lab.refused("InvalidParameterValue", lab.ec2.describe_instance_types, Filters=filters)


@pytest.mark.parametrize("name", TYPE_FILTERS)
def test_each_filter_leads_to_facts(name: str) -> None:
    assert any(TYPE_FILTERS[name](kind) for kind in INSTANCE_TYPES.values())
