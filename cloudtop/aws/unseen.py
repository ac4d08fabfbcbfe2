"""Kinds of things that a cloudtop may have, and that these credentials may not look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from cloudtop.aws import client as aws
from cloudtop.aws import find as ec2
from cloudtop.aws.client import DENIED, plain_errors
from cloudtop.foreign import plain


def unseen(name: str, owner: str) -> list[str]:
    """A sentence for each kind that costs money and may not be looked at."""
    return list(_unseen(name, owner))


def _unseen(name: str, owner: str) -> Iterator[str]:
    filters = ec2.tag_filters(name, owner)
    looks: tuple[tuple[str, str, Callable[[], object]], ...] = (
        (
            "an Elastic IP",
            "ec2:DescribeAddresses",
            lambda: aws.client().describe_addresses(Filters=filters),
        ),
        (
            "a schedule that takes snapshots",
            "dlm:GetLifecyclePolicies",
            lambda: aws.client("dlm").get_lifecycle_policies(),
        ),
    )
    for thing, action, look in looks:
        if reason := _denied(look):
            yield (
                f"It may have {thing}, which costs money: these credentials may not look"
                f" ({action}: {reason})."
            )


def _denied(look: Callable[[], object]) -> str:
    """AWS's code if it refuses the look, or empty."""
    with plain_errors():
        try:
            look()
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code not in DENIED:
                raise
            return plain(code)
    return ""
