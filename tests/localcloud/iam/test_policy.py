"""Policies: cases of the IAM User Guide, and laws that hold for all policies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from localcloud.iam.context import Context
from localcloud.iam.policy import decide
from tests.localcloud.iam.verdicts import (
    ALLOWED,
    DENIED,
    HERE,
    NOT_ALLOWED,
    VOLUME,
    document,
    statement,
    verdict,
)  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "permitted"),
    [
        ("ec2:AttachVolume", True),
        ("EC2:attachvolume", True),
        ("ec2:*", True),
        ("ec2:A*Volume", True),
        ("ec2:?ttachVolume", True),
        ("*", True),
        (["ec2:StopInstances", "ec2:AttachVolume"], True),
        ("ec2:Attach", False),
        ("ec2:Describe*", False),
        ("iam:*", False),
    ],
)
def test_an_action_is_named_with_wildcards_and_in_any_case(asked: Any, permitted: bool) -> None:
    assert (verdict(statement(Action=asked)) is ALLOWED) is permitted


@pytest.mark.parametrize(
    ("resource", "permitted"),
    [
        ("*", True),
        (VOLUME, True),
        (f"{HERE}volume/*", True),
        (f"{HERE}volume/vol-?", True),
        ("arn:aws:ec2:*:*:volume/*", True),
        ("arn:aws:ec2:*", True),
        ([f"{HERE}instance/*", VOLUME], True),
        (f"{HERE}instance/*", False),
        (f"{HERE}volume/vol-10", False),
        (f"{HERE}volume/VOL-1", False),
        ("arn:aws:ec2:us-west-2:123456789012:volume/*", False),
        # A wildcard stays within its part of the ARN, but for the last
        ("arn:aws:ec2:us*:volume/*", False),
        ("arn:*:vol-1", False),
    ],
)
def test_a_resource_is_an_arn_with_wildcards(resource: Any, permitted: bool) -> None:
    assert (verdict(statement(Resource=resource)) is ALLOWED) is permitted


def test_nothing_is_permitted_that_no_statement_allows() -> None:
    assert verdict() is NOT_ALLOWED
    assert decide([], Context("ec2:AttachVolume", VOLUME)) is NOT_ALLOWED


def test_a_deny_wins_wherever_it_stands() -> None:
    deny = statement("Deny", Resource=VOLUME)
    assert verdict(statement(), deny) is DENIED
    assert verdict(deny, statement()) is DENIED
    both = [document(statement()), document(deny)]
    assert decide(both, Context("ec2:AttachVolume", VOLUME)) is DENIED
    assert verdict(statement(), deny, resource=f"{HERE}volume/vol-2") is ALLOWED


def test_all_but_the_named() -> None:
    but = {"Effect": "Allow", "NotAction": ["iam:*", "ec2:Stop*"], "Resource": "*"}
    assert verdict(but) is ALLOWED
    assert verdict(but, action="ec2:StopInstances") is NOT_ALLOWED
    rest = {"Effect": "Deny", "Action": "*", "NotResource": f"{HERE}volume/vol-1"}
    assert verdict(statement(), rest) is ALLOWED
    assert verdict(statement(), rest, resource=f"{HERE}volume/vol-2") is DENIED


def test_an_action_without_resources_needs_all_of_them() -> None:
    see = {"action": "ec2:DescribeVolumes", "resource": "*"}
    assert verdict(statement(Action="ec2:DescribeVolumes"), **see) is ALLOWED
    narrow = statement(Action="ec2:DescribeVolumes", Resource=f"{HERE}volume/*")
    assert verdict(narrow, **see) is NOT_ALLOWED


def test_where_the_resources_are_not_known_everything_has_to_be_allowed() -> None:
    assert verdict(statement(), resource="") is ALLOWED
    assert verdict(statement(Resource="arn:aws:ec2:*"), resource="") is NOT_ALLOWED
    assert verdict(statement(NotResource="x", Resource=[]), resource="") is NOT_ALLOWED
    assert verdict(statement(), statement("Deny", Resource=VOLUME), resource="") is DENIED


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}']
)
def test_a_policy_that_cannot_be_read_refuses_all(text: str) -> None:
    assert decide([document(statement()), text], Context("ec2:AttachVolume", VOLUME)) is DENIED


WORDS = some.sampled_from(["a", "b", "c", "a*", "?", "*"])
STATEMENTS = some.builds(
    statement,
    some.sampled_from(["Allow", "Deny"]),
    Action=some.sampled_from(["ec2:AttachVolume", "ec2:*", "ec2:StopInstances"]),
    Resource=some.sampled_from(["*", VOLUME, f"{HERE}instance/*"]),
    Condition=some.dictionaries(
        some.sampled_from(["StringLike", "StringNotLike", "ForAllValues:StringEquals", "Odd"]),
        some.dictionaries(some.sampled_from(["ec2:VolumeType", "aws:SourceIp"]), WORDS, min_size=1),
    ),
)


@given(some.lists(STATEMENTS), some.lists(STATEMENTS), WORDS)
def test_more_statements_never_undo_a_deny(
    fewer: list[dict[str, Any]], more: list[dict[str, Any]], kind: str
) -> None:
    before = verdict(*fewer, ec2__VolumeType=kind)
    after = verdict(*fewer, *more, ec2__VolumeType=kind)
    assert verdict(*more, *fewer, ec2__VolumeType=kind) is after
    if before is DENIED:
        assert after is DENIED
    if not any(each["Effect"] == "Allow" for each in fewer + more):
        assert after is not ALLOWED
    if not any(each["Effect"] == "Deny" for each in fewer + more):
        assert after is not DENIED


@given(some.text(alphabet="ab:*?/", max_size=12))
def test_a_text_without_wildcards_is_like_itself_alone(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    decision = verdict(statement(Resource=plain), resource=text or "x")
    assert (decision is ALLOWED) is (plain == (text or "x"))
