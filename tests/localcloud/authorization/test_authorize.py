"""A machine's calls, as the policies of its role decide them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.lab import ZONE, Lab
from tests.localcloud.roles import Roles, allow, document


def test_the_administrator_may_do_everything(lab: Lab) -> None:
    lab.ec2.describe_volumes()
    assert lab.client("sts").get_caller_identity()["Account"]


def test_a_policy_counts_from_the_moment_it_is_written(roles: Roles) -> None:
    ident = roles.machine()
    ec2 = roles.of(ident)
    message = roles.lab.refused("UnauthorizedOperation", ec2.describe_volumes)
    session = f"assumed-role/{roles.name}/{ident}"
    assert message == (
        "You are not authorized to perform this operation. User:"
        f" arn:aws:sts::123456789012:{session} is not authorized to perform: ec2:DescribeVolumes"
        " because no identity-based policy allows the ec2:DescribeVolumes action"
    )
    roles.may(allow("ec2:Describe*"))
    assert ec2.describe_volumes()["Volumes"]
    roles.may(allow("*"), {**allow("ec2:DescribeVolumes"), "Effect": "Deny"})
    message = roles.lab.refused("UnauthorizedOperation", ec2.describe_volumes)
    assert message.endswith("with an explicit deny in an identity-based policy")
    roles.iam.remove_role_from_instance_profile(InstanceProfileName=roles.name, RoleName=roles.name)
    roles.lab.refused("UnauthorizedOperation", ec2.describe_volumes)


def test_an_attached_policy_counts_too_and_a_boundary_bounds_all(roles: Roles) -> None:
    ident = roles.machine()
    arn = roles.iam.create_policy(
        PolicyName="see", PolicyDocument=json.dumps(document(allow("ec2:Describe*")))
    )["Policy"]["Arn"]
    roles.iam.attach_role_policy(RoleName=roles.name, PolicyArn=arn)
    roles.of(ident).describe_volumes()
    roles.may(allow("ec2:*"))
    roles.of(ident).create_volume(AvailabilityZone=ZONE, Size=1)
    roles.iam.put_role_permissions_boundary(RoleName=roles.name, PermissionsBoundary=arn)
    roles.of(ident).describe_volumes()
    wanted = {"AvailabilityZone": ZONE, "Size": 1}
    roles.lab.refused("UnauthorizedOperation", roles.of(ident).create_volume, **wanted)


def test_each_resource_of_a_call_has_to_be_permitted(roles: Roles) -> None:
    ident, volume = roles.machine(), roles.lab.volume()
    here = "arn:aws:ec2:us-east-1:123456789012"
    attach = {"VolumeId": volume, "InstanceId": ident, "Device": "/dev/xvdj"}
    for missing, given in (("instance/" + ident, "volume/*"), ("volume/" + volume, "instance/*")):
        roles.may(allow("ec2:AttachVolume", f"{here}:{given}"))
        message = roles.lab.refused(
            "UnauthorizedOperation", roles.of(ident).attach_volume, **attach
        )
        assert f"on resource: {here}:{missing} because" in message
        assert roles.lab.volume_of(volume)["State"] == "available"
    own = {
        "ArnEquals": {"ec2:InstanceProfile": roles.lab.instance(ident)["IamInstanceProfile"]["Arn"]}
    }
    roles.may(
        allow("ec2:AttachVolume", f"{here}:volume/{volume}"),
        allow("ec2:AttachVolume", f"{here}:instance/*", Condition=own),
    )
    stranger = roles.lab.run()
    roles.lab.refused(
        "UnauthorizedOperation", roles.of(ident).attach_volume, **{**attach, "InstanceId": stranger}
    )
    roles.lab.refused("DryRunOperation", roles.of(ident).attach_volume, **attach, DryRun=True)
    roles.of(ident).attach_volume(**attach)
    roles.lab.volume_becomes(volume, "in-use", "attached")
    # DetachVolume touches the instance, even if the call does not name it
    roles.may(allow("ec2:DetachVolume", f"{here}:volume/*"))
    roles.lab.refused("UnauthorizedOperation", roles.of(ident).detach_volume, VolumeId=volume)


def test_one_of_several_is_enough_to_refuse(roles: Roles) -> None:
    ident = roles.machine(
        allow("ec2:StopInstances", Condition={"StringLike": {"aws:userid": "*:${ec2:InstanceID}"}})
    )
    other = roles.lab.run()
    ec2 = roles.of(ident)
    roles.lab.refused("UnauthorizedOperation", ec2.stop_instances, InstanceIds=[ident, other])
    assert roles.lab.instance(ident)["State"]["Name"] == "running"
    ec2.stop_instances(InstanceIds=[ident])
    roles.lab.becomes(ident, "stopped")


@pytest.mark.parametrize(
    ("conditions", "permitted"),
    [
        ({"StringEquals": {"ec2:ResourceTag/Owner": "alice"}}, True),
        ({"StringEquals": {"aws:ResourceTag/Owner": "bob"}}, False),
        ({"StringEquals": {"aws:RequestTag/Colour": "red"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Colour", "Size"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["Size"]}}, False),
        ({"StringEquals": {"ec2:Region": "us-east-1"}}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, False),
        ({"StringEquals": {"ec2:VolumeType": "gp3"}, "Bool": {"ec2:Encrypted": "false"}}, True),
        ({"ArnLike": {"ec2:SourceInstanceARN": "arn:aws:ec2:*:*:instance/i-*"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/Team": "x"}}, False),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
    ],
)
def test_the_keys_of_a_call(roles: Roles, conditions: dict[str, Any], permitted: bool) -> None:
    owner = {"ResourceType": "volume", "Tags": [{"Key": "Owner", "Value": "alice"}]}
    volume = roles.lab.volume(TagSpecifications=[owner])
    ident = roles.machine(allow("ec2:CreateTags", Condition=conditions))
    wanted = {"Resources": [volume], "Tags": [{"Key": "Colour", "Value": "red"}]}
    if permitted:
        roles.of(ident).create_tags(**wanted)
    else:
        roles.lab.refused("UnauthorizedOperation", roles.of(ident).create_tags, **wanted)
    tags = {each["Key"] for each in roles.lab.volume_of(volume)["Tags"]}
    assert ("Colour" in tags) is permitted


def test_what_is_tagged_when_it_is_made_needs_the_permission_to_tag(roles: Roles) -> None:
    ident = roles.machine(allow("ec2:CreateVolume"))
    tag = {"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}
    wanted = {"AvailabilityZone": ZONE, "Size": 1, "TagSpecifications": [tag]}
    message = roles.lab.refused("UnauthorizedOperation", roles.of(ident).create_volume, **wanted)
    assert "ec2:CreateTags on resource: arn:aws:ec2:us-east-1:123456789012:volume/*" in message
    born = {"StringEquals": {"ec2:CreateAction": "CreateVolume"}}
    roles.may(allow("ec2:CreateVolume"), allow("ec2:CreateTags", Condition=born))
    volume = roles.of(ident).create_volume(**wanted)["VolumeId"]
    later = {"Resources": [volume], "Tags": [{"Key": "c", "Value": "d"}]}
    roles.lab.refused("UnauthorizedOperation", roles.of(ident).create_tags, **later)


def test_a_call_whose_resources_are_not_known_needs_all(roles: Roles) -> None:
    ident = roles.machine(allow("ec2:CreateKeyPair", "arn:aws:ec2:*:*:key-pair/*"))
    roles.lab.refused("UnauthorizedOperation", roles.of(ident).create_key_pair, KeyName="x")
    roles.may(allow("ec2:CreateKeyPair"))
    roles.of(ident).create_key_pair(KeyName="x")


def test_a_role_is_given_to_a_machine_by_who_may_pass_it_on(roles: Roles) -> None:
    ident = roles.machine(allow("ec2:*"))
    profile = {"IamInstanceProfile": {"Name": roles.name}}
    role = f"arn:aws:iam::123456789012:role/{roles.name}"
    spec = {"LaunchSpecification": roles.lab.spec(**profile), "SpotPrice": "0.2"}
    start = {**roles.lab.spec(**profile), "MinCount": 1, "MaxCount": 1}
    ec2 = roles.of(ident)
    for call, given in ((ec2.run_instances, start), (ec2.request_spot_instances, spec)):
        message = roles.lab.refused("UnauthorizedOperation", call, **given)
        assert f"not authorized to perform: iam:PassRole on resource: {role} because" in message
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    roles.may(allow("ec2:*"), allow("iam:PassRole", role, Condition=to_ec2))
    assert ec2.run_instances(**start)["Instances"]


def test_another_region_is_another_place(roles: Roles) -> None:
    ident = roles.machine(allow("ec2:DescribeVolumes"))
    assert roles.of(ident, region="eu-central-1").describe_volumes()["Volumes"] == []
    here = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    roles.may(allow("ec2:DescribeVolumes", Condition=here))
    there = roles.of(ident, region="eu-central-1")
    roles.lab.refused("UnauthorizedOperation", there.describe_volumes)


def test_what_was_refused_can_be_decoded(roles: Roles) -> None:
    ident = roles.machine()
    refusal = roles.lab.refused(
        "UnauthorizedOperation", roles.of(ident).reboot_instances, InstanceIds=[ident]
    )
    refusal, _, message = refusal.partition(". Encoded authorization failure message: ")
    assert refusal.endswith(
        "because no identity-based policy allows the ec2:RebootInstances action"
    )
    decode = roles.lab.client("sts").decode_authorization_message
    decision = json.loads(decode(EncodedMessage=message)["DecodedMessage"])
    assert (decision["allowed"], decision["explicitDeny"]) == (False, False)
    context = decision["context"]
    assert context["action"] == "ec2:RebootInstances"
    assert context["resource"].endswith(f":instance/{ident}")
    values = {each["key"]: each["values"]["items"] for each in context["conditions"]["items"]}
    assert values["ec2:instanceid"] == [{"value": ident}]
    roles.lab.refused("InvalidAuthorizationMessageException", decode, EncodedMessage="bm8=")
    own = roles.of(ident, "sts").decode_authorization_message
    roles.lab.refused("AccessDenied", own, EncodedMessage=message)
