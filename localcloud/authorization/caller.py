"""Whose access key signed a call: the account's administrator's, or a machine's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from localcloud.authorization import role_policies
from localcloud.credentials import Credentials
from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.launch.credentials import TEMPORARY, holder
from localcloud.ec2.records.instance import Instance
from localcloud.errors import Refused

# Each service's answer to credentials that it does not know: code, status, message.
_SAID = "The security token included in the request is"
_CALCULATED = (
    "The request signature we calculated does not match the signature you provided. Check your AWS"
    " Secret Access Key and signing method."
)
_CLOCK = "Signature expired or not yet current: the caller's clock is not ours."
Answers = Mapping[str, tuple[str, HTTPStatus, str]]
UNKNOWN: Answers = {
    "ec2": ("AuthFailure", HTTPStatus.UNAUTHORIZED,
            "AWS was not able to validate the provided access credentials"),
    "ssm": ("UnrecognizedClientException", HTTPStatus.BAD_REQUEST, f"{_SAID} invalid."),
    "": ("InvalidClientTokenId", HTTPStatus.FORBIDDEN, f"{_SAID} invalid"),
}  # fmt: skip
EXPIRED: Answers = {
    "ec2": ("RequestExpired", HTTPStatus.BAD_REQUEST, "Request has expired."),
    "ssm": ("ExpiredTokenException", HTTPStatus.BAD_REQUEST, f"{_SAID} expired"),
    "": ("ExpiredToken", HTTPStatus.FORBIDDEN, f"{_SAID} expired"),
}
# To those with no key of ours, or a wrong secret for it: 403 whatever they call
FORGED: Answers = {
    "ec2": ("AuthFailure", HTTPStatus.FORBIDDEN, UNKNOWN["ec2"][2]),
    "ssm": ("InvalidSignatureException", HTTPStatus.FORBIDDEN, _CALCULATED),
    "": ("SignatureDoesNotMatch", HTTPStatus.FORBIDDEN, _CALCULATED),
}
# To those whose clock is wrong
UNTIMELY: Answers = {
    "ec2": EXPIRED["ec2"],
    "ssm": ("InvalidSignatureException", HTTPStatus.FORBIDDEN, _CLOCK),
    "": ("SignatureDoesNotMatch", HTTPStatus.FORBIDDEN, _CLOCK),
}


@dataclass(frozen=True)
class Machine:
    """The session of an instance: it has the instance's id for its name.

    ``role`` is the profile's as it is now, None if the profile has none any more.
    """

    instance: Instance
    role: Any

    @property
    def arn(self) -> str:
        backend = self.instance.ec2_backend
        name = self.role.name if self.role else "none"
        return (
            f"arn:{backend.partition}:sts::{backend.account_id}:assumed-role/{name}"
            f"/{self.instance.id}"
        )

    @property
    def user_id(self) -> str:
        """IAM User Guide, "Policy variables", principal key values."""
        return f"{self.role.id if self.role else ''}:{self.instance.id}"

    def keys(self) -> dict[str, str]:
        """The condition keys of every call that it makes."""
        backend = self.instance.ec2_backend
        keys = {
            "aws:userid": self.user_id,
            "aws:principaltype": "AssumedRole",
            "aws:principalaccount": backend.account_id,
            "aws:principalisawsservice": "false",
            "aws:viaawsservice": "false",
            "ec2:sourceinstancearn": backend.arn("instance", self.instance.id),
            "ec2:roledelivery": "2.0",
        }
        if self.role:
            keys["aws:principalarn"] = self.role.arn
            keys |= {f"aws:principaltag/{tag['Key'].lower()}": tag["Value"] for tag in self._tags()}
        return keys

    def policies(self) -> Iterator[str]:
        """Their JSON, as they are now: the role's own and those that are attached to it."""
        if self.role:
            yield from role_policies.documents(self.role)

    def boundary(self) -> str | None:
        """The JSON of the policy that bounds what the others permit, or None."""
        backend = self.instance.ec2_backend
        if not self.role:
            return None
        return role_policies.boundary(self.role, backend.account_id, backend.partition)

    def _tags(self) -> list[dict[str, str]]:
        given = self.role.tags or []
        return list(given.values()) if isinstance(given, dict) else list(given)


@dataclass(frozen=True)
class Caller:
    """Who has an access key: the secret that belongs to it, and the machine; None if it is no
    machine's but the administrator's.
    """

    secret_key: str
    machine: Machine | None = None


def caller_of(
    service: str,
    access_key: str,
    token: str,
    backends: list[Backend],
    administrator: Credentials,
) -> Caller:
    """Who has that access key.

    Keys that IAM or STS gave out are the administrator's, too: nobody else can have asked for
    them. Raises Refused for keys that nobody gave, or that have expired.
    """
    if access_key == administrator.access_key:
        return Caller(administrator.secret_key)
    if given := _given(access_key, token):
        return Caller(given)
    if not access_key.startswith(TEMPORARY):
        raise refused(FORGED, service)
    every = (instance for backend in backends for instance in backend.every_instance())
    match = holder(access_key, token, every)
    if not match:
        raise refused(UNKNOWN, service)
    instance, credentials = match
    backend = instance.ec2_backend
    if backend.now() >= credentials.expires:
        raise refused(EXPIRED, service)
    iam = iam_backends[backend.account_id][backend.partition]
    name = backend.role_of(instance)
    role = next((r for r in iam.roles.values() if r.name == name), None)
    return Caller(credentials.secret_key, Machine(instance, role))


def _given(access_key: str, token: str) -> str:
    """The secret of a key that STS or IAM gave to the administrator, or empty."""
    assumed = (
        (one.access_key_id + one.session_token, one.secret_access_key)
        for _, _, backend in sts_backends.iter_backends()
        for one in backend.assumed_roles  # type: ignore[attr-defined]
    )
    users = (
        (key.access_key_id, key.secret_access_key)
        for _, _, backend in iam_backends.iter_backends()
        for user in backend.users.values()  # type: ignore[attr-defined]
        for key in user.access_keys
    )
    return str(dict((*assumed, *users)).get(access_key + token, ""))


def refused(answers: Answers, service: str) -> Refused:
    """The refusal in the words of the service."""
    code, status, message = answers.get(service, answers[""])
    return Refused(status, code, message)
