"""The Elastic IP as the command line tells of it: found by tags, announced, in the status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudtop.aws.find import Resources, address_of, find
from cloudtop.commands import destroy
from cloudtop.errors import CloudtopError
from cloudtop.machine import status, summary
from cloudtop.settings import clouds, settings
from tests.cloud import client, fake_cloud
from tests.roles.plays import tags_for

NOTHING = Resources(request=None, instance=None, volume=None)


@pytest.fixture
def ec2(tmp_path: Path) -> Iterator[Any]:
    with fake_cloud(tmp_path) as (endpoint, _server, _host):
        yield client(endpoint)


def test_ours_is_found_by_its_tags_and_announced_among_what_goes(ec2: Any) -> None:
    address = ec2.allocate_address(TagSpecifications=tags_for("elastic-ip", "box"))
    ec2.allocate_address(TagSpecifications=tags_for("elastic-ip", "other"))
    resources = find(ec2, "box", "alice")
    assert resources.address
    assert resources.address.allocation_id == address["AllocationId"]
    assert find(ec2, "box", "bob").address is None
    lines = destroy.announcement("box", resources, [], False).splitlines()
    assert lines[1] == f"  the Elastic IP    {address['PublicIp']} (it cannot be recovered)"


class Refusing:
    """EC2 that answers with an error's code."""

    def __init__(self, code: str) -> None:
        self.code = code

    def describe_addresses(self, **_asked: Any) -> None:
        raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "DescribeAddresses")


def test_credentials_that_may_not_look_have_none() -> None:
    assert address_of(Refusing("UnauthorizedOperation"), []) is None


def test_any_other_refusal_is_said() -> None:
    with pytest.raises(CloudtopError, match="EC2 answered RequestLimitExceeded: no"):
        address_of(Refusing("RequestLimitExceeded"), [])


def test_status_shows_what_the_machine_says_of_it() -> None:
    report = status.gather(settings.load(), clouds.load("rehearsal"), NOTHING)
    message = "203.0.113.7 (eipalloc-1) is this machine's."
    machine = {"elastic-ip": {"state": "associated", "message": message}}
    shown = summary.render(replace(report, machine=machine))
    assert f"  address      {message}" in shown.splitlines()


def test_the_setting_is_true_or_false() -> None:
    with pytest.raises(CloudtopError, match="cloudtop_elastic_ip is 'perhaps'; it has to be true"):
        settings.load(["cloudtop_elastic_ip=perhaps"])
