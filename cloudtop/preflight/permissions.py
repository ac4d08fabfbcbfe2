"""Whether the caller may do all that a provision does, asked without doing it.

EC2 says it to a dry run; IAM simulates the policies of the caller for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloudtop.aws import client as aws
from cloudtop.aws.client import plain_errors
from cloudtop.aws.find import Resources
from cloudtop.errors import CloudtopError
from cloudtop.preflight.checklist import Look

# All that the role access does in IAM, by the kind of resource that it does it to
PROFILE = (
    "iam:AddRoleToInstanceProfile",
    "iam:CreateInstanceProfile",
    "iam:GetInstanceProfile",
    "iam:TagInstanceProfile",
)
ROLE = ("iam:CreateRole", "iam:GetRole", "iam:PutRolePolicy", "iam:TagRole")
MAY, MAY_NOT = "DryRunOperation", "UnauthorizedOperation"


@dataclass(frozen=True)
class Question:
    """Actions on one resource, with the condition keys that the call itself would have.

    Without them IAM answers for the resource "*", which no policy that is narrowed to
    cloudtop's own roles allows (IAM API Reference, SimulatePrincipalPolicy, ResourceArns).
    """

    actions: Sequence[str]
    resource: str
    keys: tuple[tuple[str, str], ...] = ()

    def parameters(self) -> dict[str, Any]:
        """As SimulatePrincipalPolicy takes it."""
        return {
            "ActionNames": list(self.actions),
            "ResourceArns": [self.resource],
            "ContextEntries": [
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in self.keys
            ],
        }


def questions(look: Look) -> tuple[Question, ...]:
    """All that a provision does in IAM. The ends of names, which are digests, do not matter."""
    account = f"arn:{look.partition}:iam::{look.account}"
    name = f"cloudtop-{look.settings.name}-asked"
    passed = (("iam:PassedToService", "ec2.amazonaws.com"),)
    return (
        Question(PROFILE, f"{account}:instance-profile/{name}"),
        Question(ROLE, f"{account}:role/{name}"),
        Question(["iam:PassRole"], f"{account}:role/{name}", passed),
    )


def check(look: Look) -> str:
    """How many actions were looked at. Raises CloudtopError for those that are denied."""
    zone = look.zone or next(iter(look.need("zones", "zone")))
    resources = look.need("resources", "type")
    refused, looked = [], 0
    for action, call, params in _calls(look, zone, resources):
        answer = _dry(call, params)
        refused += [action] if answer == MAY_NOT else []
        looked += answer in (MAY, MAY_NOT)
    asked = questions(look)
    simulated = denied(look, *asked)
    if simulated is None:
        seen = f"{looked} of EC2; those of IAM are not known, as you may not simulate them"
    else:
        refused += simulated
        seen = f"{looked} of EC2, {sum(len(each.actions) for each in asked)} of IAM"
    if refused:
        raise CloudtopError(
            f"Your credentials ({look.arn}) may not do: {', '.join(refused)}.",
            "Ask an administrator for these; all that cloudtop needs: docs/aws-policy.json",
        )
    return seen


def denied(look: Look, *asked: Question) -> list[str] | None:
    """The actions that the caller's policies deny; None if nobody says.

    A decision for want of a condition key, such as that of MFA, is none: the call would have it.
    """
    iam = aws.client("iam")
    try:
        arn = _principal(iam, look.need("arn", "credentials"))
        results = [
            result
            for each in asked
            for result in iam.simulate_principal_policy(PolicySourceArn=arn, **each.parameters())[
                "EvaluationResults"
            ]
        ]
    except (ClientError, BotoCoreError):
        # Most who lack a permission lack this one too, and root has no policies
        return None
    return [one["EvalActionName"] for one in results if _is_denial(one)]


def _is_denial(result: Any) -> bool:
    parts = [result, *result.get("ResourceSpecificResults", [])]
    unknown = any(part.get("MissingContextValues") for part in parts)
    return result["EvalDecision"] != "allowed" and not unknown


def _principal(iam: Any, arn: str) -> str:
    """The ARN that has policies: of a session that is its role's, which may have a path."""
    _, slash, rest = arn.partition(":assumed-role/")
    if not slash:
        return arn
    return str(iam.get_role(RoleName=rest.partition("/")[0])["Role"]["Arn"])


def _calls(
    look: Look, zone: str, resources: Resources
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Action, call and parameters of all that is still to be made in EC2."""
    client, settings = look.client, look.settings
    tags = [{"Key": "cloudtop:name", "Value": settings.name}]

    def tagged(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": tags}]

    if resources.volume is None:
        volume = {
            "AvailabilityZone": zone,
            "Size": settings.volume_size,
            "VolumeType": settings.volume_type,
            "Encrypted": True,
            "TagSpecifications": tagged("volume"),
        }
        yield "ec2:CreateVolume", client.create_volume, volume
    group = {
        "GroupName": "cloudtop-dry-run",
        "Description": "asked only",
        "TagSpecifications": tagged("security-group"),
    }
    yield "ec2:CreateSecurityGroup", client.create_security_group, group
    key = {"KeyName": "cloudtop-dry-run", "PublicKeyMaterial": b"ssh-ed25519 AAAA asked-only"}
    yield "ec2:ImportKeyPair", client.import_key_pair, key
    # A switch ends the request that there is, and asks for another
    if look.moves or resources.request is None:
        spec = {"InstanceType": settings.instance_type, "ImageId": settings.image or "ami-0"}
        request = {
            "LaunchSpecification": spec,
            "Type": "persistent",
            "TagSpecifications": tagged("spot-instances-request"),
        }
        yield "ec2:RequestSpotInstances", client.request_spot_instances, request


def _dry(call: Any, params: dict[str, Any]) -> str:
    """EC2's code for a dry run: it may be done, may not, or has another fault."""
    with plain_errors():
        try:
            call(DryRun=True, **params)
        except ClientError as error:
            return str(error.response.get("Error", {}).get("Code", ""))
    return MAY
