"""Machines with a role each, and the calls that they may make."""

from __future__ import annotations

import json
from typing import Any

from tests.localcloud.lab import Lab
from tests.machine_side import Metadata, client


class Roles:
    def __init__(self, lab: Lab) -> None:
        self.lab, self.iam = lab, lab.client("iam")
        self.count = len(self.iam.list_roles()["Roles"])

    def machine(self, *statements: dict[str, Any]) -> str:
        """Id of a machine whose role has one policy of these statements, or none."""
        self.count += 1
        self.name = f"role-{self.count}"
        self.lab.profile(self.name, *([document(*statements)] if statements else []))
        return self.lab.run(IamInstanceProfile={"Name": self.name})

    def may(self, *statements: dict[str, Any]) -> None:
        """The role of the newest has this policy from now on."""
        policy = json.dumps(document(*statements))
        self.iam.put_role_policy(RoleName=self.name, PolicyName="p0", PolicyDocument=policy)

    def credentials(self, ident: str) -> dict[str, str]:
        return Metadata(self.lab.server, ident).credentials()

    def of(self, ident: str, service: str = "ec2", region: str = "us-east-1") -> Any:
        return client(self.lab.endpoint, service, self.credentials(ident), region)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str, resource: str = "*", **parts: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **parts}
