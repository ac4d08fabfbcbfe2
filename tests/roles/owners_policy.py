"""docs/aws-policy.json, which an administrator gives to the owner of a cloudtop."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from localcloud.iam import patterns
from tests.roles.plays import ROOT

POLICY = ROOT / "docs/aws-policy.json"
# Nobody needs a permission for it (API reference of STS)
FREE = {"sts:GetCallerIdentity"}


def allowed() -> Iterator[str]:
    for statement in json.loads(POLICY.read_text())["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        yield from [actions] if isinstance(actions, str) else actions


def lacking(calls: Iterable[str]) -> set[str]:
    """The calls that the policy does not allow."""
    every = list(allowed())
    return {
        call
        for call in set(calls) - FREE
        if not any(patterns.like_action(one, call) for one in every)
    }
