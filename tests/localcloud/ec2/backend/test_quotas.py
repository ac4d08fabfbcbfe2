"""vCPU quotas: what is refused for them, and what counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.ec2.backend.test_refused_calls import everything
from tests.localcloud.ec2.backend.test_run_instances import market
from tests.localcloud.lab import Lab

STANDARD, SPOT, GPU = "L-1216C47A", "L-34B43A08", "L-DB2E81BA"


@pytest.fixture(autouse=True)
def default_account(lab: Lab) -> Iterator[None]:
    yield
    lab.own("account", {"default": True})


def quota(lab: Lab, code: str, vcpus: int) -> None:
    lab.own("account", {"quotas": {code: vcpus}})


def launch(lab: Lab, **params: Any) -> dict[str, Any]:
    return {**lab.spec(), "MinCount": 1, "MaxCount": 1, **params}


def test_fault_22_a_launch_above_the_quota_is_refused_and_makes_nothing(lab: Lab) -> None:
    quota(lab, STANDARD, 31)
    before = everything(lab)
    given = launch(lab, MinCount=2, MaxCount=2)
    message = lab.refused("VcpuLimitExceeded", lab.ec2.run_instances, **given)
    assert "your current vCPU limit of 31 allows" in message
    assert everything(lab) == before


def test_a_launch_of_several_makes_as_many_as_there_is_quota_for(lab: Lab) -> None:
    quota(lab, STANDARD, 40)
    given = launch(lab, MinCount=1, MaxCount=3)
    assert len(lab.ec2.run_instances(**given)["Instances"]) == 2
    lab.refused("VcpuLimitExceeded", lab.ec2.run_instances, **launch(lab))


def test_a_stopped_machine_takes_no_quota_until_it_starts(lab: Lab) -> None:
    first = lab.run()
    lab.ec2.stop_instances(InstanceIds=[first])
    lab.becomes(first, "stopped")
    quota(lab, STANDARD, 16)
    second = lab.run()
    lab.refused("VcpuLimitExceeded", lab.ec2.start_instances, InstanceIds=[first])
    lab.ec2.terminate_instances(InstanceIds=[second])
    lab.becomes(second, "terminated")
    lab.ec2.start_instances(InstanceIds=[first])
    lab.becomes(first, "running")


def test_fault_22_spot_has_a_quota_of_its_own(lab: Lab) -> None:
    quota(lab, SPOT, 16)
    sir, _ = lab.spot_instance()
    before = everything(lab)
    asked = {"LaunchSpecification": lab.spec(), "SpotPrice": "0.65"}
    refused = "MaxSpotInstanceCountExceeded"
    assert lab.refused(refused, lab.ec2.request_spot_instances, **asked) == (
        "Max spot instance count exceeded"
    )
    lab.refused(refused, lab.ec2.run_instances, **launch(lab, **market()))
    assert everything(lab) == before
    lab.run()
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])


def test_an_open_request_counts_until_it_is_cancelled(lab: Lab) -> None:
    quota(lab, SPOT, 16)
    sir = lab.ask(SpotPrice="0.01")
    lab.reaches(sir, "open", "price-too-low")
    asked = {"LaunchSpecification": lab.spec(), "SpotPrice": "0.01"}
    lab.refused("MaxSpotInstanceCountExceeded", lab.ec2.request_spot_instances, **asked)
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    lab.ec2.request_spot_instances(**asked)


def test_a_relaunch_is_within_the_quota_of_its_request(lab: Lab) -> None:
    quota(lab, SPOT, 16)
    sir, ident = lab.spot_instance()
    lab.reap(ident, notice=0)
    lab.becomes(ident, "terminated")
    lab.becomes(lab.reaches(sir, "active", "fulfilled")["InstanceId"], "running")


def test_classes_of_types_have_their_own_quotas(lab: Lab) -> None:
    quota(lab, GPU, 0)
    given = launch(lab, InstanceType="g4dn.xlarge")
    lab.refused("VcpuLimitExceeded", lab.ec2.run_instances, **given)
    lab.run()


def test_a_new_account_has_awss_defaults(lab: Lab) -> None:
    lab.own("account", {"fresh": True})
    lab.refused("VcpuLimitExceeded", lab.ec2.run_instances, **launch(lab))
    lab.run(InstanceType="m5d.xlarge")


def test_addresses_have_a_quota_that_the_owner_may_change(lab: Lab) -> None:
    lab.own("account", {"quotas": {"L-0263D0A3": 1}})
    first = lab.ec2.allocate_address(Domain="vpc")["AllocationId"]
    lab.refused("AddressLimitExceeded", lab.ec2.allocate_address, Domain="vpc")
    lab.ec2.release_address(AllocationId=first)


@pytest.mark.parametrize(
    ("quotas", "words"),
    [({"L-1": 5}, "no quota 'L-1'"), ({SPOT: -1}, "from 0 to"), ({SPOT: "many"}, "a number")],
)
def test_a_quota_that_is_none_is_refused(lab: Lab, quotas: Any, words: str) -> None:
    assert words in lab.denied("account", {"quotas": quotas})
