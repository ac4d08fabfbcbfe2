"""Experiments that tests make: their role, and a template that interrupts an instance."""

from __future__ import annotations

import json
from typing import Any

from tests.localcloud.lab import Lab

ROLE = "for-experiments"
ACCOUNT = "123456789012"
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "ec2:SendSpotInstanceInterruptions",
            "Resource": f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/*",
        },
    ],
}


def trust(service: str = "fis", **condition: Any) -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": f"{service}.amazonaws.com"},
    }
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(lab: Lab, trusted: str = "", rights: dict[str, Any] | None = None) -> str:
    """The ARN of the experiments' role, answer or changed to this trust and these rights."""
    iam = lab.client("iam")
    known = {each["RoleName"]: each["Arn"] for each in iam.list_roles()["Roles"]}
    if ROLE not in known:
        answer = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust())
        known[ROLE] = answer["Role"]["Arn"]
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=trusted or trust())
    document = json.dumps(rights or RIGHTS)
    iam.put_role_policy(RoleName=ROLE, PolicyName="interrupt", PolicyDocument=document)
    return str(known[ROLE])


def arn(instance: str) -> str:
    return f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{instance}"


def wanted(lab: Lab, *instances: str, duration: str = "PT2M") -> dict[str, Any]:
    """The parameters of CreateExperimentTemplate."""
    return {
        "clientToken": f"token-{'-'.join(instances)}-{duration}",
        "description": "a spot interruption",
        "roleArn": role(lab),
        "stopConditions": [{"source": "none"}],
        "targets": {
            "machines": {
                "resourceType": "aws:ec2:spot-instance",
                "resourceArns": [arn(each) for each in instances],
                "selectionMode": "ALL",
            }
        },
        "actions": {
            "interrupt": {
                "actionId": "aws:ec2:send-spot-instance-interruptions",
                "parameters": {"durationBeforeInterruption": duration},
                "targets": {"SpotInstances": "machines"},
            }
        },
        "tags": {"cloudtop:name": "box"},
    }


def template(lab: Lab, *instances: str, duration: str = "PT2M") -> str:
    """The id of a new template."""
    given = wanted(lab, *instances, duration=duration)
    return str(lab.client("fis").create_experiment_template(**given)["experimentTemplate"]["id"])
