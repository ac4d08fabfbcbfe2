"""Who may log in, from where, and what the machine may do."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtop.aws.interruption import role_name
from cloudtop.preflight import access
from cloudtop.settings import settings
from tests.roles.plays import Outcome, Place, of, tags

NAME = "box"
PLAY = "tests/playbooks/access.yml"
# The machine may look at its volume, and at the reason of a reap for its journal
SEE = [
    "ec2:DescribeVolumes",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeSpotPriceHistory",
]


def rules(place: Place) -> list[dict[str, Any]]:
    (group,) = place.ec2.describe_security_groups(Filters=of(NAME))["SecurityGroups"]
    return list(group["IpPermissions"])


def open_to(place: Place) -> list[tuple[int, str]]:
    return [
        (rule["FromPort"], each["CidrIp"]) for rule in rules(place) for each in rule["IpRanges"]
    ]


def machine_may(place: Place) -> tuple[str, list[dict[str, Any]]]:
    """The ARN of its instance profile, and the statements of the only policy of its role."""
    (profile,) = place.iam.list_instance_profiles()["InstanceProfiles"]
    (role,) = profile["Roles"]
    named = {"RoleName": role["RoleName"]}
    assert place.iam.list_attached_role_policies(**named)["AttachedPolicies"] == []
    (policy,) = place.iam.list_role_policies(**named)["PolicyNames"]
    document = place.iam.get_role_policy(**named, PolicyName=policy)["PolicyDocument"]
    return profile["Arn"], document["Statement"]


@pytest.fixture(scope="module")
def first(place: Place) -> Outcome:
    outcome = place.run(PLAY, cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    return outcome


def test_makes_a_key_that_only_its_owner_can_read(place: Place, first: Outcome) -> None:
    key = place.home / ".ssh" / "id"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert key.with_suffix(".pub").read_text().startswith("ssh-ed25519 ")


def test_port_22_is_open_to_the_caller_alone(place: Place, first: Outcome) -> None:
    assert open_to(place) == [(22, "127.0.0.1/32")]


def test_the_machine_may_attach_its_volume_and_change_nothing_else(
    place: Place, first: Outcome
) -> None:
    profile, statements = machine_may(place)
    here = f"arn:aws:ec2:us-east-1:{profile.split(':')[4]}"
    assert [(each["Action"], each["Resource"]) for each in statements] == [
        (SEE, "*"),
        ("ec2:AttachVolume", f"{here}:volume/vol-0123456789abcdef0"),
        ("ec2:AttachVolume", f"{here}:instance/*"),
        ("kms:CreateGrant", f"{here.replace(':ec2:', ':kms:')}:key/*"),
    ]
    assert statements[2]["Condition"] == {"ArnEquals": {"ec2:InstanceProfile": profile}}


def test_b7_the_checklist_looks_for_what_the_role_has_made(
    place: Place, first: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in place.environ.items():
        monkeypatch.setenv(key, value)
    owned = ["cloudtop_owner=alice", f"cloudtop_ssh_key={place.home}/.ssh/id"]

    def there(*given: str, volume: str = "vol-0123456789abcdef0") -> access.Access:
        return access.look_up(settings.load([*owned, *given], name=NAME), place.ec2, volume)

    assert there() == access.Access(group=True, pair=True, role=True, policy=True)
    assert not there(volume="vol-00000000000000000").policy
    assert not there("cloudtop_elastic_ip=true").policy
    assert not there("cloudtop_idle_stop_minutes=30").policy
    assert not there(f"cloudtop_ssh_key={place.home}/another").pair
    assert there("cloudtop_owner=bob") == access.Access()


def test_a_machine_may_end_itself_only_if_it_stops_when_idle(place: Place, first: Outcome) -> None:
    for action, calls in (
        ("stop", ["ec2:StopInstances"]),
        ("terminate", ["ec2:TerminateInstances", "ec2:CancelSpotInstanceRequests"]),
    ):
        idle = {"cloudtop_idle_stop_minutes": 30, "cloudtop_idle_action": action}
        for changed in (1, 0):
            outcome = place.run(PLAY, cloudtop_name=NAME, **idle)
            assert (outcome.code, outcome.changed) == (0, changed), outcome.text
        profile, statements = machine_may(place)
        here = f"arn:aws:ec2:us-east-1:{profile.split(':')[4]}"
        assert [each["Action"] for each in statements[4:]] == calls
        assert statements[4]["Resource"] == f"{here}:instance/*"
        # The user id of an instance's role ends with the instance's id
        assert statements[4]["Condition"] == {
            "ArnEquals": {"ec2:InstanceProfile": profile},
            "StringLike": {"aws:userid": "*:${ec2:InstanceID}"},
        }
    assert statements[5]["Resource"] == f"{here}:spot-instances-request/*"
    assert statements[5]["Condition"] == {
        "StringEquals": {
            "aws:ResourceTag/cloudtop:name": NAME,
            "aws:ResourceTag/cloudtop:owner": "alice",
        }
    }
    assert place.run(PLAY, cloudtop_name=NAME).code == 0
    assert len(machine_may(place)[1]) == 4


def test_another_computer_opens_its_own_way_and_breaks_no_pair(
    place: Place, first: Outcome
) -> None:
    (group,) = place.ec2.describe_security_groups(Filters=of(NAME))["SecurityGroups"]
    place.ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
    )
    before = {pair["KeyName"] for pair in place.ec2.describe_key_pairs()["KeyPairs"]}
    outcome = place.run(
        PLAY,
        cloudtop_name=NAME,
        cloudtop_ssh_key=str(place.home / "other" / "id"),
        cloudtop_ssh_cidr="192.0.2.0/24",
    )
    assert outcome.code == 0, outcome.text
    assert open_to(place) == [(22, "192.0.2.0/24")]
    pairs = place.ec2.describe_key_pairs(Filters=of(NAME))["KeyPairs"]
    assert len(pairs) == 2
    assert before < {pair["KeyName"] for pair in pairs}
    assert {tags(pair)["cloudtop:owner"] for pair in pairs} == {"alice"}


def test_fis_may_interrupt_this_machine_alone(place: Place, first: Outcome) -> None:
    profile, _ = machine_may(place)
    for changed in (2, 0):
        outcome = place.run("playbooks/rehearse.yml", cloudtop_name=NAME)
        assert (outcome.code, outcome.changed) == (0, changed), outcome.text
    name = role_name(NAME, "alice", "us-east-1")
    document = place.iam.get_role_policy(RoleName=name, PolicyName="interrupt")["PolicyDocument"]
    see, interrupt = document["Statement"]
    assert (see["Action"], see["Resource"]) == ("ec2:DescribeInstances", "*")
    assert interrupt["Action"] == "ec2:SendSpotInstanceInterruptions"
    assert interrupt["Condition"] == {"ArnEquals": {"ec2:InstanceProfile": profile}}
    trusted = place.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    (statement,) = trusted["Statement"]
    assert statement["Principal"] == {"Service": "fis.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": profile.split(":")[4]}}
