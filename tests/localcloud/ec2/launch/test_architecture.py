"""An image's architecture has to be the type's, and this computer has to run it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.localcloud.lab import Lab

TYPES = {"x86_64": "c5d.xlarge", "arm64": "c6gd.xlarge"}


def image(lab: Lab, architecture: str) -> str:
    """The image that Canonical's parameter names."""
    debian = {"x86_64": "amd64"}.get(architecture, architecture)
    name = f"/aws/service/canonical/ubuntu/server/24.04/stable/current/{debian}/hvm/ebs-gp3/ami-id"
    return str(lab.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


@pytest.mark.parametrize("architecture", TYPES)
def test_b8_each_architecture_has_its_image(lab: Lab, architecture: str) -> None:
    ident = lab.run(ImageId=image(lab, architecture), InstanceType=TYPES[architecture])
    assert lab.instance(ident)["Architecture"] == architecture


@pytest.mark.parametrize(("of_image", "of_type"), [("x86_64", "arm64"), ("arm64", "x86_64")])
def test_b8_an_image_of_another_architecture_is_refused_at_the_request(
    lab: Lab, of_image: str, of_type: str
) -> None:
    spec = lab.spec(ImageId=image(lab, of_image), InstanceType=TYPES[of_type])
    message = lab.refused(
        "InvalidParameterValue", lab.ec2.request_spot_instances, LaunchSpecification=spec
    )
    assert f"match the architecture '{of_image}' of the specified AMI" in message
    lab.refused("InvalidParameterValue", lab.ec2.run_instances, MinCount=1, MaxCount=1, **spec)


def test_b8_an_image_of_an_arm64_machine_is_one_for_arm64(lab: Lab) -> None:
    ident = lab.run(ImageId=image(lab, "arm64"), InstanceType=TYPES["arm64"])
    baked = lab.ec2.create_image(InstanceId=ident, Name="of arm", NoReboot=True)["ImageId"]
    assert lab.image_of(baked)["Architecture"] == "arm64"


@pytest.fixture
def without_arm(lab: Lab) -> Iterator[None]:
    lab.host.hindrances["arm64"] = "There is no emulator."
    yield
    lab.host.hindrances.clear()


@pytest.mark.usefixtures("without_arm")
def test_b8_machines_that_this_computer_cannot_run_are_refused_at_once(lab: Lab) -> None:
    spec = lab.spec(ImageId=image(lab, "arm64"), InstanceType=TYPES["arm64"])
    message = lab.refused(
        "UnsupportedOperation", lab.ec2.request_spot_instances, LaunchSpecification=spec
    )
    assert message == "The rehearsal cloud cannot run arm64 machines: There is no emulator."
