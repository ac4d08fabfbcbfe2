"""Whether the caller may do all that a provision does, asked without doing it.

EC2 says it to a dry run; IAM simulates the policies of the caller for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloudtop.aws import client as aws
from cloudtop.aws.client import DENIED, plain_errors
from cloudtop.aws.find import Resources
from cloudtop.errors import CloudtopError
from cloudtop.preflight import access
from cloudtop.preflight.access import Access
from cloudtop.preflight.checklist import Look
from cloudtop.settings import rules

# All that the role access does in IAM, by the kind of resource that it does it to: what it looks at
# each time, what it does if they are missing, and if the policy does not fit
LOOKED_AT = ("iam:GetInstanceProfile",)
PROFILE = ("iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:TagInstanceProfile")
POLICY_LOOKED_AT = ("iam:GetRolePolicy",)
ROLE = ("iam:CreateRole", "iam:GetRole", "iam:TagRole")
POLICY = ("iam:PutRolePolicy",)
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


def questions(look: Look, there: Access, role: str = "") -> tuple[Question, ...]:
    """All that this provision does in IAM.

    ``role`` is the ARN of a role that somebody else made; without one it is cloudtop's own.
    """
    settings = look.settings
    account = f"arn:{look.partition}:iam::{look.account}"
    name = access.iam_name(settings)
    asked: list[Question] = []
    if not settings.instance_profile:
        role = f"{account}:role/{name}"
        missing = () if there.role else PROFILE
        asked.append(Question([*LOOKED_AT, *missing], f"{account}:instance-profile/{name}"))
        needed = [*POLICY_LOOKED_AT, *(() if there.role else ROLE)]
        asked.append(Question([*needed, *(() if there.policy else POLICY)], role))
    if role and _asks(look):
        passed = (("iam:PassedToService", "ec2.amazonaws.com"),)
        asked.append(Question(["iam:PassRole"], role, passed))
    return tuple(asked)


def _asks(look: Look) -> bool:
    """Whether a request is made: a switch ends the one that there is, and asks for another."""
    return look.moves or look.resources is None or look.resources.request is None


def check(look: Look) -> str:
    """How many actions were looked at. Raises CloudtopError for those that are denied."""
    zone = look.zone or next(iter(look.need("zones", "zone")))
    resources = look.need("resources", "type")
    volume = resources.volume.volume_id if resources.volume else ""
    there = access.look_up(look.settings, look.client, volume)
    role = _others_role(look)
    refused, looked = [], 0
    for action, call, params in _calls(look, zone, resources, there):
        answer = _dry(call, params)
        refused += [action] if answer == MAY_NOT else []
        looked += answer in (MAY, MAY_NOT)
    asked = questions(look, there, role)
    simulated = denied(look, *asked)
    if simulated is None:
        seen = f"{looked} of EC2; those of IAM are not known, as you may not simulate them"
    else:
        refused += simulated
        seen = f"{looked} of EC2, {sum(len(each.actions) for each in asked)} of IAM"
    if refused:
        raise CloudtopError(
            f"Your credentials ({look.arn}) may not do: {', '.join(refused)}.",
            "Ask an administrator for these; all that cloudtop needs: docs/aws-policy.json"
            + (
                "; or go without a role for the machine: --no-iam"
                if not look.settings.instance_profile
                and all(action.startswith("iam:") for action in refused)
                else ""
            ),
        )
    return seen


def _others_role(look: Look) -> str:
    """ARN of the role of the profile that the settings name; empty if they name none, or if
    these credentials may not look. Raises CloudtopError if there is no such profile."""
    name = look.settings.instance_profile
    if name in ("", rules.NO_PROFILE):
        return ""
    with plain_errors():
        try:
            profile = aws.client("iam").get_instance_profile(InstanceProfileName=name)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in DENIED:
                look.notes.append(f"Whether there is a profile {name} is not known ({code}).")
                return ""
            if code != "NoSuchEntity":
                raise
            profile = {"InstanceProfile": {"Roles": []}}
            missing = f"which the account {look.account} does not have"
        else:
            missing = "which has no role in it"
    roles = profile["InstanceProfile"]["Roles"]
    if not roles:
        raise CloudtopError(
            f"cloudtop_instance_profile is {name!r}, {missing}.",
            "Ask an administrator for it, or go without: --no-iam",
        )
    return str(roles[0]["Arn"])


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
    look: Look, zone: str, resources: Resources, there: Access
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
    if not there.group:
        group = {
            "GroupName": "cloudtop-dry-run",
            "Description": "asked only",
            "TagSpecifications": tagged("security-group"),
        }
        yield "ec2:CreateSecurityGroup", client.create_security_group, group
    if not there.pair:
        key = {"KeyName": "cloudtop-dry-run", "PublicKeyMaterial": b"ssh-ed25519 AAAA asked-only"}
        yield "ec2:ImportKeyPair", client.import_key_pair, key
    if _asks(look):
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
