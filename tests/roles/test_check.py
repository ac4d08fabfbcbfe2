"""Check mode of every playbook: it passes on any account, and changes nothing there nor here."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.roles.plays import ROOT, Place
from tests.roles.test_inventory import Banner

NAME = "box"
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
# As after a change of settings that nothing was made for yet
CHANGED = {
    "cloudtop_elastic_ip": True,
    "cloudtop_snapshot_hours": 6,
    "cloudtop_volume_size": 60,
    "cloudtop_instance_type": "c3.xlarge",
    "cloudtop_bid": 0.3,
    "cloudtop_switch": True,
}


def account(place: Place) -> Any:
    """All that the account has, as EC2, IAM and DLM show it."""
    ec2, iam = place.ec2, place.iam
    return [
        ec2.describe_spot_instance_requests()["SpotInstanceRequests"],
        ec2.describe_instances()["Reservations"],
        ec2.describe_volumes()["Volumes"],
        ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
        ec2.describe_images(Owners=["self"])["Images"],
        ec2.describe_addresses()["Addresses"],
        ec2.describe_security_groups()["SecurityGroups"],
        ec2.describe_key_pairs()["KeyPairs"],
        iam.list_roles()["Roles"],
        iam.list_instance_profiles()["InstanceProfiles"],
        [
            iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            for role in place.roles()
            for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        ],
        place.client("dlm").get_lifecycle_policies()["Policies"],
    ]


def files(place: Place) -> dict[str, int]:
    """Files of the home with their times, but for Ansible's own."""
    return {
        str(path.relative_to(place.home)): path.stat().st_mtime_ns
        for path in place.home.rglob("*")
        if ".ansible" not in path.parts
    }


@contextmanager
def ssh(place: Place) -> Iterator[int]:
    """A port of the machine where something calls itself ssh, and lets nobody in."""
    (request,) = [each for each in place.requests(NAME) if each["State"] == "active"]
    (instance,) = place.instances(request["SpotInstanceRequestId"])
    with socketserver.ThreadingTCPServer((instance["PublicIpAddress"], 0), Banner) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def passes(place: Place, playbook: str, **settings: Any) -> None:
    """In check mode, with nothing changed at EC2 nor in the home directory."""
    before = account(place), files(place), place.mutating_calls()
    outcome = place.run(
        f"playbooks/{playbook}",
        "--check",
        **{"cloudtop_name": NAME, "cloudtop_launch_deadline": 5, **settings},
    )
    if playbook == "machine.yml" and "cloudtop_ssh_port" in settings:
        # It came as far as the machine, which lets nobody in
        assert "unreachable=1" in outcome.text
    else:
        assert outcome.code == 0, outcome.text
    assert (account(place), files(place), place.mutating_calls()) == before


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_passes_on_an_empty_account(place: Place, playbook: str) -> None:
    passes(place, playbook)


@pytest.fixture(scope="module")
def port(place: Place) -> Iterator[int]:
    """The cloudtop is there from now on; the port of its machine's ssh."""
    outcome = place.run("playbooks/cloud.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    with ssh(place) as number:
        yield number


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_every_playbook_passes_with_a_cloudtop(place: Place, port: int, playbook: str) -> None:
    passes(place, playbook, cloudtop_ssh_port=port)


@pytest.mark.parametrize("playbook", ["bake.yml", "cloud.yml", "destroy.yml", "switch_zone.yml"])
def test_every_playbook_passes_after_a_change_of_settings(
    place: Place, port: int, playbook: str
) -> None:
    zone = {"cloudtop_switch_zone": "us-east-1f"} if playbook == "switch_zone.yml" else {}
    passes(
        place,
        playbook,
        cloudtop_ssh_port=port,
        cloudtop_delete_volume=NAME,
        **CHANGED,
        **zone,
    )


def test_a_bad_setting_is_refused_as_in_the_real_run(place: Place, port: int) -> None:
    given = {"cloudtop_name": NAME, "cloudtop_ssh_port": port}
    before = place.mutating_calls()
    for playbook, wrong, words in (
        ("cloud", {"cloudtop_zone": "us-east-1z"}, "lies in us-east-1"),
        ("snapshot", {"cloudtop_snapshot_label": "-"}, 'The label "-" can\'t be'),
        ("restore", {"cloudtop_restore_from": "nosuch"}, 'has no snapshot "nosuch"'),
        ("destroy", {"cloudtop_delete_volume": "other"}, 'The volume of "other"'),
    ):
        for options in ([], ["--check"]):
            refused = place.run(f"playbooks/{playbook}.yml", *options, **given, **wrong)
            assert refused.code != 0
            assert words in refused.sentence
    assert place.mutating_calls() == before


def test_what_is_not_there_yet_is_a_refusal_of_the_real_run_alone(place: Place) -> None:
    """Check mode may come before what an earlier command makes."""
    for playbook, words in (
        ("stop", "There is no live request"),
        ("machine", "There is no live request"),
        ("snapshot", "there is nothing to take a snapshot of"),
    ):
        real = place.run(f"playbooks/{playbook}.yml", cloudtop_name="none")
        assert words in " ".join(real.sentence.split())
        dry = place.run(f"playbooks/{playbook}.yml", "--check", cloudtop_name="none")
        assert dry.code == 0, dry.text
        assert "the real run would refuse it" in " ".join(dry.text.split())
