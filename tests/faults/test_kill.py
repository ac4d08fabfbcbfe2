"""Law 4: the cloud's part of a provision can be killed anywhere and run again.

The API is the rehearsal cloud's own, with machines that are not real: what is counted here
is what costs money.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests import packing
from tests.cloud import KEY, SECRET, fake_cloud
from tests.faults.killing import DEADLINE, kill_after

ROOT = Path(__file__).resolve().parent.parent.parent
# Mutating calls at which the run is killed; a whole run makes as many
KILL_AFTER = range(1, 14)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as (url, _server, _host):
        yield url


@pytest.fixture
def ec2(endpoint: str) -> Iterator[Any]:
    """A client; the addresses of a test are given back, as there are five in a region."""
    ec2 = boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    yield ec2
    for each in ec2.describe_addresses()["Addresses"]:
        if "AssociationId" in each:
            ec2.disassociate_address(AssociationId=each["AssociationId"])
        ec2.release_address(AllocationId=each["AllocationId"])


def provision(endpoint: str, name: str, home: Path) -> subprocess.Popen[str]:
    """The cloud's part of ``runner.py provision``, as a process group of its own."""
    environ = {
        **os.environ,
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "PATH": packing.path(),
    }
    return subprocess.Popen(
        [
            packing.ansible_playbook(),
            *("-i", "inventory/cloudtop.aws_ec2.yml", "-e", "@inventory/clouds/rehearsal.yml"),
            *("-e", f"cloudtop_name={name}", "-e", f"cloudtop_ssh_key={home}/.ssh/id"),
            *("-e", "cloudtop_elastic_ip=true"),
            "playbooks/cloud.yml",
        ],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def live(ec2: Any, name: str) -> dict[str, list[str]]:
    """Everything of a cloudtop that costs money or would be found again, by kind."""
    of_name = [{"Name": "tag:cloudtop:name", "Values": [name]}]
    requests = [
        each["SpotInstanceRequestId"]
        for each in ec2.describe_spot_instance_requests(Filters=of_name)["SpotInstanceRequests"]
        if each["State"] in {"open", "active", "disabled"}
    ]
    instances = [
        each["InstanceId"]
        for reservation in ec2.describe_instances(
            Filters=[{"Name": "spot-instance-request-id", "Values": requests or ["none"]}]
        )["Reservations"]
        for each in reservation["Instances"]
        if each["State"]["Name"] not in {"terminated", "shutting-down"}
    ]
    volumes = [
        each["VolumeId"]
        for each in ec2.describe_volumes(Filters=of_name)["Volumes"]
        if {"Key": "cloudtop:role", "Value": "root"} not in each.get("Tags", [])
    ]
    groups = [
        each["GroupId"] for each in ec2.describe_security_groups(Filters=of_name)["SecurityGroups"]
    ]
    keys = [each["KeyPairId"] for each in ec2.describe_key_pairs(Filters=of_name)["KeyPairs"]]
    addresses = [
        each["AllocationId"] for each in ec2.describe_addresses(Filters=of_name)["Addresses"]
    ]
    return {
        "address": addresses,
        "request": requests,
        "instance": instances,
        "volume": volumes,
        "group": groups,
        "key": keys,
    }


@pytest.mark.parametrize("calls", KILL_AFTER)
def test_killed_provision_run_again_leaves_one_of_each(
    endpoint: str, ec2: Any, tmp_path: Path, calls: int
) -> None:
    name = f"killed-{calls}"
    before = everything(ec2)
    assert kill_after(calls, lambda: provision(endpoint, name, tmp_path)), "it ended before"
    again = provision(endpoint, name, tmp_path)
    output, _ = again.communicate(timeout=DEADLINE)
    assert again.returncode == 0, output
    one = live(ec2, name)
    assert {kind: len(ids) for kind, ids in one.items()} == dict.fromkeys(one, 1)
    created = everything(ec2) - before
    root = {
        volume["VolumeId"]
        for volume in ec2.describe_volumes(
            Filters=[{"Name": "attachment.instance-id", "Values": one["instance"]}]
        )["Volumes"]
    }
    assert created - root == {ids[0] for ids in one.values()}


def everything(ec2: Any) -> set[str]:
    """The ids of all that the account has and that is not over."""
    ids = {
        each["SpotInstanceRequestId"]
        for each in ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
        if each["State"] in {"open", "active", "disabled"}
    }
    ids |= {
        each["InstanceId"]
        for reservation in ec2.describe_instances()["Reservations"]
        for each in reservation["Instances"]
        if each["State"]["Name"] != "terminated"
    }
    ids |= {each["VolumeId"] for each in ec2.describe_volumes()["Volumes"]}
    ids |= {each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]}
    ids |= {each["AllocationId"] for each in ec2.describe_addresses()["Addresses"]}
    return ids | {each["KeyPairId"] for each in ec2.describe_key_pairs()["KeyPairs"]}
