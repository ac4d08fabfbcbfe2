"""Filters and pages of the Describe calls, one implementation for all of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from localcloud.ec2.errors import invalid, invalid_value, refusal

Item = TypeVar("Item")
# What a filter looks at: a value, or several of which one has to match
Getters = Mapping[str, Callable[[Any], object]]


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """``*`` and ``?`` are wildcards, a backslash takes that away (EC2 User Guide, Filtering)."""
    parts = re.findall(r"\\.|.", text, flags=re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(p) or re.escape(p.removeprefix("\\")) for p in parts), re.S)


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, datetime):
        return [value.strftime("%Y-%m-%dT%H:%M:%S.000Z")]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [text for one in value for text in _texts(one)]
    return [str(value)]


def tags_of(item: Any) -> dict[str, str]:
    found: dict[str, str] = item.ec2_backend.tags.get(item.id, {})
    return found


def _seen(item: Any, name: str, getters: Getters) -> list[str]:
    if name.startswith("tag:"):
        return _texts(tags_of(item).get(name[4:]))
    if name == "tag-key":
        return list(tags_of(item))
    return _texts(getters[name](item))


def select(
    items: Iterable[Item], filters: Sequence[Mapping[str, Any]], getters: Getters
) -> list[Item]:
    """The items that pass all filters. Raises EC2's error for a filter it does not have."""
    wanted = []
    for given in filters:
        name = given.get("Name", "null")
        if name not in getters and name != "tag-key" and not name.startswith("tag:"):
            raise invalid(f"The filter '{name}' is invalid")
        wanted.append((name, [_pattern(str(value)) for value in given.get("Values", [])]))
    return [
        item
        for item in items
        if all(
            any(pattern.fullmatch(text) for text in _seen(item, name, getters) for pattern in some)
            for name, some in wanted
        )
    ]


def page(
    items: Sequence[Item], params: Mapping[str, Any], *, low: int = 5, high: int = 1000,
    ids: str = "",
) -> tuple[Sequence[Item], str | None]:  # fmt: skip
    """One page by MaxResults and NextToken, and the token of the next or None.

    ``ids`` names the parameter of ids that excludes MaxResults; without MaxResults all
    is one page, as EC2 has it, up to ``high``.
    """
    size, token = params.get("MaxResults"), params.get("NextToken")
    if size is not None and ids and params.get(ids):
        raise refusal(
            "InvalidParameterCombination",
            f"The parameter {ids} cannot be used with the parameter maxResults",
        )
    if size is not None and not low <= size <= high:
        raise invalid_value("maxResults", size, f"Expecting a value from {low} to {high}.")
    start = 0
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode())
        except (ValueError, binascii.Error) as error:
            raise refusal("InvalidNextToken", f"The token '{token}' is invalid") from error
    end = start + (size or high)
    more = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(items) else None
    return items[start:end], more


def by_ids(known: Mapping[str, Item], wanted: Sequence[str], code: str, noun: str) -> list[Item]:
    """The items with these ids, or all; raises ``code`` naming those that do not exist."""
    if not wanted:
        return list(known.values())
    absent = [one for one in wanted if one not in known]
    if absent:
        plural, verb = ("s", "do") if len(absent) > 1 else ("", "does")
        raise refusal(code, f"The {noun}{plural} '{', '.join(absent)}' {verb} not exist")
    return [known[one] for one in dict.fromkeys(wanted)]
