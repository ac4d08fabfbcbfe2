"""The plan's words on money, and a failed run's words on what it leaves."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from cloudtop.command import Context
from cloudtop.commands import converge, provision
from cloudtop.errors import CloudtopError
from cloudtop.preflight import plan as preflight
from cloudtop.settings import clouds, settings
from tests import cloud
from tests.cloudtop.preflight.test_plan import tagged

pytestmark = pytest.mark.usefixtures("entered")
ZONE = "us-east-1b"


def context(tmp_path: Path, *given: str, name: str) -> Context:
    options = Namespace(yes=True, wait=True, verbose=0)
    wanted = settings.load([f"cloudtop_ssh_key={tmp_path}/id", *given], name=name)
    return Context(options, wanted, clouds.load("rehearsal"), ())


def test_failed_run_says_what_it_leaves_and_what_that_costs(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open request and a volume, as playbooks that waited in vain leave them."""
    ec2 = cloud.client(endpoint)

    def fails(*_: object) -> None:
        ec2.create_volume(
            AvailabilityZone=ZONE, Size=50, TagSpecifications=[tagged("volume", "waits")]
        )
        ec2.request_spot_instances(
            SpotPrice="0.0001",
            Type="persistent",
            LaunchSpecification={
                "ImageId": ec2.describe_images()["Images"][0]["ImageId"],
                "InstanceType": "m5d.4xlarge",
                "Placement": {"AvailabilityZone": ZONE},
            },
            TagSpecifications=[tagged("spot-instances-request", "waits")],
        )
        raise CloudtopError("It failed.", "Look there")

    monkeypatch.setattr(converge, "run", fails)
    with pytest.raises(CloudtopError) as caught:
        provision.run(context(tmp_path, "cloudtop_bid=0.0001", name="waits"))
    first, request, volume = caught.value.message.splitlines()
    assert (first, caught.value.hint) == ("It failed.", "Look there")
    (sir,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert request.startswith(f"The request {sir['SpotInstanceRequestId']} stays open without end")
    # 730 hours at $0.0001; 50 GiB at $0.08
    assert "up to $0.07 a month. To end it: python runner.py destroy" in request
    assert "costs $4.00 a month" in volume
    assert volume.endswith("destroy --name waits --delete-volume waits")


def test_failed_run_that_left_nothing_says_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise CloudtopError("It failed.")

    monkeypatch.setattr(converge, "run", fails)
    with pytest.raises(CloudtopError) as caught:
        provision.run(context(tmp_path, name="nothing"))
    assert caught.value.message == "It failed."


@pytest.mark.parametrize(("kind", "credits"), [("m5d.4xlarge", False), ("t3.2xlarge", True)])
def test_plan_says_what_the_month_leaves_out(tmp_path: Path, kind: str, credits: bool) -> None:
    here = context(tmp_path, f"cloudtop_instance_type={kind}", name="new")
    text = provision.describe(here, preflight.check(here.settings))
    assert "us-east-1's prices of 2024; data transfer and tax are not in it" in text
    assert (f"{kind} also costs surplus credits" in text) == credits


def test_plan_shows_the_type_and_bid_that_a_live_request_keeps(
    endpoint: str, tmp_path: Path
) -> None:
    ec2 = cloud.client(endpoint)
    ec2.request_spot_instances(
        SpotPrice="0.0002",
        Type="persistent",
        LaunchSpecification={
            "ImageId": ec2.describe_images()["Images"][0]["ImageId"],
            "InstanceType": "c5d.xlarge",
            "Placement": {"AvailabilityZone": ZONE},
        },
        TagSpecifications=[tagged("spot-instances-request", "lives")],
    )
    here = context(tmp_path, "cloudtop_bid=0.65", name="lives")
    plan = preflight.check(here.settings)
    text = provision.describe(here, plan)
    sir = plan.resources.request
    assert sir
    assert f"  c5d.xlarge, of the request {sir.spot_instance_request_id} that is there" in text
    assert "bid $0.0002/h; when taken away: terminate" in text
    assert "NOT as the settings have it (type m5d.4xlarge, bid 0.65): python runner.py" in text
    # 730 hours at $0.0002
    assert "machine $0.15" in text
