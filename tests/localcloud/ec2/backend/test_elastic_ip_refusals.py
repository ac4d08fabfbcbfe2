"""Elastic IPs: EC2's refusals, and their words."""

from __future__ import annotations

from tests.localcloud.ec2.backend.test_elastic_ips import TAGS, allocated, associated, released
from tests.localcloud.lab import Lab

__all__ = ["released"]


def test_what_does_not_exist_or_is_not_ready_is_refused(lab: Lab) -> None:
    allocation, address = allocated(lab)
    ec2, gone, ident = lab.ec2, "eipalloc-0123456789abcdef0", lab.run()
    code = "InvalidAllocationID.NotFound"
    lab.refused(code, ec2.associate_address, AllocationId=gone, InstanceId=ident)
    lab.refused(code, ec2.release_address, AllocationId=gone)
    lab.refused(code, ec2.describe_addresses, AllocationIds=[gone])
    lab.refused(code, ec2.create_tags, Resources=[gone], Tags=TAGS[0]["Tags"])
    lab.refused("InvalidAddress.NotFound", ec2.describe_addresses, PublicIps=["127.77.255.254"])
    lab.refused(
        "InvalidInstanceID.NotFound",
        ec2.associate_address,
        AllocationId=allocation,
        InstanceId="i-0123456789abcdef0",
    )
    lab.refused("MissingParameter", ec2.associate_address, AllocationId=allocation)
    lab.refused("MissingParameter", ec2.release_address)
    lab.refused("MissingParameter", ec2.disassociate_address)
    lab.refused("InvalidParameterValue", ec2.release_address, PublicIp=address)
    lab.refused("InvalidParameterValue", ec2.disassociate_address, PublicIp=address)
    lab.refused("InvalidParameterValue", ec2.associate_address, PublicIp=address, InstanceId=ident)
    lab.refused("InvalidParameterValue", ec2.allocate_address, Domain="standard")
    volume = [{"ResourceType": "volume", "Tags": []}]
    lab.refused("InvalidParameterValue", ec2.allocate_address, TagSpecifications=volume)
    bad = [{"Name": "address", "Values": ["x"]}]
    lab.refused("InvalidParameterValue", ec2.describe_addresses, Filters=bad)


def test_a_pending_or_terminated_instance_takes_none(lab: Lab) -> None:
    allocation, _ = allocated(lab)
    ident = lab.run()
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")
    lab.host.start_seconds = 0.5
    pending = lab.ec2.run_instances(**lab.spec(), MinCount=1, MaxCount=1)["Instances"][0]
    for instance in (pending["InstanceId"], ident):
        lab.refused(
            "InvalidInstanceID",
            lab.ec2.associate_address,
            AllocationId=allocation,
            InstanceId=instance,
        )


def test_an_associated_address_is_not_released(lab: Lab) -> None:
    ident = lab.run()
    allocation, _ = allocated(lab)
    association = associated(lab, allocation, ident)
    lab.refused("InvalidIPAddress.InUse", lab.ec2.release_address, AllocationId=allocation)
    lab.ec2.disassociate_address(AssociationId=association)
    lab.ec2.release_address(AllocationId=allocation)
    assert lab.ec2.describe_addresses()["Addresses"] == []


def test_there_are_five_in_a_region(lab: Lab) -> None:
    kept = [allocated(lab)[0] for _ in range(5)]
    lab.refused("AddressLimitExceeded", lab.ec2.allocate_address, Domain="vpc")
    lab.ec2.release_address(AllocationId=kept[0])
    assert allocated(lab)


def test_a_dry_run_allocates_nothing(lab: Lab) -> None:
    lab.refused("DryRunOperation", lab.ec2.allocate_address, DryRun=True)
    assert lab.ec2.describe_addresses()["Addresses"] == []
