"""Filters and pages of the Describe calls, one implementation for all of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from moto.core.utils import get_service_model

from localcloud.ec2.errors import invalid, invalid_value, missing, not_rehearsed, refusal

Item = TypeVar("Item")
# A filter looks at a value, or at several, one of which has to match
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
    tags: dict[str, str] = item.ec2_backend.tags.get(item.id, {})
    return tags


def _seen(item: Any, name: str, getters: Getters) -> list[str]:
    if name.startswith("tag:"):
        return _texts(tags_of(item).get(name[4:]))
    if name == "tag-key":
        return list(tags_of(item))
    if name == "tag-value":
        # EC2 documents it no more and has it all the same
        return list(tags_of(item).values())
    return _texts(getters[name](item))


def matcher(
    filters: Sequence[Mapping[str, Any]], getters: Getters, *, tagged: bool = True
) -> Callable[[Any], bool]:
    """Whether an item, which may have tags or not, passes all filters.

    Raises EC2's error for a filter it does not have.
    """
    wanted = []
    for given in filters:
        name = given.get("Name", "null")
        of_tags = tagged and (name in ("tag-key", "tag-value") or name.startswith("tag:"))
        if name not in getters and not of_tags:
            raise _no_filter(name)
        wanted.append((name, [_pattern(str(value)) for value in given.get("Values", [])]))
    return lambda item: all(
        any(pattern.fullmatch(text) for text in _seen(item, name, getters) for pattern in some)
        for name, some in wanted
    )


@lru_cache
def _documented() -> frozenset[str]:
    """Names of filters that EC2's service model tells of, for any call."""
    model = get_service_model("ec2")
    names: set[str] = set()
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        filters = shape.members.get("Filters") if shape else None
        text = filters.documentation if filters else ""
        names |= set(re.findall(r"<code>([a-z0-9.\-]+)</code>", text))
    return frozenset(names)


def _no_filter(name: str) -> Exception:
    """EC2's error, or that EC2 has such a filter and the rehearsal cloud has not."""
    # Those by tags are there for all that has tags
    if name in _documented() and not name.startswith("tag-"):
        return not_rehearsed(f"the filter '{name}' in this call")
    return invalid(f"The filter '{name}' is invalid")


def select(
    items: Iterable[Item],
    filters: Sequence[Mapping[str, Any]],
    getters: Getters,
    *,
    tagged: bool = True,
) -> list[Item]:
    """The items that pass all filters. Raises EC2's error for a filter it does not have."""
    return list(filter(matcher(filters, getters, tagged=tagged), items))


def page_size(params: Mapping[str, Any], *, low: int, high: int) -> int:
    size = params.get("MaxResults")
    if size is not None and not low <= size <= high:
        raise invalid_value("maxResults", size, f"Expecting a value from {low} to {high}.")
    return size or high


def as_token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def of_token(token: str) -> str:
    """The text that ``as_token`` got; nothing else is a token."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise bad_token(token) from error


def bad_token(token: str) -> Exception:
    return refusal("InvalidNextToken", f"The token '{token}' is invalid")


def require_one_of(params: Mapping[str, Any], ids: str) -> None:
    """Raise EC2's error, which it has before any about the ids, if there are both."""
    if params.get("MaxResults") is not None and ids and params.get(ids):
        name = "instancesSet" if ids == "InstanceIds" else ids
        raise refusal(
            "InvalidParameterCombination",
            f"The parameter {name} cannot be used with the parameter maxResults",
        )


def page(
    items: Sequence[Item], params: Mapping[str, Any], *, low: int = 5, high: int = 1000,
    ids: str = "",
) -> tuple[Sequence[Item], str | None]:  # fmt: skip
    """One page by MaxResults and NextToken, and the token of the next or None.

    ``ids`` names the parameter of ids that excludes MaxResults; without MaxResults all
    is one page, as EC2 has it, up to ``high``.
    """
    require_one_of(params, ids)
    size, token = page_size(params, low=low, high=high), params.get("NextToken")
    start = of_token(token) if token else "0"
    if not (start.isascii() and start.isdigit()):
        raise bad_token(str(token))
    end = int(start) + size
    return items[int(start) : end], as_token(str(end)) if end < len(items) else None


def by_ids(known: Mapping[str, Item], wanted: Sequence[str], code: str, noun: str) -> list[Item]:
    """The items with these ids, or all; raises ``code`` naming those that do not exist."""
    if not wanted:
        return list(known.values())
    if absent := [one for one in wanted if one not in known]:
        raise unknown_ids(absent, code, noun)
    return [known[one] for one in dict.fromkeys(wanted)]


@dataclass(frozen=True)
class Form:
    """The form of a kind's ids: their prefix, their parameter, the error code for all others."""

    prefix: str
    parameter: str
    code: str
    letters: str = "[0-9a-f]"

    def fits(self, ident: str) -> bool:
        return bool(re.fullmatch(rf"{self.prefix}-({self.letters}{{8}}|[0-9a-f]{{17}})", ident))

    def refusal(self, ident: str) -> Exception:
        if not ident:
            return missing(self.parameter)
        expected = f'Invalid id: "{ident}" (expecting "{self.prefix}-...")'
        if self.code == "InvalidParameterValue":
            name = self.parameter[0].lower() + self.parameter[1:]
            expected = f"Value ({ident}) for parameter {name} is invalid. {expected}"
        return refusal(self.code, expected)


# By the code for an id that nothing has (API Reference, "Error codes", which has none for a
# malformed id of a volume)
FORMS = {
    "InvalidInstanceID.NotFound": Form("i", "InstanceId", "InvalidInstanceID.Malformed"),
    "InvalidSnapshot.NotFound": Form("snap", "SnapshotId", "InvalidSnapshotID.Malformed"),
    "InvalidSpotInstanceRequestID.NotFound": Form(
        "sir", "SpotInstanceRequestId", "InvalidSpotInstanceRequestID.Malformed", "[0-9a-z]"
    ),
    "InvalidVolume.NotFound": Form("vol", "VolumeId", "InvalidParameterValue"),
}


def unknown_ids(absent: Sequence[str], code: str, noun: str) -> Exception:
    """EC2's error: the first that is no id at all, or all that nothing has."""
    form = FORMS.get(code)
    for ident in absent:
        if form and not form.fits(ident):
            return form.refusal(ident)
    plural, verb = ("s", "do") if len(absent) > 1 else ("", "does")
    return refusal(code, f"The {noun}{plural} '{', '.join(absent)}' {verb} not exist")
