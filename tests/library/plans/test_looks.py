"""The answers by one look of a play: only if nothing is to be done, and only while it is fresh."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.machine_programs.support.load import module

looks = module("ansible.module_utils.looks.look")
gather = module("ansible.module_utils.looks.gather")
snapshot_schedule_plan = module("ansible.module_utils.snapshot_schedule_plan")
settled = module("ansible.module_utils.looks.settled")

NOW = 1_800_000_000.0
IDENTITY = {"cloudtop:name": "box", "cloudtop:owner": "alice"}
WHOSE = {"name": "box", "owner": "alice", "region": "us-east-1"}
VOLUME_FACTS = {"id": "vol-1", "zone": "us-east-1a", "size": 50, "tags": {}, "instance": "i-1"}
TIME = "2026-11-28T08:00:00+00:00"


def tagged(**more: str) -> list[dict[str, str]]:
    tags = {**IDENTITY, **{f"cloudtop:{key}": value for key, value in more.items()}}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


NAMED = [*tagged(), {"Key": "Name", "Value": "cloudtop-box"}]


def volume(**more: Any) -> dict[str, Any]:
    return {
        "VolumeId": "vol-1",
        "State": "in-use",
        "Size": 50,
        "AvailabilityZone": "us-east-1a",
        "CreateTime": TIME,
        "Attachments": [{"InstanceId": "i-1"}],
        "Tags": tagged(),
        **more,
    }


ROOT = volume(VolumeId="vol-2", Tags=[*NAMED, {"Key": "cloudtop:role", "Value": "root"}])


def request(**more: Any) -> dict[str, Any]:
    return {
        "SpotInstanceRequestId": "sir-1",
        "State": "active",
        "Status": {"Code": "fulfilled", "Message": "It is.", "UpdateTime": TIME},
        "Type": "persistent",
        "SpotPrice": "0.650000",
        "InstanceInterruptionBehavior": "terminate",
        "InstanceId": "i-1",
        "CreateTime": TIME,
        "ValidUntil": "2027-03-31T18:00:00+00:00",
        "LaunchSpecification": {
            "InstanceType": "m5d.4xlarge",
            "ImageId": "ami-1",
            "KeyName": "key",
        },
        "Tags": tagged(),
        **more,
    }


def instance(**more: Any) -> dict[str, Any]:
    return {
        "InstanceId": "i-1",
        "InstanceType": "m5d.4xlarge",
        "State": {"Name": "running"},
        "LaunchTime": TIME,
        "PublicIpAddress": "192.0.2.1",
        "SpotInstanceRequestId": "sir-1",
        "Placement": {"AvailabilityZone": "us-east-1a"},
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeId": "vol-2"}}],
        "Tags": NAMED,
        **more,
    }


def address(ident: str = "eipalloc-1", **more: Any) -> dict[str, Any]:
    return {"AllocationId": ident, "PublicIp": "192.0.2.1", "Tags": tagged(), **more}


def image(ident: str, created: str, **more: Any) -> dict[str, Any]:
    return {
        "ImageId": ident,
        "Name": f"baked-{ident}",
        "CreationDate": created,
        "State": "available",
        "Tags": tagged(),
        **more,
    }


def group(ip: str = "192.0.2.7/32", **more: Any) -> dict[str, Any]:
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "IpRanges": [{"CidrIp": ip}],
    }
    return {
        "GroupId": "sg-1",
        "GroupName": "group",
        "IpPermissions": [rule],
        "Tags": tagged(),
        **more,
    }


def snapshot(ident: str, policy: str) -> dict[str, Any]:
    tags = [*tagged(role="snapshot"), {"Key": "aws:dlm:lifecycle-policy-id", "Value": policy}]
    return {
        "SnapshotId": ident,
        "VolumeId": "vol-1",
        "State": "completed",
        "StartTime": TIME,
        "Tags": tags,
    }


POLICY = {
    "identity": IDENTITY,
    "region": "us-east-1",
    "description": "Snapshots",
    "role": "arn:role",
    "target": {"cloudtop:scheduled": "alice/box"},
    "hours": "24",
    "keep": "7",
    "tags": {"cloudtop:role": "snapshot"},
}


def schedule(**more: Any) -> dict[str, Any]:
    """As Data Lifecycle Manager has one, with what it adds by itself."""
    usual = {**POLICY, "name": "cloudtop", "time": "03:00", "hours": 24, "keep": 7}
    return {"PolicyId": "policy-1", **snapshot_schedule_plan.wanted_policy(usual), **more}


ARN = "arn:aws:iam::123456789012:instance-profile/profile"
PROFILE: dict[str, Any] = {
    "InstanceProfileName": "profile",
    "Arn": ARN,
    "CreateDate": TIME,
    "Roles": [{"RoleName": "profile"}],
    "Tags": tagged(),
}
PARTS: dict[str, Any] = {
    "volumes": [volume(Tags=tagged(scheduled="alice/box")), ROOT],
    "requests": {"requests": [request()], "instances": [instance()]},
    "instances": [instance()],
    "types": [
        {"InstanceType": "m5d.4xlarge", "InstanceStorageInfo": {"Disks": [{"Count": 2}]}},
    ],
    "addresses": [address(InstanceId="i-1", AssociationId="eipassoc-1")],
    "images": [image("ami-1", "2026-01-01"), image("ami-2", "2026-02-01")],
    "snapshots": [snapshot("snap-1", "policy-1"), snapshot("snap-2", "policy-0")],
    "schedules": [schedule()],
    "schedule_role": {"RoleName": "snapshots", "Arn": "arn:role", "Tags": tagged()},
    "schedule_policy": {"Statement": []},
    "groups": [group()],
    "pairs": [{"KeyName": "pair", "Tags": tagged()}],
    "profile": PROFILE,
    "policy": {"Statement": []},
    "caller": "192.0.2.7\n",
}
UNTAGGED = {"requests": [request()], "instances": [instance(Tags=[])]}
OPTIONS: dict[str, dict[str, Any]] = {
    "ec2_persistent_volume_plan": {
        **WHOSE,
        "question": "present",
        "instance_type": "m5d.4xlarge",
        "size": 50,
    },
    "ec2_address_once": {
        "identity": IDENTITY,
        "region": "us-east-1",
        "allocate": True,
        "associate": True,
    },
    "ec2_access_plan": {
        **WHOSE,
        "group": "group",
        "caller_url": "https://checkip.example",
        "pair": "pair",
        "iam_name": "profile",
    },
    "dlm_policy_once": POLICY,
    "ec2_snapshot_schedule_plan": {
        **WHOSE,
        "question": "set",
        "volume": "vol-1",
        "policy": "policy-1",
        "role": "snapshots",
    },
    "ec2_image_plan": {**WHOSE, "question": "find"},
    "ec2_spot_request_plan": {
        **WHOSE,
        "volume": VOLUME_FACTS,
        "instance_type": "m5d.4xlarge",
        "bid": 0.65,
        "key_name": "key",
        "run": {},
    },
    "ec2_spot_machine": {**WHOSE, "volume": VOLUME_FACTS, "inventory": ["i-1"]},
}
SHOWN_VOLUME = {
    "id": "vol-1",
    "zone": "us-east-1a",
    "size": 50,
    "tags": {**IDENTITY, "cloudtop:scheduled": "alice/box"},
    "instance": "i-1",
}
FACTS = {
    "id": "sir-1",
    "instance": "i-1",
    "address": "192.0.2.1",
    "zone": "us-east-1a",
    "instance_type": "m5d.4xlarge",
    "disks": 2,
    "profile": "",
}


def look(at: float = NOW, whose: dict[str, str] = WHOSE, **parts: Any) -> dict[str, Any]:
    """A fact, as Ansible hands it on; a part that is None is missing."""
    kept = {key: each for key, each in {**PARTS, **parts}.items() if each is not None}
    shown: dict[str, Any] = json.loads(json.dumps({**whose, "at": at, "parts": kept}))
    return shown


def answer(
    name: str, shown: dict[str, Any], check: bool = False, now: float = NOW, **options: Any
) -> Any:
    return settled.answer(name, {**OPTIONS[name], "look": shown, **options}, now, check)


@pytest.mark.parametrize(
    ("name", "key", "shown"),
    [
        ("ec2_persistent_volume_plan", "volume", SHOWN_VOLUME),
        (
            "ec2_address_once",
            "address",
            {"id": "eipalloc-1", "address": "192.0.2.1", "instance": "i-1"},
        ),
        (
            "ec2_access_plan",
            "profile",
            {"arn": ARN, "has_role": True, "policy": {"Statement": []}},
        ),
        ("dlm_policy_once", "policy", "policy-1"),
        (
            "ec2_snapshot_schedule_plan",
            "role",
            {"arn": "arn:role", "policy": {"Statement": []}},
        ),
        (
            "ec2_image_plan",
            "image",
            {"id": "ami-2", "name": "baked-ami-2", "created": "2026-02-01"},
        ),
        ("ec2_spot_request_plan", "facts", FACTS),
        ("ec2_spot_machine", "facts", FACTS),
    ],
)
def test_nothing_is_to_be_done(name: str, key: str, shown: Any) -> None:
    assert answer(name, look())[key] == shown


NOTHING_SHOWN: dict[str, Any] = {**look(), "parts": {}}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(
    ("shown", "now"),
    [
        ({}, NOW),
        (look(), NOW + looks.FRESH_SECONDS + 1),
        # A clock that was set back
        (look(), NOW - 1),
        (look(whose={**WHOSE, "name": "other"}), NOW),
        (look(whose={**WHOSE, "owner": "bob"}), NOW),
        (look(whose={**WHOSE, "region": "eu-west-1"}), NOW),
        (NOTHING_SHOWN, NOW),
    ],
    ids=["none", "of the past", "of later", "other name", "other owner", "other region", "empty"],
)
def test_a_look_that_is_not_of_now_and_here_is_not_gone_by(
    name: str, shown: dict[str, Any], now: float
) -> None:
    assert answer(name, shown, now=now) is None


@pytest.mark.parametrize(
    ("name", "parts", "options"),
    [
        ("ec2_persistent_volume_plan", {"volumes": [ROOT]}, {}),
        ("ec2_persistent_volume_plan", {"volumes": [volume(), volume(VolumeId="vol-3")]}, {}),
        ("ec2_persistent_volume_plan", {"volumes": [volume(State="error")]}, {}),
        ("ec2_persistent_volume_plan", {"volumes": [volume(State="deleting")]}, {}),
        ("ec2_persistent_volume_plan", {}, {"size": "51"}),
        ("ec2_persistent_volume_plan", {}, {"zone": "us-east-1b"}),
        ("ec2_persistent_volume_plan", {"volumes": []}, {"question": "find"}),
        ("ec2_persistent_volume_plan", {}, {"question": "absent"}),
        ("ec2_address_once", {"addresses": []}, {}),
        ("ec2_address_once", {}, {"state": "absent"}),
        ("ec2_address_once", {"addresses": [address()]}, {}),
        ("ec2_address_once", {"addresses": [address(InstanceId="i-0")]}, {}),
        (
            "ec2_address_once",
            {"addresses": [*PARTS["addresses"], address("eipalloc-2")]},
            {},
        ),
        # The play has made another one since, or has another machine by now
        ("ec2_address_once", {}, {"expected": {"id": "eipalloc-2"}}),
        ("ec2_address_once", {}, {"expected": {"id": "eipalloc-1", "instance": "i-2"}}),
        (
            "ec2_address_once",
            {"addresses": []},
            {"allocate": False, "expected": {"id": "eipalloc-1"}},
        ),
        ("ec2_access_plan", {"groups": []}, {}),
        ("ec2_access_plan", {"groups": [group(GroupName="other")]}, {}),
        ("ec2_access_plan", {"groups": [group("192.0.2.8/32")]}, {}),
        ("ec2_access_plan", {"caller": "192.0.2.8"}, {}),
        ("ec2_access_plan", {"caller": "<html>"}, {}),
        ("ec2_access_plan", {"caller": None}, {}),
        ("ec2_access_plan", {"pairs": []}, {}),
        ("ec2_access_plan", {"pairs": None}, {}),
        ("ec2_access_plan", {}, {"pair": "of another key"}),
        ("ec2_access_plan", {"profile": {}}, {}),
        ("ec2_access_plan", {"profile": None}, {}),
        ("ec2_access_plan", {"profile": {**PROFILE, "Roles": []}}, {}),
        ("ec2_access_plan", {"profile": {**PROFILE, "Tags": []}}, {}),
        ("ec2_access_plan", {}, {"iam_name": "another"}),
        ("ec2_access_plan", {"policy": None}, {}),
        ("dlm_policy_once", {"schedules": []}, {}),
        ("dlm_policy_once", {"schedules": [schedule(), schedule(PolicyId="policy-2")]}, {}),
        ("dlm_policy_once", {"schedules": [schedule(State="DISABLED")]}, {}),
        ("dlm_policy_once", {"schedules": None}, {}),
        ("dlm_policy_once", {}, {"hours": 12}),
        ("dlm_policy_once", {}, {"role": "arn:another"}),
        ("dlm_policy_once", {}, {"state": "absent"}),
        ("ec2_snapshot_schedule_plan", {"volumes": [volume()]}, {}),
        ("ec2_snapshot_schedule_plan", {}, {"volume": "vol-new"}),
        ("ec2_snapshot_schedule_plan", {}, {"keep": 0}),
        ("ec2_snapshot_schedule_plan", {"schedule_role": {}}, {}),
        ("ec2_snapshot_schedule_plan", {"schedule_role": {"RoleName": "snapshots"}}, {}),
        ("ec2_snapshot_schedule_plan", {"schedule_policy": None}, {}),
        ("ec2_snapshot_schedule_plan", {}, {"question": "gone"}),
        ("ec2_snapshot_schedule_plan", {}, {"question": "moved"}),
        ("ec2_snapshot_schedule_plan", {}, {"question": "left", "keep": 0}),
        ("ec2_image_plan", {}, {"question": "remains"}),
        ("ec2_spot_request_plan", {"requests": {"requests": [], "instances": []}}, {}),
        ("ec2_spot_request_plan", {}, {"run": {"asked": "sir-1"}}),
        ("ec2_spot_request_plan", {}, {"switch": True, "bid": 1}),
        ("ec2_spot_request_plan", {}, {"renew": "true", "image": "ami-2"}),
        # It lacks tags, or its root disk does
        ("ec2_spot_request_plan", {"instances": [], "requests": UNTAGGED}, {}),
        ("ec2_spot_request_plan", {"volumes": [volume()]}, {}),
        ("ec2_spot_request_plan", {"types": []}, {}),
        # Another machine of it runs beside
        (
            "ec2_spot_request_plan",
            {"instances": [instance(), instance(InstanceId="i-9", SpotInstanceRequestId="sir-9")]},
            {},
        ),
        ("ec2_spot_machine", {}, {"inventory": []}),
        ("ec2_spot_machine", {}, {"state": "running"}),
        ("ec2_spot_machine", {}, {"state": "stopped"}),
        ("ec2_spot_machine", {}, {"expected": {"address": "192.0.2.9"}}),
        ("ec2_spot_machine", {"types": None}, {}),
        ("ec2_spot_machine", {}, {"volume": {**VOLUME_FACTS, "instance": "i-7"}}),
    ],
)  # fmt: skip
def test_whoever_has_something_to_do_or_to_refuse_looks_again(
    name: str, parts: dict[str, Any], options: dict[str, Any]
) -> None:
    assert answer(name, look(**parts), **options) is None


@pytest.mark.parametrize("state", ["open", "disabled", "closed", "cancelled"])
def test_a_request_that_does_not_run_is_looked_at_again(state: str) -> None:
    requests = {"requests": [request(State=state)], "instances": [instance()]}
    assert answer("ec2_spot_request_plan", look(requests=requests)) is None


def test_resources_of_other_tags_are_not_ours() -> None:
    """A filter of EC2 takes an asterisk in a tag for anything."""
    strange = [{"Key": "cloudtop:name", "Value": "box"}, {"Key": "cloudtop:owner", "Value": "al"}]
    shown = look(
        volumes=[volume(Tags=strange)],
        requests={"requests": [request(Tags=strange)], "instances": [instance(Tags=strange)]},
        addresses=[address(Tags=strange)],
        images=[image("ami-1", "2026-01-01", Tags=strange)],
        instances=[],
    )
    assert answer("ec2_persistent_volume_plan", shown) is None
    assert answer("ec2_spot_request_plan", shown) is None
    assert answer("ec2_address_once", shown) is None
    assert answer("ec2_image_plan", shown)["image"]["id"] == ""


def test_a_machine_without_a_role_of_ours_needs_no_look_at_iam() -> None:
    shown = look(profile=None, policy=None, caller=None)
    one = answer("ec2_access_plan", shown, iam_name="", ssh_cidr="192.0.2.7/32")
    assert (one["step"], one["group"], one["profile"]["arn"]) == ("keep", "sg-1", "")


def test_old_snapshots_of_which_few_are_kept_stay() -> None:
    assert answer("ec2_snapshot_schedule_plan", look(), question="left", keep=1) == {"old": []}


def test_no_address_is_settled_if_none_is_wanted() -> None:
    nobody = {"id": "", "address": "", "instance": ""}
    one = answer("ec2_address_once", look(addresses=[]), allocate=False)
    assert one == {"address": nobody, "released": []}


def test_in_check_mode_a_volume_that_would_have_moved_is_looked_at_again() -> None:
    name, moved = "ec2_persistent_volume_plan", "us-east-1b"
    assert answer(name, look(), check=True, moved_to=moved) is None
    assert answer(name, look(), check=False, moved_to=moved) is not None


def test_times_come_back_as_boto3_has_them() -> None:
    (one,) = looks.Look.of(look(), settled.Cloudtop(**WHOSE, volume={}), NOW).picture.live
    assert one.ec2.valid_until.year == 2027
    assert one.shown()["valid_until"] == "2027-03-31T18:00:00+00:00"


def test_calls_are_made_side_by_side_and_one_failure_is_of_its_own() -> None:
    together = threading.Barrier(2, timeout=10)
    calls = {"one": together.wait, "two": together.wait, "three": lambda: 1 / 0}
    answers = gather.side_by_side(calls)
    assert isinstance(answers["three"], ZeroDivisionError)
    assert sorted([answers["one"], answers["two"]]) == [0, 1]
    with pytest.raises(ZeroDivisionError):
        gather.all_of({"three": lambda: 1 / 0})
