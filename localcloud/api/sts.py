"""STS's answers that moto does not have: who a machine is, and what a refusal was about."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.models import iam_backends
from werkzeug.wrappers import Response

from localcloud.authorization.caller import Machine
from localcloud.authorization.failure_message import decoded
from localcloud.ec2.backend.whole import backends
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


# Calls that nobody signs, as their caller has no key yet: a token of a provider speaks for it
UNSIGNED = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")


def unsigned(action: str, given: Mapping[str, str]) -> Response:
    """Raises Refused, always: who sends no key has to prove its identity by the signature of its
    provider, and the rehearsal cloud asks no provider for its keys. Moto gives keys to anybody.
    """
    token = "SAMLAssertion" if action == "AssumeRoleWithSAML" else "WebIdentityToken"
    names = ("RoleArn", *(("PrincipalArn",) if token == "SAMLAssertion" else ("RoleSessionName",)))
    for name in (*names, token):
        if not given.get(name):
            raise Refused(
                HTTPStatus.BAD_REQUEST, "ValidationError",
                f"1 validation error detected: Value null at '{name[0].lower()}{name[1:]}' failed"
                " to satisfy constraint: Member must not be null",
            )  # fmt: skip
    if token == "SAMLAssertion":
        _require_saml_provider(given["PrincipalArn"])
    else:
        _require_web_provider(given["WebIdentityToken"])
    raise Refused(
        HTTPStatus.BAD_REQUEST, "UnsupportedOperation",
        "The rehearsal cloud cannot verify a token, as it asks no identity provider for its keys."
        " It has AssumeRole.",
    )  # fmt: skip


def _iam() -> Any:
    backend = backends()[0]
    return iam_backends[backend.account_id][backend.partition]


def _bad_token(message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "InvalidIdentityToken", message)


def _require_web_provider(token: str) -> None:
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        issuer = str(claims["iss"])
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise _bad_token(
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an"
            " Access Token)"
        ) from error
    known = {one.url.removeprefix("https://") for one in _iam().open_id_providers.values()}
    if issuer.removeprefix("https://") not in known:
        raise _bad_token(f"No OpenIDConnect provider found in your account for {issuer}")


def _require_saml_provider(arn: str) -> None:
    if arn not in {one.arn for one in _iam().saml_providers.values()}:
        raise _bad_token(f"Specified provider doesn't exist: {arn}")


def _answer(action: str, **facts: str) -> Response:
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in facts.items())
    return Response(
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<{action}Result>{inner}</{action}Result>"
        f"<ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId></ResponseMetadata>"
        f"</{action}Response>",
        mimetype="text/xml",
    )
