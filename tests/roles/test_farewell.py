"""A machine that does not answer is not ended: whole commands against a rehearsal cloud."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runner
from cloudtop import paths
from cloudtop.settings import clouds
from tests.roles.plays import Place, of

NAME = "box"
LISTS = {
    "describe_spot_instance_requests": "SpotInstanceRequests",
    "describe_instances": "Reservations",
    "describe_volumes": "Volumes",
    "describe_snapshots": "Snapshots",
    "describe_images": "Images",
    "describe_security_groups": "SecurityGroups",
    "describe_key_pairs": "KeyPairs",
    "describe_addresses": "Addresses",
}
COMMANDS = (
    "switch --yes --type c3.xlarge",
    "switch --yes --zone us-east-1b",
    "destroy --yes",
    "stop --yes",
    "restore good --yes",
)


@pytest.fixture(scope="module")
def box(place: Place) -> Place:
    """A provisioned cloudtop with a snapshot, whose machine is one in name only."""
    given = {"cloudtop_name": NAME, "cloudtop_zone": "us-east-1a"}
    for playbook, more in (
        ("cloud", {}),
        ("snapshot", {"cloudtop_snapshot_label": "good"}),
    ):
        outcome = place.run(f"playbooks/{playbook}.yml", **given, **more)
        assert outcome.code == 0, outcome.text
    (volume,) = place.volumes(NAME)
    key = [{"Key": "cloudtop:host-key", "Value": "ssh-ed25519 AAAA"}]
    place.ec2.create_tags(Resources=[volume["VolumeId"]], Tags=key)
    return place


@pytest.fixture
def silent(box: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Place]:
    """In its environment, with an ssh that says what OpenSSH says when nobody answers."""
    ssh = tmp_path / "ssh"
    ssh.write_text(
        "#!/bin/sh\necho x >>'" + str(tmp_path / "calls") + "'\n"
        "echo 'ssh: connect to host box port 22: Connection timed out' >&2\nexit 255\n"
    )
    ssh.chmod(0o755)
    for key, value in box.environ.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{box.environ['PATH']}")
    monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")
    # It runs already, in this process
    monkeypatch.setattr(clouds, "start", lambda cloud: None)
    monkeypatch.setattr(clouds, "enter", lambda cloud, region, profile: None)
    yield box


def call(place: Place, command: str, *more: str) -> int:
    key = place.home / ".ssh" / "id"
    given = ["-e", "cloudtop_owner=alice", "-e", f"cloudtop_ssh_key={key}", "--name", NAME]
    return runner.main([*shlex.split(command), *given, *more])


def account(place: Place) -> dict[str, Any]:
    """All that EC2 and IAM show."""
    shown = {key: getattr(place.ec2, call)()[key] for call, key in LISTS.items()}
    shown["roles"] = place.roles()
    shown["profiles"] = place.iam.list_instance_profiles()["InstanceProfiles"]
    return dict(json.loads(json.dumps(shown, default=str, sort_keys=True)))


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_changed_by(
    silent: Place, command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before, calls = account(silent), silent.mutating_calls()
    assert call(silent, command) == 1
    output = capsys.readouterr()
    assert "does not answer (ssh: connect to host box port 22: Connection timed out)" in output.out
    assert "--lose-work" in output.err
    assert account(silent) == before
    assert silent.mutating_calls() == calls
    # Once, and once more after the port was opened
    assert len((tmp_path / "calls").read_text()) == 4


def test_the_port_is_opened_to_the_address_of_today(silent: Place) -> None:
    (group,) = silent.ec2.describe_security_groups(Filters=of(NAME))["SecurityGroups"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    new = {**rule, "IpRanges": [{"CidrIp": "127.0.0.1/32"}]}
    old = {**rule, "IpRanges": [{"CidrIp": "198.51.100.7/32"}]}
    silent.ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[new])
    silent.ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[old])
    assert call(silent, "stop --yes") == 1
    (group,) = silent.ec2.describe_security_groups(Filters=of(NAME))["SecurityGroups"]
    open_to = [each["CidrIp"] for r in group["IpPermissions"] for each in r["IpRanges"]]
    assert open_to == ["127.0.0.1/32"]


def test_without_a_group_no_port_is_opened_and_none_is_made(silent: Place) -> None:
    calls = silent.mutating_calls()
    outcome = silent.run("playbooks/reach.yml", cloudtop_name="nobody")
    assert (outcome.code, outcome.changed) == (0, 0), outcome.text
    assert silent.mutating_calls() == calls


def test_given_up_the_work_is_lost_and_the_machine_ends(
    silent: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (request,) = silent.requests(NAME)
    assert call(silent, "destroy --yes --lose-work") == 0
    assert "is ended all the same, as --lose-work says" in capsys.readouterr().out
    assert silent.instances(request["SpotInstanceRequestId"]) == []
