"""Policies of an identity, asked whether they permit a call.

IAM User Guide, "Policy evaluation logic": a Deny that applies refuses, whatever else there is;
otherwise an Allow that applies permits; otherwise it is refused.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from localcloud.iam import patterns
from localcloud.iam.conditions import Condition, conditions, texts
from localcloud.iam.context import Context, UntoldError

log = logging.getLogger("localcloud.iam")

OLD = "2008-10-17"


class Decision(Enum):
    ALLOWED = "allowed"
    NOT_ALLOWED = "implicitDeny"
    DENIED = "explicitDeny"


@dataclass(frozen=True)
class Statement:
    """``actions`` and ``resources`` are those it is about, or with ``not_`` all but those."""

    denies: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    conditions: tuple[Condition, ...]
    version: str
    sid: str

    def applies(self, context: Context) -> bool:
        """Whether the statement applies. In doubt it refuses the call, and the log says why."""
        named = any(patterns.like_action(each, context.action) for each in self.actions)
        if named is self.not_actions:
            return False
        try:
            return self._about(context) and all(each.holds(context) for each in self.conditions)
        except UntoldError as untold:
            log.warning(
                "%s on %s: the statement %s %s, because %s",
                context.action, context.resource, self.sid or "without a Sid",
                "denies" if self.denies else "allows nothing", untold,
            )  # fmt: skip
            return self.denies

    def _about(self, context: Context) -> bool:
        if not context.resource:
            # A statement about everything applies to whatever the call touches
            everything = "*" in self.resources and not self.not_resources
            return self.denies or everything
        filled = (patterns.parts(each, self.version, context) for each in self.resources)
        named = any(
            each is not None and patterns.like_arn(each, context.resource) for each in filled
        )
        return named is not self.not_resources


def decide(documents: Iterable[str], context: Context) -> Decision:
    """The decision of the policies, given as their JSON, together."""
    decision = Decision.NOT_ALLOWED
    for document in documents:
        for statement in statements(document):
            if (statement.denies or decision is Decision.NOT_ALLOWED) and statement.applies(
                context
            ):
                if statement.denies:
                    return Decision.DENIED
                decision = Decision.ALLOWED
    return decision


@lru_cache(maxsize=256)
def statements(document: str) -> tuple[Statement, ...]:
    """The statements of a policy. One that cannot be read refuses all, and the log says so."""
    try:
        policy = json.loads(document)
        version = policy.get("Version", OLD)
        given = policy["Statement"]
        return tuple(_statement(each, version) for each in _listed(given))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as broken:
        log.warning("a policy that cannot be read refuses everything: %r in %s", broken, document)
        return (_statement({"Effect": "Deny", "Action": "*", "Resource": "*"}, OLD),)


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _statement(given: Mapping[str, Any], version: str) -> Statement:
    effect = given["Effect"]
    if effect not in ("Allow", "Deny"):
        raise ValueError(f"Effect '{effect}'")
    not_actions, not_resources = "NotAction" in given, "NotResource" in given
    return Statement(
        denies=effect == "Deny",
        actions=texts(given["NotAction" if not_actions else "Action"]),
        not_actions=not_actions,
        resources=texts(given["NotResource" if not_resources else "Resource"]),
        not_resources=not_resources,
        conditions=conditions(given.get("Condition", {}), version),
        version=version,
        sid=given.get("Sid", ""),
    )
