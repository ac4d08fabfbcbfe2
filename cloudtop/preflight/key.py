"""The default key of EBS, which encrypts the volume and the machine's root disk."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.aws.client import DENIED, plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.preflight import permissions, spot_role
from cloudtop.preflight.checklist import Look

# The operations on a customer-managed key that EC2's role for spot needs (EC2 User Guide,
# service-linked-roles-spot-instance-requests, "Grant access to customer managed keys")
OPERATIONS = (
    "Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext CreateGrant DescribeKey"
    " ReEncryptFrom ReEncryptTo"
)
# Actions on it that the maker of an encrypted volume needs (EBS
# User Guide, "Permissions for IAM users")
OWN_ACTIONS = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)

# A principal of a key's policy that may be the role, too, by its conditions
EVERYBODY = re.compile(r'"(?:Principal|AWS)"\s*:\s*\[?\s*"\*"')


def check(look: Look) -> str:
    """Who manages the key, and whether spot machines can open their disks by it."""
    look.need("account", "credentials")
    with plain_errors():
        try:
            key = look.client.get_ebs_default_kms_key_id()["KmsKeyId"]
            about = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]
        except ClientError as error:
            if (code := _code(error)) not in DENIED:
                raise
            return f"not known: you may not look at the default key of EBS ({code})"
    if about["KeyManager"] == "AWS":
        return "aws/ebs, which AWS manages"
    if about.get("KeyState") != "Enabled":
        raise CloudtopError(
            f"The default key of EBS, {about['Arn']}, is {about.get('KeyState')}: no disk could"
            " be made with it.",
            f"Try: aws kms enable-key --region {look.settings.region} --key-id {about['KeyId']}",
        )
    _refuse_denied(look, str(about["Arn"]))
    return _granted(look, about)


def _refuse_denied(look: Look, arn: str) -> None:
    """Raise CloudtopError if the caller may not use the key: EC2 would answer with a volume, and
    give it up a moment later."""
    service = (("kms:ViaService", f"ec2.{look.settings.region}.amazonaws.com"),)
    refused = permissions.denied(look, permissions.Question(OWN_ACTIONS, arn, service))
    if refused:
        raise CloudtopError(
            f"The default key of EBS is your own ({arn}), and you may not use it"
            f" ({', '.join(refused)}): every volume would vanish a moment after it was made.",
            "Ask an administrator for these of that key, as docs/aws-policy.json has them",
        )


def _granted(look: Look, about: Any) -> str:
    role = (
        f"arn:{look.partition}:iam::{look.account}:role/aws-service-role/{spot_role.SERVICE}"
        f"/{spot_role.NAME}"
    )
    kms = aws.client("kms")
    with plain_errors():
        try:
            grants = kms.list_grants(KeyId=about["Arn"], GranteePrincipal=role)["Grants"]
        except ClientError as error:
            if (code := _code(error)) not in DENIED:
                raise
            return f"{about['Arn']}, your own; whether spot may use it is not known ({code})"
    policy = _policy(kms, about["Arn"])
    if grants or role in policy:
        return f"{about['Arn']}, your own; spot may use it"
    if not policy or EVERYBODY.search(policy):
        return f"{about['Arn']}, your own; whether spot may use it is not known"
    if look.lacks_spot_role:
        raise CloudtopError(
            f"The default key of EBS is your own ({about['Arn']}), and EC2's role for spot, which"
            " needs a grant of it, is not there yet: this account never used spot.",
            f"Try: {spot_role.COMMAND}; then the same command again",
        )
    raise CloudtopError(
        f"The default key of EBS is your own ({about['Arn']}), and EC2's role for spot has no"
        " grant of it: every machine would end with Client.InternalError.",
        f"Try: aws kms create-grant --region {look.settings.region} --key-id {about['Arn']}"
        f" --grantee-principal {role} --operations {OPERATIONS}",
    )


def _policy(kms: Any, arn: str) -> str:
    """The key's policy as text, empty if these credentials may not read it."""
    with plain_errors():
        try:
            return str(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
        except ClientError as error:
            if _code(error) not in DENIED:
                raise
            return ""


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
