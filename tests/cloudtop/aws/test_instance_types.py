"""Types by name and by wish, as the rehearsal cloud's copy of EC2's facts has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cloudtop.aws import instance_types
from cloudtop.aws.instance_types import MOST, Wish
from cloudtop.errors import CloudtopError
from cloudtop.settings import settings
from module_utils.cloudtop_resources import Disks, InstanceType
from tests.cloud import client, fake_cloud


@pytest.fixture(scope="module")
def ec2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as (endpoint, _, _):
        yield client(endpoint)


def kind(vcpus: int, gib: float, disks: int) -> InstanceType:
    store = (Disks(disks, 80),) if disks else ()
    return InstanceType("m5d.x", vcpus, int(gib * 1024), disks=store)


@pytest.mark.parametrize(
    ("one", "enough"),
    [
        (kind(16, 60, 2), True),
        (kind(64, 500, 8), True),
        (kind(15, 60, 2), False),
        (kind(16, 59.9, 2), False),
        (kind(16, 60, 1), False),
        (kind(16, 60, 0), False),
    ],
)
def test_a_wish_is_at_least_so_much_of_each(one: InstanceType, enough: bool) -> None:
    assert Wish(16, 60, 2).fulfilled(one) is enough
    assert Wish(0, 0, 0).fulfilled(one)


def test_every_page_is_looked_at_and_the_smallest_come_first(ec2: Any) -> None:
    types, number = instance_types.fulfilling(ec2, Wish(16, 60, 2), "x86_64")
    assert len(types) == MOST < number
    assert {"i3.4xlarge", "m5d.4xlarge"} <= set(types)
    infos = {
        info["InstanceType"]: info
        for info in ec2.describe_instance_types(
            Filters=[{"Name": "instance-type", "Values": types}]
        )["InstanceTypes"]
    }
    sizes = [infos[name]["VCpuInfo"]["DefaultVCpus"] for name in types]
    assert sizes == sorted(sizes)
    for info in infos.values():
        assert info["CurrentGeneration"]
        assert "spot" in info["SupportedUsageClasses"]
        assert "x86_64" in info["ProcessorInfo"]["SupportedArchitectures"]


def test_a_rare_wish_is_fulfilled_by_few(ec2: Any) -> None:
    types, number = instance_types.fulfilling(ec2, Wish(0, 0, 24), "x86_64")
    assert (types, number) == (["d3.8xlarge", "d3en.12xlarge"], 2)


def test_wish_that_nothing_fulfils(ec2: Any) -> None:
    with pytest.raises(CloudtopError, match=r"No type of this region has 5000 vCPUs, 1\.5 GiB and"):
        instance_types.fulfilling(ec2, Wish(5000, 1.5, 0), "x86_64")


def test_unknown_name_is_told_with_names_like_it(ec2: Any) -> None:
    instance_types.check(ec2, ["i3.4xlarge", "c3.xlarge"])
    with pytest.raises(CloudtopError, match=r"'i3\.4xlarj' is no instance type") as refused:
        instance_types.check(ec2, ["c3.xlarge", "i3.4xlarj"])
    assert "i3.4xlarge" in refused.value.hint
    with pytest.raises(CloudtopError) as refused:
        instance_types.check(ec2, ["zz9.plural"])
    assert refused.value.hint == "For example: m5d.4xlarge"


@pytest.mark.parametrize(
    ("kind", "processor", "word"),
    [("c6gd.4xlarge", "arm64", "arm64"), ("c5d.xlarge", "x86_64", "amd64")],
)
def test_b8_the_images_parameter_follows_the_types_architecture(
    ec2: Any, kind: str, processor: str, word: str
) -> None:
    wanted = replace(settings.load(), instance_type=kind)
    assert f"/{word}/" in instance_types.image_parameter(ec2, wanted)
    assert instance_types.architecture(ec2, wanted) == processor


def test_processor_is_the_images(ec2: Any) -> None:
    wanted = settings.load()
    assert instance_types.architecture(ec2, wanted) == "x86_64"
    arm = replace(wanted, image_parameter="/aws/ubuntu/24.04/current/arm64/hvm/ebs-gp3/ami-id")
    assert instance_types.architecture(ec2, arm) == "arm64"
    image = ec2.describe_images()["Images"][0]
    named = replace(arm, image=image["ImageId"])
    assert instance_types.architecture(ec2, named) == image["Architecture"] == "x86_64"
