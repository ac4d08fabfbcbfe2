"""What idle-end asks with the real curl, answered by the rehearsal cloud: one machine less."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud import fake_cloud
from tests.localcloud.lab import Lab
from tests.machine_programs import installed
from tests.machine_programs.imds import Imds
from tests.machine_side import Metadata

# More than idle-end needs: what it may do is tests/roles/test_machine_policy.py's
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


def end(lab: Lab, imds: Imds, tree: Path, instance: str, action: str) -> tuple[int, str]:
    """The machine asks for its own end; returns the exit code and the last line."""
    imds.answers = Metadata(lab.server, instance)
    lib = installed.lib(tree)
    config = tree / "idle-stop.conf"
    config.write_text(
        f"action={action} endpoint='{lab.endpoint}' imds='{imds.url}' lib='{lib}' pause=0\n"
    )
    done = subprocess.run(
        [*installed.argv(installed.program("idle-end")), "ask", str(config)],
        env=installed.environ(tree),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, (done.stdout.splitlines() or [""])[-1]


def running(lab: Lab, **params: Any) -> tuple[str, str]:
    """Ids of a new request and its machine."""
    request = lab.ask(lab.spec(IamInstanceProfile={"Name": "box"}), **params)
    return request, str(lab.reaches(request, "active", "fulfilled")["InstanceId"])


def test_a_machine_that_stops_is_stopped_by_its_owner(lab: Lab, imds: Imds, tmp_path: Path) -> None:
    request, instance = running(lab)
    assert end(lab, imds, tmp_path, instance, "stop") == (0, "")
    lab.reaches(request, "disabled", "instance-stopped-by-user")
    lab.becomes(instance, "stopped")


def test_a_machine_that_terminates_has_no_successor(lab: Lab, imds: Imds, tmp_path: Path) -> None:
    request, instance = running(lab)
    assert end(lab, imds, tmp_path, instance, "terminate") == (0, "")
    lab.becomes(instance, "terminated")
    assert lab.request(request)["State"] == "cancelled"
    found = lab.ec2.describe_instances()["Reservations"]
    assert [each["InstanceId"] for one in found for each in one["Instances"]] == [instance]


def test_a_one_time_machine_cannot_be_stopped(lab: Lab, imds: Imds, tmp_path: Path) -> None:
    _, instance = running(lab, Type="one-time")
    code, said = end(lab, imds, tmp_path, instance, "stop")
    assert code == 1
    assert said.startswith("EC2 does not stop this machine: You can't stop the Spot Instance")
    assert said.endswith("Set cloudtop_idle_action to terminate.")


def test_a_machine_without_a_request_is_not_terminated(
    lab: Lab, imds: Imds, tmp_path: Path
) -> None:
    instance = lab.run(IamInstanceProfile={"Name": "box"})
    code, said = end(lab, imds, tmp_path, instance, "terminate")
    assert code == 1
    assert f"no spot request of {instance}" in said
    lab.becomes(instance, "running")
