"""Whose credentials a call is signed with, and how long they are good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.clock import Clock
from tests.localcloud.roles import Roles, allow
from tests.machine_side import client

SERVICES = ("ec2", "sts", "iam", "ssm")


def ask(service: Any, name: str) -> Any:
    calls = {
        "ec2": lambda: service.describe_volumes(),
        "sts": lambda: service.get_caller_identity(),
        "iam": lambda: service.list_roles(),
        "ssm": lambda: service.get_parameter(Name="x"),
    }
    with pytest.raises(ClientError) as caught:
        calls[name]()
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


REFUSED = {
    "unknown": [
        ("AuthFailure", 401), ("InvalidClientTokenId", 403), ("InvalidClientTokenId", 403),
        ("UnrecognizedClientException", 400),
    ],
    "expired": [
        ("RequestExpired", 400), ("ExpiredToken", 403), ("ExpiredToken", 403),
        ("ExpiredTokenException", 400),
    ],
}  # fmt: skip


@pytest.mark.parametrize("changed", ["AccessKeyId", "Token"])
def test_credentials_that_nobody_gave_are_refused(roles: Roles, changed: str) -> None:
    ident, other = roles.machine(allow("*")), roles.machine(allow("*"))
    mixed = {**roles.credentials(ident), changed: roles.credentials(other)[changed]}
    invented = {**roles.credentials(ident), changed: "ASIAEXAMPLE"}
    for credentials in (mixed, invented):
        seen = [ask(client(roles.lab.endpoint, one, credentials), one) for one in SERVICES]
        assert seen == REFUSED["unknown"]


def test_credentials_expire_when_the_metadata_says(roles: Roles, clock: Clock) -> None:
    ident = roles.machine(allow("*"))
    first = roles.credentials(ident)
    assert roles.credentials(ident) == first
    expires = clock.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=6)
    assert first["Expiration"] == f"{expires:%Y-%m-%dT%H:%M:%SZ}"
    clients = [client(roles.lab.endpoint, one, first) for one in SERVICES]
    clock.now = expires - timedelta(seconds=1)
    clients[0].describe_volumes()
    newer = roles.credentials(ident)
    assert newer["Expiration"] > first["Expiration"]
    clock.now = expires
    assert list(map(ask, clients, SERVICES)) == REFUSED["expired"]
    client(roles.lab.endpoint, "ec2", newer).describe_volumes()


def test_a_machine_is_told_who_it_is_whatever_it_may(roles: Roles) -> None:
    ident = roles.machine({**allow("*"), "Effect": "Deny"})
    role = roles.iam.get_role(RoleName=roles.name)["Role"]
    identity = roles.of(ident, "sts").get_caller_identity()
    assert identity["UserId"] == f"{role['RoleId']}:{ident}"
    assert identity["Arn"] == f"arn:aws:sts::123456789012:assumed-role/{roles.name}/{ident}"
