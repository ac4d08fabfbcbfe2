"""KMS, as far as EBS needs it: the default keys of EBS, and who may use the customer's."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from moto.ec2.models import ec2_backends
from werkzeug.wrappers import Response

from localcloud.ec2.backend.whole import Backend, backends
from localcloud.errors import Refused

# EBS needs these for a volume of a machine (EC2 User Guide, "Requirements for EBS encryption")
OPERATIONS = frozenset({"CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext"})


def answer(action: str, body: bytes, region: str) -> Response:
    """The answer to DescribeKey, GetKeyPolicy, CreateGrant or ListGrants. Raises Refused."""
    account_id = backends()[0].account_id
    backend = ec2_backends[account_id][region]
    assert isinstance(backend, Backend)
    try:
        given: Mapping[str, Any] = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise _refused("SerializationException", f"{error}") from error
    verbs = {
        "DescribeKey": _describe,
        "GetKeyPolicy": _policy,
        "CreateGrant": _grant,
        "ListGrants": _list,
    }
    if action not in verbs:
        raise _refused("UnsupportedOperation", f"The rehearsal cloud does not have kms:{action}.")
    text = json.dumps(verbs[action](backend, given))
    return Response(text, mimetype="application/x-amz-json-1.1")


def _refused(code: str, message: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, code, message)


def _key(backend: Backend, given: Mapping[str, Any]) -> tuple[str, str]:
    """ARN and manager of the key that is named by id, ARN or alias."""
    name = str(given.get("KeyId", ""))
    own = backend.customer_key_arn
    if backend.account.customer_key and name in (own, own.rpartition("/")[2]):
        return own, "CUSTOMER"
    managed = backend.managed_key_arn
    if name in (managed, managed.rpartition("/")[2], "alias/aws/ebs"):
        return managed, "AWS"
    raise _refused("NotFoundException", f"Key '{name}' does not exist")


def _describe(backend: Backend, given: Mapping[str, Any]) -> object:
    arn, manager = _key(backend, given)
    return {
        "KeyMetadata": {
            "AWSAccountId": backend.account_id,
            "KeyId": arn.rpartition("/")[2],
            "Arn": arn,
            "Enabled": True,
            "KeyState": "Enabled",
            "KeyManager": manager,
            "KeyUsage": "ENCRYPT_DECRYPT",
            "KeySpec": "SYMMETRIC_DEFAULT",
        }
    }


def _policy(backend: Backend, given: Mapping[str, Any]) -> object:
    """The default key policy (KMS Developer Guide, key-policy-default): IAM decides."""
    _key(backend, given)
    root = f"arn:{backend.partition}:iam::{backend.account_id}:root"
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": root},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}
    return {"Policy": json.dumps(policy), "PolicyName": "default"}


def _grant(backend: Backend, given: Mapping[str, Any]) -> object:
    _, manager = _key(backend, given)
    if manager == "AWS":
        raise _refused("AccessDeniedException", "Nobody makes grants of a key that AWS manages.")
    lacks = OPERATIONS - set(given.get("Operations", []))
    grantee = str(given.get("GranteePrincipal", ""))
    if not lacks and grantee not in backend.account.grantees:
        backend.account.grantees.append(grantee)
    backend.touch()
    return {"GrantId": secrets.token_hex(32), "GrantToken": secrets.token_hex(16)}


def _list(backend: Backend, given: Mapping[str, Any]) -> object:
    arn, manager = _key(backend, given)
    grantees = backend.account.grantees if manager == "CUSTOMER" else []
    wanted = given.get("GranteePrincipal")
    return {
        "Grants": [
            {
                "KeyId": arn,
                "GrantId": f"grant-{number}",
                "GranteePrincipal": grantee,
                "Operations": sorted(OPERATIONS),
            }
            for number, grantee in enumerate(grantees)
            if not wanted or grantee == wanted
        ],
        "Truncated": False,
    }
