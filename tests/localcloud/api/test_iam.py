"""IAM refuses as AWS's does, where moto fails."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.lab import Lab

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def test_a_role_is_taken_out_of_a_profile_once(lab: Lab) -> None:
    iam = lab.client("iam")
    iam.create_role(RoleName="machine", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_instance_profile(InstanceProfileName="machine")
    given = {"InstanceProfileName": "machine", "RoleName": "machine"}
    iam.add_role_to_instance_profile(**given)
    iam.remove_role_from_instance_profile(**given)
    with pytest.raises(ClientError, match="NoSuchEntity") as caught:
        iam.remove_role_from_instance_profile(**given)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    iam.delete_instance_profile(InstanceProfileName="machine")
    iam.delete_role(RoleName="machine")


def test_roles_are_listed_by_name_page_by_page(lab: Lab) -> None:
    iam = lab.client("iam")
    for name in ("zebra", "ant", "mule"):
        iam.create_role(RoleName=name, Path="/animals/", AssumeRolePolicyDocument=json.dumps(TRUST))
    first = iam.list_roles(PathPrefix="/animals/", MaxItems=2)
    assert [one["RoleName"] for one in first["Roles"]] == ["ant", "mule"]
    assert first["IsTruncated"]
    rest = iam.list_roles(PathPrefix="/animals/", MaxItems=2, Marker=first["Marker"])
    assert [one["RoleName"] for one in rest["Roles"]] == ["zebra"]
    assert not rest["IsTruncated"]
