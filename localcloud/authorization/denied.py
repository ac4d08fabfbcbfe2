"""Actions that nobody in the account may take: ``python -m localcloud account --deny ACTION``.

As a service control policy does it, or a role for developers: an explicit deny.
"""

from __future__ import annotations

from http import HTTPStatus

from localcloud.ec2.backend.base import Base
from localcloud.errors import Refused
from localcloud.iam import patterns


def is_denied(action: str) -> bool:
    return any(patterns.like_action(one, action) for one in Base.cloud.account.denied)


def refuse_denied(service: str, *actions: str) -> None:
    """Raises Refused, in the words of the service, for the first that is denied."""
    for action in actions:
        if is_denied(action):
            why = (
                f"The caller is not authorized to perform: {action} with an explicit deny in a"
                " service control policy"
            )
            if service == "ec2":
                raise Refused(
                    HTTPStatus.FORBIDDEN,
                    "UnauthorizedOperation",
                    f"You are not authorized to perform this operation. {why}",
                )
            json_style = service in ("dlm", "fis", "kms", "servicequotas", "ssm")
            # FIS answers as REST has it
            bad = json_style and service != "fis"
            raise Refused(
                HTTPStatus.BAD_REQUEST if bad else HTTPStatus.FORBIDDEN,
                "AccessDeniedException" if json_style else "AccessDenied",
                why,
            )
