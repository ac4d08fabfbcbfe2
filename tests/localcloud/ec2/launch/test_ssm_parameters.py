"""SSM's public parameters: got by name or below their path, never among one's own."""

from __future__ import annotations

from localcloud.ec2.launch.ssm_parameters import AMAZON_LINUX, PATH, RELEASES
from tests.localcloud.lab import Lab


def test_fault_15_public_parameters_are_not_among_ones_own(lab: Lab) -> None:
    ssm = lab.client("ssm")
    ssm.put_parameter(Name="/mine/one", Value="1", Type="String")
    assert [one["Name"] for one in ssm.describe_parameters()["Parameters"]] == ["/mine/one"]
    listed = ssm.get_parameters_by_path(Path="/", Recursive=True)["Parameters"]
    assert [one["Name"] for one in listed] == ["/mine/one"]
    public = PATH.format(RELEASES[0], "amd64")
    assert ssm.get_parameter(Name=public)["Parameter"]["Value"] == lab.image
    below = ssm.get_parameters_by_path(Path="/aws/service/canonical", Recursive=True)
    assert public in [one["Name"] for one in below["Parameters"]]


def test_amazons_parameters_name_images_that_are_there(lab: Lab) -> None:
    ssm = lab.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=AMAZON_LINUX, Recursive=True)
    named = {one["Name"]: one["Value"] for page in pages for one in page["Parameters"]}
    images = lab.ec2.describe_images(ImageIds=sorted(set(named.values())))["Images"]
    architectures = {one["ImageId"]: one["Architecture"] for one in images}
    for kind in ("arm64", "x86_64"):
        assert architectures[named[f"{AMAZON_LINUX}/al2023-ami-kernel-default-{kind}"]] == kind
