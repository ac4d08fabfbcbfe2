"""EC2's service-linked role for spot, which an account that never used spot lacks."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.aws.client import DENIED, plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.preflight import permissions
from cloudtop.preflight.checklist import Look

# EC2 User Guide, service-linked-roles-spot-instance-requests
NAME, SERVICE = "AWSServiceRoleForEC2Spot", "spot.amazonaws.com"
COMMAND = f"aws iam create-service-linked-role --aws-service-name {SERVICE}"


def check(look: Look) -> str:
    """Whether the role is there. Raises CloudtopError if it is not and may not be made."""
    if look.need("resources", "type").request is not None:
        return "there: the request uses it"
    iam = aws.client("iam")
    with plain_errors():
        try:
            iam.get_role(RoleName=NAME)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code in DENIED:
                return f"not known: you may not look ({code}); {COMMAND} makes it"
            if code != "NoSuchEntity":
                raise
            look.lacks_spot_role = True
    if not look.lacks_spot_role:
        return NAME
    role = f"arn:{look.partition}:iam::{look.account}:role/aws-service-role/{SERVICE}/{NAME}"
    asked = permissions.Question(
        ["iam:CreateServiceLinkedRole"], role, (("iam:AWSServiceName", SERVICE),)
    )
    if permissions.denied(look, asked):
        raise CloudtopError(
            "This account never used spot: EC2's role for it is missing, and you may not make it.",
            f"Ask an administrator for: {COMMAND}",
        )
    return "not there yet: this account never used spot; provision makes it"


def make(look: Look) -> None:
    """Make the role that :func:`check` missed. Raises CloudtopError if IAM refuses."""
    if not look.lacks_spot_role:
        return
    iam: Any = aws.client("iam")
    with plain_errors():
        try:
            iam.create_service_linked_role(AWSServiceName=SERVICE)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code in DENIED:
                raise CloudtopError(
                    "This account never used spot: EC2's role for it is missing, and you may not"
                    " make it.",
                    f"Ask an administrator for: {COMMAND}",
                ) from error
            # Somebody else was quicker
            if code != "InvalidInput":
                raise
