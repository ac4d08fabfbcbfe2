"""The details of a refusal, encoded: STS decodes them (DecodeAuthorizationMessage)."""

from __future__ import annotations

import base64
import binascii
import json
import zlib

from localcloud.iam.context import Context

BEFORE = "Encoded authorization failure message: "


def encoded(context: Context, *, principal: str, user_id: str, explicit: bool) -> str:
    """The details of a refusal, which are not for the one who was refused."""
    conditions = [
        {"key": key, "values": {"items": [{"value": value} for value in values]}}
        for key, values in sorted(context.keys.items())
    ]
    details = {
        "allowed": False,
        "explicitDeny": explicit,
        "matchedStatements": {"items": []},
        "failures": {"items": []},
        "context": {
            "principal": {"id": user_id, "arn": principal},
            "action": context.action,
            "resource": context.resource,
            "conditions": {"items": conditions},
        },
    }
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(details).encode())).decode()


def decoded(message: str) -> str | None:
    """The JSON that ``encoded`` got, or None for any other text."""
    try:
        text = zlib.decompress(base64.b64decode(message.encode(), altchars=b"-_", validate=True))
        return json.dumps(json.loads(text))
    except (ValueError, binascii.Error, zlib.error):
        return None
