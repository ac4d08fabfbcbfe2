"""Machines are found by their request, with no tags, and pinned before the first login."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles.plays import BIN, ROOT, Place, tags, tags_for

NAME = "box"
_BLOB = b"".join(len(each).to_bytes(4, "big") + each for each in (b"ssh-ed25519", b"1" * 32))
PINNED = f"ssh-ed25519 {base64.b64encode(_BLOB).decode()}"


class Banner(socketserver.BaseRequestHandler):
    """All that an ssh server says before it is asked."""

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


@pytest.fixture(scope="module")
def instance(place: Place) -> dict[str, Any]:
    """A machine that EC2 launched by itself: it has no tags, only its request has."""
    place.make_volume(NAME)
    key = place.make_request(TagSpecifications=tags_for("spot-instances-request", NAME))
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for instance in place.instances(key):
            if instance["State"]["Name"] == "running":
                return instance
        time.sleep(0.2)
    raise AssertionError(f"no machine of {key} runs after 60 s")


@pytest.fixture(scope="module")
def ssh_port(instance: dict[str, Any]) -> Iterator[int]:
    """A port of the machine's address where something calls itself ssh, and lets nobody in."""
    address = (instance["PublicIpAddress"], 0)
    with socketserver.ThreadingTCPServer(address, Banner) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def host_key(place: Place, instance: dict[str, Any]) -> str:
    """The key on the machine's console, without its comment."""
    console = place.ec2.get_console_output(InstanceId=instance["InstanceId"])["Output"]
    (line,) = [line for line in console.splitlines() if line.startswith("ssh-ed25519 ")]
    return " ".join(line.split()[:2])


def test_an_untagged_machine_is_in_the_group_of_its_request(
    place: Place, instance: dict[str, Any]
) -> None:
    argv = [str(BIN / "ansible-inventory"), "--list", "-e", "@inventory/clouds/rehearsal.yml"]
    text = place.command(argv).text
    inventory = json.loads(text[text.index("{\n") :])
    group = "request_" + instance["SpotInstanceRequestId"].replace("-", "_")
    assert inventory[group]["hosts"] == [instance["InstanceId"]]
    variables = inventory["_meta"]["hostvars"][instance["InstanceId"]]
    assert variables["ansible_user"] == "ubuntu"
    assert instance["PublicIpAddress"] in str(variables["ansible_host"])
    assert "StrictHostKeyChecking=yes" in variables["ansible_ssh_common_args"]


@pytest.mark.parametrize(
    ("given", "own", "region"),
    [
        ({}, None, "us-east-1"),
        ({}, "cloudtop_region: eu-west-1", "eu-west-1"),
        ({}, "# nothing yet", "us-east-1"),
        ({"AWS_DEFAULT_REGION": "eu-north-1"}, "cloudtop_region: eu-west-1", "eu-north-1"),
        ({"AWS_REGION": "eu-central-1"}, "cloudtop_region: eu-west-1", "eu-central-1"),
    ],
)
def test_f25_the_region_without_aws_region_is_that_of_the_settings(
    given: dict[str, str], own: str | None, region: str, tmp_path: Path
) -> None:
    """A listener in EC2's place sees for which region the inventory asks."""
    project = tmp_path / "pro ject"
    settings = project / "inventory" / "group_vars" / "all"
    settings.mkdir(parents=True)
    (project / "roles").mkdir()
    for name in ("ansible.cfg", "inventory/cloudtop.aws_ec2.yml"):
        shutil.copy(ROOT / name, project / name)
    shutil.copy(ROOT / "inventory/group_vars/all/settings.yml", settings)
    if own is not None:
        (settings / "settings_local.yml").write_text(own)
    regions: list[str] = []

    class Ec2(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            # .../20261127/REGION/ec2/aws4_request
            regions.append(self.headers["Authorization"].split("/")[2])
            self.send_error(403)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Ec2) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "of-the-test",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "HOME": str(tmp_path),
            **given,
        }
        done = subprocess.run(
            [str(BIN / "ansible-inventory"), "--list"],
            cwd=project, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        server.shutdown()
    assert set(regions) == {region}, done.stderr


def test_the_host_key_is_pinned_before_anyone_logs_in(
    place: Place, instance: dict[str, Any], ssh_port: int
) -> None:
    key = host_key(place, instance)
    first = place.run("playbooks/machine.yml", cloudtop_name=NAME, cloudtop_ssh_port=ssh_port)
    assert "unreachable=1" in first.text, "the banner lets nobody in, and nothing is done"
    known_hosts = place.home / "state" / "cloudtop" / "rehearsal" / NAME / "known_hosts"
    lines = known_hosts.read_text().splitlines()
    assert lines[0] == f"# {instance['InstanceId']} of {instance['SpotInstanceRequestId']}"
    assert lines[1:] == [f"cloudtop-{NAME} {key}"]
    (volume,) = place.volumes(NAME)
    assert tags(volume)["cloudtop:host-key"] == key

    before = place.mutating_calls()
    again = place.run("playbooks/machine.yml", cloudtop_name=NAME, cloudtop_ssh_port=ssh_port)
    assert again.changed == 0, again.text
    assert place.mutating_calls() == before


@pytest.mark.parametrize("more", ["\n* ssh-rsa AAAA", "A", " @cert-authority"])
def test_s12_a_tag_that_is_no_host_key_is_not_pinned(
    place: Place, instance: dict[str, Any], ssh_port: int, more: str
) -> None:
    (volume,) = place.volumes(NAME)
    before = tags(volume)["cloudtop:host-key"]
    known_hosts = place.home / "state" / "cloudtop" / "rehearsal" / NAME / "known_hosts"
    known_hosts.unlink(missing_ok=True)

    def tag(key: str) -> None:
        wanted = [{"Key": "cloudtop:host-key", "Value": key}]
        place.ec2.create_tags(Resources=[volume["VolumeId"]], Tags=wanted)

    tag(f"{PINNED}{more}")
    outcome = place.run("playbooks/machine.yml", cloudtop_name=NAME, cloudtop_ssh_port=ssh_port)
    tag(before)
    assert "which is no ssh host key" in outcome.sentence
    assert not known_hosts.exists()


def test_another_computer_gets_the_pinned_key_and_the_new_machines(
    place: Place, instance: dict[str, Any], ssh_port: int
) -> None:
    (volume,) = place.volumes(NAME)
    pinned = PINNED
    place.ec2.create_tags(
        Resources=[volume["VolumeId"]], Tags=[{"Key": "cloudtop:host-key", "Value": pinned}]
    )
    known_hosts = place.home / "state" / "cloudtop" / "rehearsal" / NAME / "known_hosts"
    known_hosts.unlink(missing_ok=True)
    place.run("playbooks/machine.yml", cloudtop_name=NAME, cloudtop_ssh_port=ssh_port)
    assert known_hosts.read_text().splitlines()[1:] == [
        f"cloudtop-{NAME} {pinned}",
        f"cloudtop-{NAME} {host_key(place, instance)}",
    ]
