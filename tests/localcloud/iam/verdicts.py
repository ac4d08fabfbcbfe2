"""Policies in a few words, and their verdict on a call."""

from __future__ import annotations

import json
from typing import Any

from localcloud.iam.context import Context
from localcloud.iam.policy import Decision, decide

HERE = "arn:aws:ec2:us-east-1:123456789012:"
VOLUME = f"{HERE}volume/vol-1"
ALLOWED, NOT_ALLOWED, DENIED = Decision.ALLOWED, Decision.NOT_ALLOWED, Decision.DENIED


def statement(effect: str = "Allow", /, **parts: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "ec2:AttachVolume", "Resource": "*", **parts}


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def verdict(
    *statements: dict[str, Any],
    action: str = "ec2:AttachVolume",
    resource: str = VOLUME,
    version: str = "2012-10-17",
    **keys: Any,
) -> Decision:
    """``keys`` by names with __ for a colon and _ for a slash."""
    context_keys = {
        name.replace("__", ":").replace("_", "/").lower(): (
            (value,) if isinstance(value, str) else value
        )
        for name, value in keys.items()
    }
    return decide([document(*statements, version=version)], Context(action, resource, context_keys))
