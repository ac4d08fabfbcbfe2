"""EC2's protocol as clients other than botocore speak it: numbers of lists, and XML."""

from __future__ import annotations

import re

import boto3
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from localcloud.ec2.query import numbered_from_one
from tests.cloud import KEY, SECRET
from tests.localcloud.lab import Lab
from tests.localcloud.roles import Roles, allow
from tests.localcloud.wire import send

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.parametrize("number", [0, 2, 7])
def test_fault_7_a_list_may_begin_at_any_number(lab: Lab, number: int) -> None:
    wanted, _ = lab.run(), lab.run()
    body = f"Action=DescribeInstances&InstanceId.{number}={wanted}"
    assert send(lab, body).values("instanceId") == [wanted]
    body = (
        f"Action=DescribeInstances&Filter.{number}.Name=instance-id"
        f"&Filter.{number}.Value.{number}={wanted}"
    )
    assert send(lab, body).values("instanceId") == [wanted]


def test_fault_7_tags_of_a_list_from_0_are_all_set(lab: Lab) -> None:
    volume = lab.volume()
    tags = "&Tag.0.Key=a&Tag.0.Value=1&Tag.1.Key=b&Tag.1.Value=2"
    assert send(lab, f"Action=CreateTags&ResourceId.0={volume}{tags}").status == 200
    tags_of_volume = {each["Key"]: each["Value"] for each in lab.volume_of(volume)["Tags"]}
    assert tags_of_volume == {"a": "1", "b": "2"}


def test_fault_7_a_policy_decides_on_the_very_ids_that_the_call_names(roles: Roles) -> None:
    lab, other = roles.lab, roles.lab.run()
    ident = roles.machine()
    arn = f"arn:aws:ec2:us-east-1:123456789012:instance/{ident}"
    roles.may(allow("ec2:TerminateInstances", arn))
    keys = roles.credentials(ident)
    signer = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
    for number in ("0", "01", "3"):
        for first in ("", f"&InstanceId.1={ident}"):
            body = f"Action=TerminateInstances{first}&InstanceId.{number}={other}"
            assert send(lab, body, signer).values("Code") == ["UnauthorizedOperation"], body
    assert {lab.instance(each)["State"]["Name"] for each in (ident, other)} == {"running"}


def test_numbers_of_a_list_keep_their_order() -> None:
    values = {"Id.10": "c", "Id.2": "b", "Id.02": "a", "A.0.B.5.Key": "k", "A.4.B.0": "l"}
    assert numbered_from_one(values) == {
        "Id.3": "c", "Id.2": "b", "Id.1": "a", "A.1.B.1.Key": "k", "A.2.B.1": "l",
    }  # fmt: skip


def test_fault_8_the_namespace_has_its_last_slash(lab: Lab) -> None:
    answer = send(lab, "Action=DescribeInstances")
    assert answer.root.tag == f"{{{NAMESPACE}}}DescribeInstancesResponse"


@pytest.mark.parametrize(
    "body",
    [
        "Action=AttachVolume&VolumeId=vol-0&InstanceId=i-0&Device=sdf",
        "Action=DescribeSubnets&SubnetId.1=subnet-0",
        "Action=MakeCoffee",
    ],
)
def test_fault_8_a_refusal_has_no_namespace(lab: Lab, body: str) -> None:
    answer = send(lab, body)
    assert (answer.status, answer.root.tag) == (400, "Response")
    assert answer.root.findtext("Errors/Error/Code")
    assert UUID.fullmatch(answer.root.findtext("RequestID") or "")


def test_fault_8_each_request_has_an_id_of_its_own(lab: Lab) -> None:
    answers = [send(lab, "Action=DescribeVolumes") for _ in range(2)]
    ids = [answer.values("requestId")[0] for answer in answers]
    assert all(map(UUID.fullmatch, ids)) and ids[0] != ids[1]
    assert [answer.headers["x-amzn-requestid"] for answer in answers] == ids


def test_fault_8_what_has_nothing_else_to_say_says_true(lab: Lab) -> None:
    volume, instance = lab.volume(), lab.run()
    snapshot = lab.snapshot(volume)
    address = lab.ec2.allocate_address()["AllocationId"]
    group = lab.ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
    association = send(lab, f"Action=AssociateAddress&AllocationId={address}&InstanceId={instance}")
    assert association.values("return") == ["true"]
    (associated,) = association.values("associationId")
    for body in (
        f"CreateTags&ResourceId.1={volume}&Tag.1.Key=a&Tag.1.Value=b",
        f"DeleteTags&ResourceId.1={volume}&Tag.1.Key=a",
        f"DeleteVolume&VolumeId={volume}",
        f"DeleteSnapshot&SnapshotId={snapshot}",
        f"DisassociateAddress&AssociationId={associated}",
        f"ReleaseAddress&AllocationId={address}",
        f"RebootInstances&InstanceId.1={instance}",
        f"ModifyInstanceAttribute&InstanceId={instance}&DisableApiStop.Value=false",
        f"DeleteSecurityGroup&GroupId={group}",
        "DeleteKeyPair&KeyName=none",
    ):
        answer = send(lab, f"Action={body}")
        assert answer.values("return") == ["true"], answer.text
    assert send(lab, "Action=DescribeVolumes").values("return") == []


@pytest.mark.parametrize(
    "action", ["DescribeInstanceTypes", "DescribeInstanceStatus", "DescribeSecurityGroups"]
)
def test_fault_19_a_dry_run_gets_no_answer(lab: Lab, action: str) -> None:
    answer = send(lab, f"Action={action}&DryRun=true")
    assert (answer.status, answer.values("Code")) == (412, ["DryRunOperation"])
    assert send(lab, f"Action={action}&DryRun=false").status == 200


def test_a_dry_run_of_what_is_not_rehearsed_says_so(lab: Lab) -> None:
    body = "Action=GetSpotPlacementScores&DryRun=true"
    assert send(lab, body).values("Code") == ["UnsupportedOperation"]


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("ec2", "describe_instances"),
        ("ssm", "describe_parameters"),
        ("sts", "get_caller_identity"),
    ],
)
def test_fault_14_a_region_that_is_none_is_refused(lab: Lab, service: str, call: str) -> None:
    client = boto3.client(
        service, endpoint_url=lab.endpoint, region_name="mars-1",
        aws_access_key_id=KEY, aws_secret_access_key=SECRET,
    )  # fmt: skip
    with pytest.raises(ClientError, match="a valid region, not 'mars-1'") as caught:
        getattr(client, call)()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 401, 403)
