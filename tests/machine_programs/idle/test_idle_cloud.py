"""The end of an idle machine asks the rehearsal cloud with the real curl."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudtop_machine.idle.end import End, Stays
from cloudtop_machine.idle.program import SETTINGS

from tests.cloud import fake_cloud
from tests.localcloud.lab import Lab
from tests.machine_programs.support.imds import Imds
from tests.machine_side import Metadata

# More than the end needs: what it may do is tests/roles/account/test_machine_policy.py's
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}],
}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with fake_cloud(tmp_path / "cloud") as (endpoint, server, host):
        lab = Lab(endpoint, server, host)
        lab.profile("box", POLICY)
        yield lab


@pytest.fixture
def imds() -> Iterator[Imds]:
    imds = Imds()
    yield imds
    imds.close()


def end(lab: Lab, imds: Imds, instance: str, action: str) -> str:
    """The machine asks for its own end; returns why it has to stay, or nothing."""
    imds.answers = Metadata(lab.server, instance)
    places = {"endpoint": lab.endpoint, "imds": imds.url}
    try:
        End({**SETTINGS, "action": action, **places}, print).ask()
    except Stays as why:
        return str(why)
    return ""


def running(lab: Lab, **params: Any) -> tuple[str, str]:
    """Ids of a new request and its machine."""
    request = lab.ask(lab.spec(IamInstanceProfile={"Name": "box"}), **params)
    return request, str(lab.reaches(request, "active", "fulfilled")["InstanceId"])


def test_a_machine_that_stops_is_stopped_by_its_owner(lab: Lab, imds: Imds) -> None:
    request, instance = running(lab)
    assert end(lab, imds, instance, "stop") == ""
    lab.reaches(request, "disabled", "instance-stopped-by-user")
    lab.becomes(instance, "stopped")


def test_a_machine_that_terminates_has_no_successor(lab: Lab, imds: Imds) -> None:
    request, instance = running(lab)
    assert end(lab, imds, instance, "terminate") == ""
    lab.becomes(instance, "terminated")
    assert lab.request(request)["State"] == "cancelled"
    reservations = lab.ec2.describe_instances()["Reservations"]
    assert [each["InstanceId"] for one in reservations for each in one["Instances"]] == [instance]


def test_a_one_time_machine_cannot_be_stopped(lab: Lab, imds: Imds) -> None:
    _, instance = running(lab, Type="one-time")
    why = end(lab, imds, instance, "stop")
    assert why.startswith("EC2 does not stop this machine: You can't stop the Spot Instance")
    assert why.endswith("Set cloudtop_idle_action to terminate.")


def test_a_machine_without_a_request_is_not_terminated(lab: Lab, imds: Imds) -> None:
    instance = lab.run(IamInstanceProfile={"Name": "box"})
    why = end(lab, imds, instance, "terminate")
    assert f"no spot request of {instance}" in why
    lab.becomes(instance, "running")
