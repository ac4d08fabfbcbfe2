"""Rights that only ``rehearse`` needs: those on FIS, and to give it a role."""

from __future__ import annotations

from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.aws import interruption
from cloudtop.aws.client import plain_errors
from cloudtop.errors import CloudtopError
from cloudtop.preflight.checklist import Look
from cloudtop.preflight.permissions import ROLE, Question, denied

TEMPLATE = (
    "fis:CreateExperimentTemplate",
    "fis:DeleteExperimentTemplate",
    "fis:TagResource",
)
EXPERIMENT = ("fis:GetExperiment", "fis:StartExperiment")


def questions(look: Look) -> tuple[Question, ...]:
    """All that a rehearsal does in FIS and IAM; the service-linked role, if it is not there."""
    settings = look.settings
    fis = f"arn:{look.partition}:fis:{settings.region}:{look.account}"
    iam = f"arn:{look.partition}:iam::{look.account}:role"
    name = interruption.role_name(settings.name, settings.owner, settings.region)
    passed = (("iam:PassedToService", interruption.SERVICE),)
    linked = f"aws-service-role/{interruption.SERVICE}/{interruption.LINKED_ROLE}"
    return (
        Question(TEMPLATE, f"{fis}:experiment-template/asked"),
        Question(EXPERIMENT, f"{fis}:experiment/asked"),
        Question(["fis:ListExperimentTemplates"], "*"),
        Question([*ROLE, "iam:GetRolePolicy"], f"{iam}/{name}"),
        Question(["iam:PassRole"], f"{iam}/{name}", passed),
        *(
            [
                Question(
                    ["iam:CreateServiceLinkedRole"],
                    f"{iam}/{linked}",
                    (("iam:AWSServiceName", interruption.SERVICE),),
                )
            ]
            if lacks_linked_role()
            else []
        ),
    )


def lacks_linked_role() -> bool:
    """Whether the first experiment of this account is yet to make FIS's own role.

    Who may not look is not asked for the right to make it.
    """
    with plain_errors("IAM"):
        try:
            aws.client("iam").get_role(RoleName=interruption.LINKED_ROLE)
        except ClientError as error:
            return bool(error.response.get("Error", {}).get("Code") == "NoSuchEntity")
    return False


def check(look: Look) -> str:
    """How many actions were asked for. Raises CloudtopError for those that are denied."""
    interruption.refuse_region(look.settings.region)
    asked = questions(look)
    refused = denied(look, *asked)
    if refused is None:
        return "not known, as you may not simulate them"
    if refused:
        raise CloudtopError(
            f"Your credentials ({look.arn}) may not do: {', '.join(refused)}.",
            "Ask an administrator for these (docs/aws-policy.json), or rehearse at no cost:"
            " python runner.py rehearse --cloud rehearsal",
        )
    return f"{sum(len(each.actions) for each in asked)} of FIS and IAM"
