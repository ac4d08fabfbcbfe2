"""The Condition of a statement: cases of the IAM User Guide, and unknown operators."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.localcloud.iam.verdicts import ALLOWED, DENIED, NOT_ALLOWED, statement, verdict

TYPE = {"ec2__VolumeType": "gp3", "ec2__VolumeSize": "50", "ec2__Encrypted": "true"}
# Operator, key, what the policy wants, whether that holds for the above
CASES: list[tuple[str, str, Any, bool]] = [
    ("StringEquals", "ec2:VolumeType", "gp3", True),
    ("StringEquals", "EC2:volumetype", ["gp2", "gp3"], True),
    ("StringEquals", "ec2:VolumeType", "GP3", False),
    ("StringEquals", "ec2:VolumeType", "gp*", False),
    ("StringEqualsIgnoreCase", "ec2:VolumeType", "GP3", True),
    ("StringNotEqualsIgnoreCase", "ec2:VolumeType", "GP3", False),
    ("StringNotEquals", "ec2:VolumeType", ["gp2", "io1"], True),
    ("StringNotEquals", "ec2:VolumeType", ["gp2", "gp3"], False),
    ("StringLike", "ec2:VolumeType", "g?3", True),
    ("StringLike", "ec2:VolumeType", "io*", False),
    ("StringNotLike", "ec2:VolumeType", "io*", True),
    ("StringNotLike", "ec2:VolumeType", "*3", False),
    ("NumericEquals", "ec2:VolumeSize", "50", True),
    ("NumericLessThanEquals", "ec2:VolumeSize", 50, True),
    ("NumericLessThan", "ec2:VolumeSize", 50, False),
    ("NumericGreaterThan", "ec2:VolumeSize", "9", True),
    ("NumericGreaterThanEquals", "ec2:VolumeSize", "51", False),
    ("NumericNotEquals", "ec2:VolumeSize", "51", True),
    ("Bool", "ec2:Encrypted", True, True),
    ("Bool", "ec2:Encrypted", "false", False),
    ("Null", "ec2:VolumeType", "false", True),
    ("Null", "ec2:VolumeType", "true", False),
    ("Null", "ec2:ParentSnapshot", True, True),
    # "If the key is not present, the condition is false", but for a negated one
    ("StringEquals", "ec2:InstanceType", "m5.large", False),
    ("ArnEquals", "ec2:InstanceProfile", "*", False),
    ("Bool", "ec2:EbsOptimized", "false", False),
    ("StringNotEquals", "ec2:InstanceType", "m5.large", True),
    ("ArnNotLike", "ec2:InstanceProfile", "*", True),
    ("StringEqualsIfExists", "ec2:InstanceType", "m5.large", True),
    ("StringEqualsIfExists", "ec2:VolumeType", "gp2", False),
    ("StringNotEqualsIfExists", "ec2:VolumeType", "gp2", True),
    # Sets, of a key that is not there
    ("ForAllValues:StringEquals", "aws:TagKeys", "Name", True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", "Name", False),
    ("ForAnyValue:StringNotEquals", "aws:TagKeys", "Name", False),
]


@pytest.mark.parametrize(("operator", "key", "wanted", "holds"), CASES)
def test_conditions(operator: str, key: str, wanted: Any, holds: bool) -> None:
    if_so = {"Condition": {operator: {key: wanted}}}
    assert (verdict(statement(**if_so), **TYPE) is ALLOWED) is holds
    assert (verdict(statement(), statement("Deny", **if_so), **TYPE) is DENIED) is holds


# Operator, tag keys of the call, what the policy wants, whether it holds
SETS: list[tuple[str, tuple[str, ...], Any, bool]] = [
    ("ForAllValues:StringEquals", ("a", "b"), ["a", "b", "c"], True),
    ("ForAllValues:StringEquals", ("a", "d"), ["a", "b", "c"], False),
    ("ForAnyValue:StringEquals", ("a", "d"), ["a", "b", "c"], True),
    ("ForAnyValue:StringEquals", ("d", "e"), ["a", "b", "c"], False),
    ("ForAllValues:StringLike", ("CreatedBy", "CreatedAt"), "Created*", True),
    ("ForAllValues:StringLike", ("CreatedBy", "By"), "Created*", False),
    ("ForAllValues:StringNotEquals", ("a", "b"), ["c"], True),
    ("ForAllValues:StringNotEquals", ("a", "c"), ["c"], False),
    ("ForAnyValue:StringNotEquals", ("a", "c"), ["c"], True),
]


@pytest.mark.parametrize(("operator", "keys", "wanted", "holds"), SETS)
def test_conditions_on_sets(operator: str, keys: tuple[str, ...], wanted: Any, holds: bool) -> None:
    tagged = statement(Condition={operator: {"aws:TagKeys": wanted}})
    assert (verdict(tagged, aws__TagKeys=keys) is ALLOWED) is holds


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ("arn:aws:iam::123456789012:instance-profile/box", True),
        ("arn:aws:iam::*:instance-profile/b?x", True),
        ("arn:aws:iam::123456789012:instance-profile/other", False),
        ("arn:aws:iam:*:instance-profile/box", False),
    ],
)
@pytest.mark.parametrize("operator", ["ArnEquals", "ArnLike"])
def test_an_arn_is_compared_part_by_part(operator: str, wanted: str, holds: bool) -> None:
    if_so = {"Condition": {operator: {"ec2:InstanceProfile": wanted}}}
    profile = "arn:aws:iam::123456789012:instance-profile/box"
    assert (verdict(statement(**if_so), ec2__InstanceProfile=profile) is ALLOWED) is holds


def test_all_conditions_have_to_hold() -> None:
    both = {"StringEquals": {"ec2:VolumeType": "gp3", "ec2:VolumeSize": "50"}}
    assert verdict(statement(Condition=both), **TYPE) is ALLOWED
    assert verdict(statement(Condition=both | {"Bool": {"ec2:Encrypted": "false"}}), **TYPE) is (
        NOT_ALLOWED
    )


def test_tags_are_keys_of_their_own() -> None:
    mine = {"Condition": {"StringEquals": {"aws:ResourceTag/Owner": "alice"}}}
    assert verdict(statement(**mine), aws__ResourceTag_Owner="alice") is ALLOWED
    assert verdict(statement(**mine), aws__ResourceTag_Owner="Alice") is NOT_ALLOWED
    assert verdict(statement(**mine), ec2__ResourceTag_Owner="alice") is NOT_ALLOWED


@pytest.mark.parametrize(
    ("user", "wanted", "holds"),
    [
        ("AROA:i-1", "*:${ec2:InstanceID}", True),
        ("AROA:i-2", "*:${ec2:InstanceID}", False),
        ("AROA:i-2", "*:${ec2:VolumeID}", False),
        ("AROA:i-2", "*:${ec2:VolumeID, 'i-2'}", True),
        ("AROA:*", "AROA:${*}", True),
        ("AROA:x", "AROA:${*}", False),
    ],
)
def test_variables(user: str, wanted: str, holds: bool) -> None:
    own = {"Condition": {"StringLike": {"aws:userid": wanted}}}
    asked = {"aws__userid": user, "ec2__InstanceID": "i-1"}
    assert (verdict(statement(**own), **asked) is ALLOWED) is holds
    # The older language has none
    assert verdict(statement(**own), version="2008-10-17", **asked) is NOT_ALLOWED


def test_a_wildcard_that_a_variable_brings_is_none() -> None:
    own = {"Condition": {"StringLike": {"aws:userid": "*:${ec2:InstanceID}"}}}
    assert verdict(statement(**own), aws__userid="AROA:i-1", ec2__InstanceID="*") is NOT_ALLOWED


@pytest.mark.parametrize(
    "condition",
    [
        {"StringResembles": {"ec2:VolumeType": "gp3"}},
        {"IpAddress": {"ec2:VolumeType": "10.0.0.0/8"}},
        {"StringNotEquals": {"aws:SourceIp": "10.0.0.1"}},
        {"Null": {"ec2:Nonsense": "true"}},
        {"NumericLessThan": {"ec2:VolumeType": "5"}},
        {"StringLike": {"aws:userid": "${aws:SourceVpc}"}},
        {"StringNotLike": {"aws:userid": "${ec2:InstanceID}"}},
        {"StringEquals": {"aws:TagKeys": "Name"}},
    ],
)
def test_what_is_not_known_refuses_and_is_logged(
    condition: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    keys: dict[str, Any] = {**TYPE, "aws__userid": "AROA:i-1", "aws__TagKeys": ("Name",)}
    asked = statement(Sid="Odd", Condition=condition)
    with caplog.at_level(logging.WARNING, "localcloud.iam"):
        assert verdict(asked, **keys) is NOT_ALLOWED
        assert verdict(statement(), {**asked, "Effect": "Deny"}, **keys) is DENIED
    assert "the statement Odd allows nothing, because" in caplog.text
    assert "the statement Odd denies, because" in caplog.text
