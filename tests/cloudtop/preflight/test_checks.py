"""Each check of the list, against an account that lacks one thing: nothing is made, and the
command that mends it is named."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.command import Context
from cloudtop.commands import doctor
from cloudtop.errors import CloudtopError
from cloudtop.preflight import account, permissions, quota, spot_role
from cloudtop.preflight import plan as preflight
from cloudtop.preflight.access import Access
from cloudtop.preflight.checklist import MISSING, OK, SKIPPED, Look, Row
from cloudtop.settings import clouds, settings
from localcloud.iam.context import Context as Asked
from localcloud.iam.policy import Decision, decide
from tests import cloud

pytestmark = pytest.mark.usefixtures("entered")
ROLE = "AWSServiceRoleForEC2Spot"
# A new account whose owner has asked for more vCPUs of spot
ENOUGH = {"L-34B43A08": 64}
NAMES = [
    "credentials", "region", "zone", "type", "request", "architecture", "price", "quota",
    "spot role", "key", "permissions", "network", "ssh key",
]  # fmt: skip


@pytest.fixture
def lacks(endpoint: str) -> Iterator[Any]:
    """Sets what the account lacks; afterwards it lacks nothing, and no call changed anything."""

    def lack(**given: Any) -> None:
        cloud.own(endpoint, "account", given)
        cloud.own(endpoint, "calls/reset", {})

    yield lack
    cloud.own(endpoint, "account", {"default": True})


def wanted(tmp_path: Path, *given: str, **options: str) -> settings.Settings:
    return settings.load(
        [f"cloudtop_ssh_key={tmp_path}/id", *given], **{"name": "checked", **options}
    )


def refusal(tmp_path: Path, *given: str, **options: str) -> CloudtopError:
    with pytest.raises(CloudtopError) as refused:
        preflight.check(wanted(tmp_path, *given, **options))
    return refused.value


def changes(endpoint: str) -> list[str]:
    """Calls that changed something; a dry run is none."""
    return list(cloud.own(endpoint, "calls")["actions"]["mutating"])


def seen(tmp_path: Path, **options: str) -> dict[str, Row]:
    rows = preflight.diagnose(wanted(tmp_path, **options), lambda _: None)
    return {row.name: row for row in rows}


def test_every_check_is_ticked_in_order_with_what_was_seen(endpoint: str, tmp_path: Path) -> None:
    cloud.own(endpoint, "calls/reset", {})
    rows: list[Row] = []
    preflight.check(wanted(tmp_path), say=rows.append)
    assert [row.name for row in rows] == NAMES
    assert {row.state for row in rows} == {OK}
    assert all(row.text for row in rows)
    assert "ok  credentials  account 123456789012, arn:aws:" in str(rows[0])
    assert changes(endpoint) == []


def test_a_private_endpoint_is_named_beside_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "https://kms.example.com")
    monkeypatch.setattr(preflight, "CHECKS", preflight.CHECKS[:1])
    text = seen(tmp_path)["credentials"].text
    assert text.endswith("; asked at AWS_ENDPOINT_URL_KMS https://kms.example.com")


def test_b4_a_missing_spot_role_is_made_by_provision(
    endpoint: str, tmp_path: Path, lacks: Any
) -> None:
    lacks(fresh=True, quotas=ENOUGH)
    plan = preflight.check(wanted(tmp_path))
    assert changes(endpoint) == []
    assert plan.look and plan.look.lacks_spot_role
    spot_role.make(plan.look)
    assert cloud.client(endpoint, "iam").get_role(RoleName=ROLE)


def test_b4_who_may_not_make_the_spot_role_gets_the_command(
    endpoint: str, tmp_path: Path, lacks: Any
) -> None:
    lacks(fresh=True, quotas=ENOUGH, denied=["iam:CreateServiceLinkedRole"])
    refused = refusal(tmp_path)
    assert "never used spot" in refused.message
    assert refused.hint.endswith(
        "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com"
    )
    assert changes(endpoint) == []


def test_b5_a_customers_key_without_a_grant_is_refused_with_the_command(
    endpoint: str, tmp_path: Path, lacks: Any
) -> None:
    lacks(customer_key=True)
    refused = refusal(tmp_path)
    assert "Client.InternalError" in refused.message
    words = refused.hint.removeprefix("Try: ").split()
    assert words[:3] == ["aws", "kms", "create-grant"]
    assert changes(endpoint) == []
    cloud.aws(endpoint, *words[1:])
    assert "spot may use it" in seen(tmp_path)["key"].text


def test_b5_who_may_not_use_the_customers_key_is_told_before(
    endpoint: str, tmp_path: Path, lacks: Any
) -> None:
    lacks(customer_key=True, denied=["kms:GenerateDataKey*"])
    refused = refusal(tmp_path)
    assert "(kms:GenerateDataKeyWithoutPlaintext)" in refused.message
    assert "would vanish" in refused.message
    assert changes(endpoint) == []


@pytest.mark.parametrize(
    "action",
    [
        "ec2:CreateVolume",
        "ec2:CreateSecurityGroup",
        "ec2:ImportKeyPair",
        "ec2:RequestSpotInstances",
        "iam:CreateRole",
        "iam:PassRole",
        "iam:PutRolePolicy",
    ],
)
def test_b7_a_denied_action_is_named_before_anything_is_made(
    endpoint: str, tmp_path: Path, lacks: Any, action: str
) -> None:
    lacks(denied=[action])
    assert f"may not do: {action}" in refusal(tmp_path).message
    assert changes(endpoint) == []


def test_b7_the_policy_that_we_hand_out_allows_all_that_is_asked() -> None:
    """Asked for the resource "*", a policy that is narrowed to cloudtop's roles allows nothing."""
    look = Look(settings.load([]), None, account="123456789012", arn="arn:aws:iam::1:user/dev")
    policy = (paths.ROOT / "docs/aws-policy.json").read_text()
    role = permissions.Question(
        ["iam:CreateServiceLinkedRole"],
        f"arn:aws:iam::123456789012:role/aws-service-role/{spot_role.SERVICE}/{spot_role.NAME}",
        (("iam:AWSServiceName", spot_role.SERVICE),),
    )
    asked = (*permissions.questions(look, Access()), role)
    assert len({action for each in asked for action in each.actions}) == 11
    for each in asked:
        keys = {key.lower(): (value,) for key, value in each.keys}
        for action in each.actions:
            narrow = Asked(action, each.resource, keys)
            assert decide([policy], narrow) is Decision.ALLOWED, action
    assert decide([policy], Asked("iam:CreateRole", "*", {})) is Decision.NOT_ALLOWED


class Simulator:
    """IAM that answers as it does to a policy that asks for MFA."""

    def __init__(self, **result: Any) -> None:
        self.result = {"EvalActionName": "iam:CreateRole", **result}

    def simulate_principal_policy(self, **_: Any) -> dict[str, Any]:
        return {"EvaluationResults": [self.result]}


@pytest.mark.parametrize(
    ("result", "names"),
    [
        ({"EvalDecision": "allowed"}, []),
        ({"EvalDecision": "implicitDeny"}, ["iam:CreateRole"]),
        ({"EvalDecision": "explicitDeny", "MissingContextValues": []}, ["iam:CreateRole"]),
        (
            {
                "EvalDecision": "explicitDeny",
                "MissingContextValues": ["aws:MultiFactorAuthPresent"],
            },
            [],
        ),
        (
            {
                "EvalDecision": "implicitDeny",
                "ResourceSpecificResults": [{"MissingContextValues": ["aws:SourceIp"]}],
            },
            [],
        ),
    ],
)
def test_b7_a_decision_for_want_of_a_key_is_none(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], names: list[str]
) -> None:
    monkeypatch.setattr(
        "cloudtop.preflight.permissions.aws.client", lambda _service: Simulator(**result)
    )
    look = Look(settings.load([]), None, account="1", arn="arn:aws:iam::1:user/dev")
    question = permissions.Question(["iam:CreateRole"], "arn:aws:iam::1:role/cloudtop-x")
    assert permissions.denied(look, question) == names


def test_credentials_for_one_region_alone_are_not_held_up(tmp_path: Path, lacks: Any) -> None:
    lacks(denied=["ec2:DescribeRegions"])
    assert "not known" in seen(tmp_path)["region"].text


def test_b5_a_key_policy_that_nobody_may_read_is_no_refusal(tmp_path: Path, lacks: Any) -> None:
    lacks(customer_key=True, denied=["kms:GetKeyPolicy"])
    assert "not known" in seen(tmp_path)["key"].text


def test_b5_a_new_accounts_role_comes_before_its_grant(tmp_path: Path, lacks: Any) -> None:
    lacks(customer_key=True, fresh=True, quotas=ENOUGH)
    assert spot_role.COMMAND in refusal(tmp_path).hint


def test_b7_who_may_not_simulate_is_not_held_up(tmp_path: Path, lacks: Any) -> None:
    lacks(denied=["iam:SimulatePrincipalPolicy"])
    assert "not known" in seen(tmp_path)["permissions"].text


def test_a_region_that_is_off_is_no_bad_credentials(
    endpoint: str, tmp_path: Path, lacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks(regions_off=["eu-south-1"])
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-south-1")
    refused = refusal(tmp_path, region="eu-south-1")
    assert "The region eu-south-1 is off for your account" in refused.message
    assert "aws account enable-region --region-name eu-south-1" in refused.hint


@pytest.mark.parametrize(
    ("region", "home"),
    [("eu-south-1", "us-east-1"), ("cn-northwest-1", "cn-north-1")],
)
def test_a_region_is_looked_up_where_none_can_be_off(region: str, home: str) -> None:
    assert account.home_of(region) == home


def test_a_default_subnet_without_public_addresses_is_refused(
    endpoint: str, tmp_path: Path
) -> None:
    ec2 = cloud.client(endpoint)
    zone = {"Name": "availability-zone", "Values": ["us-east-1a"]}
    (subnet,) = ec2.describe_subnets(Filters=[zone])["Subnets"]
    ident = subnet["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=ident, MapPublicIpOnLaunch={"Value": False})
    refused = refusal(tmp_path, "cloudtop_zone=us-east-1a")
    assert f"{ident} gives machines no public address" in refused.message
    cloud.aws(endpoint, *refused.hint.removeprefix("Try: ").split()[1:])
    assert preflight.check(wanted(tmp_path, "cloudtop_zone=us-east-1a"))


def test_a_zone_without_a_default_subnet_is_refused(endpoint: str, tmp_path: Path) -> None:
    ec2 = cloud.client(endpoint)
    zone = {"Name": "availability-zone", "Values": ["us-east-1c"]}
    (subnet,) = ec2.describe_subnets(Filters=[zone])["Subnets"]
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    refused = refusal(tmp_path, "cloudtop_zone=us-east-1c")
    assert "no default subnet in us-east-1c" in refused.message
    assert "create-default-subnet --region us-east-1 --availability-zone us-east-1c" in refused.hint


def test_an_image_of_another_processor_is_refused(tmp_path: Path) -> None:
    refused = refusal(
        tmp_path,
        "cloudtop_instance_type=m6gd.large",
        "cloudtop_image_parameter=/aws/service/canonical/ubuntu/amd64",
    )
    assert "is for x86_64, and m6gd.large runs arm64" in refused.message


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("im4gn.large", "L-34B43A08"),
        ("is4gen.large", "L-34B43A08"),
        ("i3.4xlarge", "L-34B43A08"),
        ("inf1.xlarge", "L-B5D1601B"),
        ("g4dn.xlarge", "L-3819A6DF"),
        ("p3.2xlarge", "L-7212CCBC"),
        ("zz9.large", ""),
    ],
)
def test_a_family_has_its_own_quota(kind: str, code: str) -> None:
    assert quota.of(kind)[0] == code


def test_a_quota_that_cannot_be_read_is_said(tmp_path: Path, lacks: Any) -> None:
    lacks(denied=["servicequotas:GetServiceQuota"])
    assert "could not be read" in seen(tmp_path)["quota"].text


def test_a_new_accounts_quota_is_refused_with_the_command(
    endpoint: str, tmp_path: Path, lacks: Any
) -> None:
    lacks(fresh=True)
    refused = refusal(tmp_path)
    assert "Your spot quota is 5 vCPUs (All Standard" in refused.message
    assert "request-service-quota-increase" in refused.hint
    assert "--quota-code L-34B43A08" in refused.hint
    assert changes(endpoint) == []


def held(endpoint: str, name: str, owner: str, price: str = "0.65") -> str:
    """A request of that cloudtop; with a low price it stays open."""
    ec2 = cloud.client(endpoint)
    tags = [{"Key": "cloudtop:name", "Value": name}, {"Key": "cloudtop:owner", "Value": owner}]
    spec = {"ImageId": ec2.describe_images()["Images"][0]["ImageId"], "InstanceType": "m5d.4xlarge"}
    return str(
        ec2.request_spot_instances(
            SpotPrice=price,
            Type="persistent",
            LaunchSpecification=spec,
            TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": tags}],
        )["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
    )


def test_a_quota_that_is_used_up_names_who_holds_it_and_the_way(
    endpoint: str, tmp_path: Path, lacks: Any
) -> None:
    """Running machines count, and open requests; a relaunch has no tags of its own."""
    ec2, owner = cloud.client(endpoint), settings.login_name()
    runs, waits = held(endpoint, "other", owner), held(endpoint, "further", "bob", "0.0001")
    try:
        find = {"SpotInstanceRequestIds": [runs]}
        ec2.get_waiter("spot_instance_request_fulfilled").wait(**find)
        (request,) = ec2.describe_spot_instance_requests(**find)["SpotInstanceRequests"]
        ident = request["InstanceId"]
        lacks(quotas={"L-34B43A08": 47})
        refused = refusal(tmp_path)
        assert "Your spot quota is 47 vCPUs (All Standard" in refused.message
        assert "m5d.4xlarge has 16. 32 are held by" in refused.message
        assert f"{ident} (" in refused.message
        assert f"m5d.4xlarge, 16 vCPUs, of the cloudtop 'other' of {owner})" in refused.message
        assert f"{waits} (open, m5d.4xlarge, 16 vCPUs, of the cloudtop 'further'" in refused.message
        assert "python runner.py destroy --name other; or ask for more" in refused.hint
        assert "--name further" not in refused.hint
        assert "--desired-value 48" in refused.hint
        # Its own has its place
        assert "47 vCPUs" in seen(tmp_path, name="other")["quota"].text
        lacks(quotas={"L-34B43A08": 48})
        assert "48 vCPUs" in seen(tmp_path)["quota"].text
    finally:
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[runs, waits])
        ec2.terminate_instances(InstanceIds=[ident])


def test_hibernation_needs_a_root_disk_larger_than_the_memory(tmp_path: Path) -> None:
    plan = preflight.check(wanted(tmp_path, "cloudtop_interruption=hibernate"))
    assert any("64 GiB of memory" in note for note in plan.notes)
    large = ("cloudtop_interruption=hibernate", "cloudtop_root_size=200")
    plan = preflight.check(wanted(tmp_path, *large))
    assert not any("of memory" in note for note in plan.notes)


def context(loaded: settings.Settings, as_json: bool = False) -> Context:
    return Context(Namespace(json=as_json, wait=False), loaded, clouds.load("rehearsal"), ())


def test_the_doctor_goes_on_after_a_failure(
    tmp_path: Path, lacks: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks(fresh=True, quotas=ENOUGH, denied=["iam:CreateServiceLinkedRole"])
    (tmp_path / "id").write_text("")
    with pytest.raises(CloudtopError, match="2 of 13 checks failed: spot role, ssh key"):
        doctor.run(context(wanted(tmp_path)))
    lines = [line for line in capsys.readouterr().out.splitlines() if line[2:4] in ("ok", "NO")]
    assert [line[6:18].strip() for line in lines] == NAMES


def test_the_doctor_does_not_guess_after_a_failure(tmp_path: Path) -> None:
    rows = preflight.diagnose(wanted(tmp_path, "cloudtop_instance_type=i3.5xlarge"), lambda _: None)
    states = {row.name: row.state for row in rows}
    assert states["type"] == MISSING
    assert states["architecture"] == states["quota"] == SKIPPED
    assert states["ssh key"] == OK


def test_the_doctors_json_has_every_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor.run(context(wanted(tmp_path), as_json=True))
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == NAMES
    assert {row["state"] for row in rows} == {OK}
