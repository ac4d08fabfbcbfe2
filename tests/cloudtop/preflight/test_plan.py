"""Checks before anything is made, against the rehearsal cloud's API."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.command import Context
from cloudtop.commands import provision
from cloudtop.errors import CloudtopError
from cloudtop.preflight import plan as preflight
from cloudtop.settings import clouds, rules, settings
from tests import cloud
from tests.localcloud.lifecycle import details

pytestmark = pytest.mark.usefixtures("entered")
ZONE = "us-east-1b"


@pytest.fixture(scope="module")
def volume(endpoint: str) -> str:
    """A persistent volume of the cloudtop 'kept'."""
    ident: str = cloud.client(endpoint).create_volume(
        AvailabilityZone=ZONE, Size=1, TagSpecifications=[tagged("volume", "kept")]
    )["VolumeId"]
    return ident


def tagged(kind: str, name: str) -> dict[str, Any]:
    tags = {"cloudtop:name": name, "cloudtop:owner": settings.login_name()}
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"ResourceType": kind, "Tags": pairs}


def wanted(tmp_path: Path, *given: str, name: str = "new") -> settings.Settings:
    return settings.load([f"cloudtop_ssh_key={tmp_path}/id", *given], name=name)


def refusal(tmp_path: Path, *given: str, name: str = "new") -> CloudtopError:
    with pytest.raises(CloudtopError) as refused:
        preflight.check(wanted(tmp_path, *given, name=name))
    return refused.value


def test_plan_of_a_new_cloudtop(tmp_path: Path) -> None:
    plan = preflight.check(wanted(tmp_path))
    assert plan.makes_request
    assert (plan.vcpus, plan.memory_mib, plan.disks, plan.disk_gb) == (16, 65536, 2, 300)
    assert plan.month.total == pytest.approx(483.43)


def test_f4_the_command_for_a_missing_public_half_can_be_pasted(tmp_path: Path) -> None:
    key = tmp_path / "Jane Doe" / "id"
    key.parent.mkdir()
    key.write_text("")
    with pytest.raises(CloudtopError) as refused:
        preflight.check_key(settings.load([f"cloudtop_ssh_key={key}"]))
    words = shlex.split(refused.value.hint.removeprefix("Try: "))
    assert words == ["ssh-keygen", "-y", "-f", str(key), ">", f"{key}.pub"]


@pytest.mark.parametrize("action", rules.INTERRUPTIONS)
def test_that_hibernation_leaves_no_time_to_save_is_noted(tmp_path: Path, action: str) -> None:
    plan = preflight.check(wanted(tmp_path, f"cloudtop_interruption={action}"))
    assert (preflight.HIBERNATION in plan.notes) == (action == "hibernate")


def test_settings_that_end_the_schedule_of_snapshots_are_noted(
    endpoint: str, tmp_path: Path
) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    statement = {**trust, "Principal": {"Service": "dlm.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = cloud.client(endpoint, "iam").create_role(
        RoleName="snapshots", AssumeRolePolicyDocument=document
    )["Role"]
    policy = cloud.client(endpoint, "dlm").create_lifecycle_policy(
        ExecutionRoleArn=role["Arn"],
        Description="of the cloudtop timed",
        State="ENABLED",
        PolicyDetails=details(hours=4, keep=2),
        Tags={"cloudtop:name": "timed", "cloudtop:owner": settings.login_name()},
    )["PolicyId"]
    plan = preflight.check(wanted(tmp_path, name="timed"))
    assert plan.live_schedule and plan.live_schedule.hours == 4
    assert any(f"the schedule {policy} ends" in note for note in plan.notes)
    kept = preflight.check(wanted(tmp_path, "cloudtop_snapshot_hours=4", name="timed"))
    assert not any(policy in note for note in kept.notes)
    assert preflight.check(wanted(tmp_path)).live_schedule is None


def test_existing_volume_decides_the_zone(tmp_path: Path, volume: str) -> None:
    plan = preflight.check(wanted(tmp_path, name="kept"))
    assert plan.zone == ZONE
    assert plan.resources.volume and plan.resources.volume.volume_id == volume


def test_refuses_another_zone_than_the_volumes(tmp_path: Path, volume: str) -> None:
    refused = refusal(tmp_path, "cloudtop_zone=us-east-1a", name="kept")
    assert f"{volume} lies in {ZONE}" in refused.message
    assert f"cloudtop_zone={ZONE}" in refused.hint


def test_refuses_unknown_type_and_names_near_ones(tmp_path: Path) -> None:
    refused = refusal(tmp_path, "cloudtop_instance_type=i3.5xlarge")
    assert "'i3.5xlarge'" in refused.message
    assert "i3.4xlarge" in refused.hint


def further(tmp_path: Path, types: str, *given: str) -> CloudtopError:
    return refusal(tmp_path, f"cloudtop_instance_types={types}", *given)


def test_refuses_an_unknown_further_type_and_names_near_ones(tmp_path: Path) -> None:
    refused = further(tmp_path, "i3.8xlarge,i3.5xlarge")
    assert "cloudtop_instance_types has 'i3.5xlarge'" in refused.message
    assert "i3.4xlarge" in refused.hint


def test_refuses_a_further_type_of_another_processor(tmp_path: Path) -> None:
    refused = further(tmp_path, "m6g.large")
    assert "m6g.large, which runs arm64, and m5d.4xlarge runs x86_64" in refused.message
    assert "-e cloudtop_instance_types=" in refused.hint


def test_refuses_a_bid_that_is_too_high_for_a_further_type(tmp_path: Path) -> None:
    # c3.large is $0.105 an hour on demand, and ten times that is the cap
    refused = further(tmp_path, "c3.large", "cloudtop_bid=1.06")
    assert "the on-demand price of c3.large ($0.105)" in refused.message
    assert preflight.check(
        wanted(tmp_path, "cloudtop_instance_types=c3.large", "cloudtop_bid=1.05")
    )


def test_the_plan_names_the_further_types(tmp_path: Path) -> None:
    loaded = wanted(tmp_path, "cloudtop_instance_types=c3.large,r5d.4xlarge")
    context = Context(Namespace(), loaded, clouds.load("rehearsal"), ())
    text = provision.describe(context, preflight.check(loaded))
    assert "\n  if EC2 has none: c3.large, then r5d.4xlarge\n" in text


def test_a_type_that_the_zone_has_not_is_passed_over_in_a_note(tmp_path: Path) -> None:
    elsewhere = ("cloudtop_instance_type=c3.xlarge", "cloudtop_zone=us-east-1d")
    assert "c3.xlarge is not offered in us-east-1d" in refusal(tmp_path, *elsewhere).message
    plan = preflight.check(wanted(tmp_path, *elsewhere, "cloudtop_instance_types=m5d.4xlarge"))
    assert "c3.xlarge is not offered in us-east-1d and is passed over." in plan.notes


def test_refuses_unknown_zone_and_lists_the_known(tmp_path: Path) -> None:
    refused = refusal(tmp_path, "cloudtop_zone=us-east-1z")
    assert "'us-east-1z'" in refused.message
    assert ZONE in refused.hint


def test_refuses_unknown_image(tmp_path: Path) -> None:
    refused = refusal(tmp_path, "cloudtop_image=ami-0123456789abcdef0")
    assert "ami-0123456789abcdef0" in refused.message


def test_refuses_bid_above_ten_times_on_demand_unless_forced(tmp_path: Path) -> None:
    refused = refusal(tmp_path, "cloudtop_bid=9.05")
    assert "$9.05" in refused.message
    assert "cloudtop_force_bid=true" in refused.hint
    assert preflight.check(wanted(tmp_path, "cloudtop_bid=9.05", "cloudtop_force_bid=true"))


def test_refuses_bid_above_the_budget_even_if_forced(tmp_path: Path) -> None:
    given = ("cloudtop_monthly_budget=100", "cloudtop_force_bid=true")
    refused = refusal(tmp_path, *given)
    assert "$483.43 in the worst month" in refused.message
    assert refused.hint.endswith("-e cloudtop_bid=0.1247")
    small = ("cloudtop_instance_type=c5d.xlarge", "cloudtop_bid=0.1247")
    assert preflight.check(wanted(tmp_path, *given, *small))


@pytest.mark.parametrize("half", ["id", "id.pub"])
def test_refuses_half_a_key(tmp_path: Path, half: str) -> None:
    (tmp_path / half).write_text("")
    assert str(tmp_path / "id") in refusal(tmp_path).message


def test_refuses_two_volumes_and_names_them(tmp_path: Path, endpoint: str) -> None:
    client = cloud.client(endpoint)
    ids = [
        client.create_volume(
            AvailabilityZone=ZONE, Size=1, TagSpecifications=[tagged("volume", "twice")]
        )["VolumeId"]
        for _ in range(2)
    ]
    assert all(each in refusal(tmp_path, name="twice").message for each in ids)


def test_missing_credentials_are_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "no AWS credentials" in refusal(tmp_path).message


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("RequestExpired", "have expired"),
        ("AuthFailure", "not valid"),
        ("UnauthorizedOperation", "may not do that"),
    ],
)
def test_errors_of_ec2_come_with_what_to_do(code: str, hint: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "No."}}, "DescribeVolumes")
    with (
        pytest.raises(CloudtopError, match=f"EC2 answered {code}: No") as failure,
        aws.plain_errors(),
    ):
        raise error
    assert hint in failure.value.hint


def test_b12_a_last_date_that_is_past_is_refused(tmp_path: Path) -> None:
    key = f"cloudtop_ssh_key={tmp_path}/id"
    past = settings.load([key, "cloudtop_valid_until=2020-01-01"], name="past")
    with pytest.raises(CloudtopError, match="'2020-01-01', which is past"):
        preflight.check(past)
    plan = preflight.check(settings.load([key, "cloudtop_valid_until=2099-01-01"], name="past"))
    assert any("ends itself at 2099-01-01T23:59:59Z" in note for note in plan.notes)
