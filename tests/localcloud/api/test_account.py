"""The account by hand: what it lacks, and what EC2 then answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.clock import Clock
from tests.localcloud.lab import ZONE, Lab, until
from tests.localcloud.roles import Roles, allow

SPOT_ROLE = "AWSServiceRoleForEC2Spot"
NOT_PERMITTED = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"


@pytest.fixture(autouse=True)
def lacking_nothing(lab: Lab) -> Iterator[None]:
    yield
    lab.own("account", {"default": True})
    lab.server.cloud.settling = 0


def encrypted(lab: Lab) -> dict[str, Any]:
    root = {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True}}
    return lab.spec(BlockDeviceMappings=[root])


def granted(lab: Lab) -> None:
    account = lab.client("sts").get_caller_identity()["Account"]
    lab.client("kms").create_grant(
        KeyId=lab.ec2.get_ebs_default_kms_key_id()["KmsKeyId"],
        GranteePrincipal=f"arn:aws:iam::{account}:role/aws-service-role/spot.amazonaws.com"
        f"/{SPOT_ROLE}",
        Operations=[
            "CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKeyWithoutPlaintext",
        ],
    )  # fmt: skip


def test_an_account_lacks_nothing_at_first(lab: Lab) -> None:
    assert lab.own("account")["fresh"] is False
    assert lab.client("iam").get_role(RoleName=SPOT_ROLE)["Role"]["Path"].startswith("/aws-serv")


def test_b4_a_fresh_account_has_no_spot_role(lab: Lab) -> None:
    lab.own("account", {"fresh": True, "quotas": {"L-34B43A08": 64}})
    lab.refused(
        NOT_PERMITTED,
        lab.ec2.request_spot_instances,
        LaunchSpecification=lab.spec(),
        SpotPrice="0.2",
    )
    lab.client("iam").create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    lab.spot_instance()


def test_b5_spot_machines_of_a_customers_key_end(lab: Lab) -> None:
    lab.own("account", {"customer_key": True})
    sir = lab.ask(encrypted(lab))

    def lost() -> bool:
        instances = [
            one
            for reservation in lab.ec2.describe_instances()["Reservations"]
            for one in reservation["Instances"]
            if one.get("SpotInstanceRequestId") == sir
        ]
        return any(
            one.get("StateReason", {}).get("Code") == "Client.InternalError" for one in instances
        )

    until("a machine that ends by the key", lost)
    assert lab.reaches(sir, "open", "capacity-not-available")


def test_b5_a_grant_for_the_spot_role_opens_the_disks(lab: Lab) -> None:
    lab.own("account", {"customer_key": True})
    granted(lab)
    lab.spot_instance(encrypted(lab))


def test_b5_a_machine_needs_a_grant_to_attach(lab: Lab, roles: Roles) -> None:
    lab.own("account", {"customer_key": True})
    volume = lab.volume(Encrypted=True)
    machine = roles.machine(allow("ec2:AttachVolume"))
    attach = {"VolumeId": volume, "InstanceId": machine, "Device": "/dev/xvdj"}
    lab.refused("CustomerKeyHasBeenRevoked", roles.of(machine).attach_volume, **attach)
    of_aws = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    roles.may(allow("ec2:AttachVolume"), allow("kms:CreateGrant", Condition=of_aws))
    roles.of(machine).attach_volume(**attach)


def test_b5_the_key_says_who_manages_it(lab: Lab) -> None:
    kms = lab.client("kms")

    def manager() -> str:
        key = lab.ec2.get_ebs_default_kms_key_id()["KmsKeyId"]
        return str(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"])

    assert manager() == "AWS"
    lab.own("account", {"customer_key": True})
    assert manager() == "CUSTOMER"
    assert lab.volume_of(lab.volume(Encrypted=True))["KmsKeyId"].endswith(
        lab.ec2.get_ebs_default_kms_key_id()["KmsKeyId"].rpartition("/")[2]
    )


def test_b7_denied_actions_are_refused_in_a_dry_run_too(lab: Lab) -> None:
    volume = {"AvailabilityZone": ZONE, "Size": 1, "DryRun": True}
    lab.refused("DryRunOperation", lab.ec2.create_volume, **volume)
    lab.own("account", {"denied": ["ec2:CreateVolume", "iam:Create*"]})
    lab.refused("UnauthorizedOperation", lab.ec2.create_volume, **volume)
    iam = lab.client("iam")
    lab.refused("AccessDenied", iam.create_role, RoleName="x", AssumeRolePolicyDocument="{}")
    simulated = iam.simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:user/alice",
        ActionNames=["iam:CreateRole", "iam:GetRole"],
    )["EvaluationResults"]
    assert [one["EvalDecision"] for one in simulated] == ["explicitDeny", "allowed"]


def test_b7_pass_role_and_tags_are_denied_with_the_call_that_needs_them(lab: Lab) -> None:
    lab.profile("passed")
    spec = lab.spec(IamInstanceProfile={"Name": "passed"})
    lab.own("account", {"denied": ["iam:PassRole", "ec2:CreateTags"]})
    lab.refused("UnauthorizedOperation", lab.ec2.request_spot_instances, LaunchSpecification=spec)
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    lab.refused(
        "UnauthorizedOperation",
        lab.ec2.create_volume,
        AvailabilityZone=ZONE,
        Size=1,
        TagSpecifications=tags,
    )


def test_b9_a_new_instance_is_not_known_everywhere(lab: Lab, clock: Clock) -> None:
    volume, ident = lab.volume(), lab.run()
    lab.server.cloud.settling = 10
    attach = {"VolumeId": volume, "InstanceId": ident, "Device": "/dev/xvdj"}
    lab.refused("InvalidInstanceID.NotFound", lab.ec2.attach_volume, **attach)
    clock.skip(seconds=6)
    lab.refused("IncorrectInstanceState", lab.ec2.attach_volume, **attach)
    clock.skip(seconds=5)
    lab.ec2.attach_volume(**attach)


def test_b13_a_request_with_bad_parameters_is_closed(lab: Lab) -> None:
    lab.own("account", {"bad_parameters": True})
    request = lab.request(lab.ask())
    assert (request["State"], request["Status"]["Code"]) == ("closed", "bad-parameters")


def test_what_the_account_lacks_is_shown_and_ends(lab: Lab) -> None:
    assert lab.own("account", {"denied": ["iam:CreateRole"]})["denied"] == ["iam:CreateRole"]
    assert lab.own("account", {"default": True})["denied"] == []


@pytest.mark.parametrize("denied", ["iam:CreateRole", ["create role"], [3]])
def test_actions_that_are_none_are_refused(lab: Lab, denied: Any) -> None:
    assert "it has to be a list of actions" in lab.denied("account", {"denied": denied})
