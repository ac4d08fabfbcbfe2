"""The policies of a role as they are now, and whether they permit an action."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.iam.models import iam_backends

from localcloud.iam.context import Context
from localcloud.iam.policy import Decision, decide


def documents(role: Any) -> Iterator[str]:
    """Their JSON: the role's own and those that are attached to it."""
    yield from role.policies.values()
    yield from map(_document, role.managed_policies.values())


def boundary(role: Any, account: str, partition: str) -> str | None:
    """The JSON of the policy that bounds what the others permit, or None."""
    arn = role.permissions_boundary_arn
    if not arn:
        return None
    iam = iam_backends[account][partition]
    return _document(iam.managed_policies[arn]) if arn in iam.managed_policies else "{}"


def permits(role: Any, account: str, partition: str, context: Context) -> bool:
    """Whether the role may do it."""
    bound = boundary(role, account, partition)
    every = [[*documents(role)], *([[bound]] if bound is not None else [])]
    return all(decide(some, context) is Decision.ALLOWED for some in every)


def _document(policy: Any) -> str:
    return str(next(each.document for each in policy.versions if each.is_default))
