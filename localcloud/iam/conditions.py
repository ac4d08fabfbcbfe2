"""The Condition of a statement (IAM User Guide, "IAM JSON policy elements: Condition operators").

Anything unknown raises UntoldError, and the statement then decides for refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.iam import patterns
from localcloud.iam.context import MULTIVALUED, Context, UntoldError

ALL, ANY, IF_EXISTS = "ForAllValues:", "ForAnyValue:", "IfExists"
Compare = Callable[[patterns.Parts, str], bool]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UntoldError(f"'{text}' is no number") from error


def _numbers(compare: Callable[[float, float], bool]) -> Compare:
    return lambda wanted, value: compare(_number(value), _number(patterns.plain(wanted)))


def _same(wanted: patterns.Parts, value: str) -> bool:
    return patterns.plain(wanted) == value


def _same_ignoring_case(wanted: patterns.Parts, value: str) -> bool:
    return patterns.plain(wanted).lower() == value.lower()


OPERATORS: Mapping[str, Compare] = {
    "StringEquals": _same,
    "StringEqualsIgnoreCase": _same_ignoring_case,
    "StringLike": patterns.like,
    "ArnEquals": patterns.like_arn,
    "ArnLike": patterns.like_arn,
    "Bool": _same_ignoring_case,
    "NumericEquals": _numbers(lambda value, wanted: value == wanted),
    "NumericLessThan": _numbers(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _numbers(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _numbers(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _numbers(lambda value, wanted: value >= wanted),
}
NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


@dataclass(frozen=True)
class Condition:
    """One operator on one key. Negated, it asks that the value is none of the wanted."""

    operator: str
    key: str
    wanted: tuple[str, ...]
    version: str

    def holds(self, context: Context) -> bool:
        """Raises UntoldError."""
        name = self.operator
        if name == "Null":
            return self._null(context.values(self.key))
        quantifier = next((each for each in (ALL, ANY) if name.startswith(each)), "")
        name = name.removeprefix(quantifier)
        if_exists = name.endswith(IF_EXISTS)
        name = name.removesuffix(IF_EXISTS)
        negated = name in NEGATIONS
        compare = OPERATORS.get(NEGATIONS.get(name, name))
        if compare is None:
            raise UntoldError(f"the condition operator {self.operator} is unknown here")
        values = context.values(self.key)
        if not values:
            return self._missing(quantifier, if_exists, negated)
        if self.key.lower() in MULTIVALUED and not quantifier:
            raise UntoldError(f"{self.key} has several values, and {self.operator} takes one")
        filled = [patterns.parts(each, self.version, context) for each in self.wanted]
        if negated and None in filled:
            raise UntoldError(f"a variable of {self.operator} has no value")
        wanted = [each for each in filled if each is not None]
        one_of = [any(compare(each, value) for each in wanted) for value in values]
        every = all if quantifier == ALL or not quantifier else any
        return every(each is not negated for each in one_of)

    def _missing(self, quantifier: str, if_exists: bool, negated: bool) -> bool:
        if if_exists or quantifier == ALL:
            return True
        return negated and quantifier != ANY

    def _null(self, values: Sequence[str] | None) -> bool:
        return any((each.lower() == "true") == (not values) for each in self.wanted)


def conditions(block: Mapping[str, Mapping[str, Any]], version: str) -> tuple[Condition, ...]:
    """A Condition: all of its tests have to hold."""
    return tuple(
        Condition(operator, key, texts(wanted), version)
        for operator, keys in block.items()
        for key, wanted in keys.items()
    )


def texts(given: Any) -> tuple[str, ...]:
    """A policy's value or list of values, as IAM reads them."""
    some = given if isinstance(given, list) else [given]
    return tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in some)
