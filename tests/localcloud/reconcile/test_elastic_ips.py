"""Elastic IPs outlive the rehearsal cloud's own end, and machines come to answer at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.machines.fake import FakeHost
from localcloud.reconcile import machines
from tests.cloud import fake_cloud
from tests.localcloud.lab import Lab, until


def test_association_and_tags_are_kept(tmp_path: Path) -> None:
    host = FakeHost()
    tags = [{"ResourceType": "elastic-ip", "Tags": [{"Key": "a", "Value": "b"}]}]
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        ident = lab.run()
        allocation = lab.ec2.allocate_address(TagSpecifications=tags)
        lab.ec2.associate_address(AllocationId=allocation["AllocationId"], InstanceId=ident)
        address = allocation["PublicIp"]
        until("the machine there", lambda: host.machines[ident].spec.address == address)
        before = lab.ec2.describe_addresses()["Addresses"]
    asked = host.calls.count(f"forward {ident} {address}")
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        assert lab.ec2.describe_addresses()["Addresses"] == before
        assert lab.instance(ident)["PublicIpAddress"] == address
        # The cloud that goes on from the state on disk is still EC2
        lab.ec2.disassociate_address(AssociationId=before[0]["AssociationId"])
        later = lab.instance(ident)["PublicIpAddress"]
        until("the machine elsewhere", lambda: host.machines[ident].spec.address == later)
    assert host.calls.count(f"forward {ident} {address}") == asked


def test_a_forward_that_was_promised_and_not_made_is_made_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = FakeHost()
    with fake_cloud(tmp_path, host) as running:
        lab = Lab(*running)
        ident = lab.run()
        with monkeypatch.context() as patched:
            # As if the cloud were killed before it came to that
            patched.setattr(machines, "forward", lambda *_: iter(()))
            allocation = lab.ec2.allocate_address()
            lab.ec2.associate_address(AllocationId=allocation["AllocationId"], InstanceId=ident)
            lab.server.close()
    assert host.machines[ident].spec.address != allocation["PublicIp"]
    with fake_cloud(tmp_path, host):
        until("the forward", lambda: host.machines[ident].spec.address == allocation["PublicIp"])
