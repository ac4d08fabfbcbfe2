"""STS's answers that moto does not have: who a machine is, and what a refusal was about."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from localcloud.authorization.caller import Machine
from localcloud.authorization.failure_message import decoded
from localcloud.errors import Refused


def answer(action: str, given: Mapping[str, str], machine: Machine | None) -> Response | None:
    """The answer, or None if moto has to give it. Raises Refused."""
    if action == "GetCallerIdentity" and machine:
        account = machine.instance.ec2_backend.account_id
        return _answer(action, Arn=machine.arn, UserId=machine.user_id, Account=account)
    if action in ("GetSessionToken", "GetFederationToken"):
        # Moto answers with the same well-known keys to everybody
        raise Refused(
            HTTPStatus.BAD_REQUEST, "UnsupportedOperation",
            f"The rehearsal cloud does not have {action}. It has AssumeRole.",
        )  # fmt: skip
    if action == "DecodeAuthorizationMessage":
        text = decoded(given.get("EncodedMessage", ""))
        if text is None:
            raise Refused(
                HTTPStatus.BAD_REQUEST, "InvalidAuthorizationMessageException",
                "The rehearsal cloud has not encoded this message.",
            )  # fmt: skip
        return _answer(action, DecodedMessage=text)
    return None


def _answer(action: str, **facts: str) -> Response:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in facts.items())
    return Response(
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<{action}Result>{inner}</{action}Result>"
        f"<ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId></ResponseMetadata>"
        f"</{action}Response>",
        mimetype="text/xml",
    )
