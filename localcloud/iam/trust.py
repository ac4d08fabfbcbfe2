"""Whether a role lets a service of AWS assume it, by its trust policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localcloud.iam import patterns
from localcloud.iam.conditions import conditions, texts
from localcloud.iam.context import Context, UntoldError

ASSUME = "sts:AssumeRole"


def trusts(document: str, service: str, keys: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the policy, as JSON, lets ``service`` (such as fis.amazonaws.com) assume the role.

    ``keys`` are the condition keys of its call, in lower case. One that cannot be read, and a
    condition that cannot be told, refuse.
    """
    try:
        given = json.loads(document)["Statement"]
        statements = given if isinstance(given, list) else [given]
        context = Context(ASSUME, "*", keys)
        effects = {
            one["Effect"] for one in statements if _names(one, service) and _holds(one, context)
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UntoldError):
        return False
    return effects == {"Allow"}


def _names(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement["Principal"]
    named = texts(principal.get("Service", [])) if principal != "*" else (service,)
    actions = texts(statement["Action"])
    return service in named and any(patterns.like_action(each, ASSUME) for each in actions)


def _holds(statement: Mapping[str, Any], context: Context) -> bool:
    every = conditions(statement.get("Condition", {}), "2012-10-17")
    return all(each.holds(context) for each in every)
