"""A call's parameters against its service's model: what is missing, too much or of another form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.utils import get_service_model

KINDS: dict[str, type] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "list": list,
    "structure": dict,
}


def problems(service: str, action: str, given: dict[str, Any]) -> str:
    """All that is wrong with the parameters of a call, in one sentence; empty if nothing is."""
    shape = get_service_model(service).operation_model(action).input_shape
    every = list(complaints(shape, given, "")) if shape else []
    if not every:
        return ""
    errors = f"{len(every)} validation error{'s' if len(every) > 1 else ''} detected"
    return f"{errors}: {'; '.join(every)}"


def strangers(service: str, action: str, body: str | bytes) -> list[str]:
    """The parameters of a JSON body that the model lacks, which moto's parser drops."""
    shape = get_service_model(service).operation_model(action).input_shape
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return []
    return sorted(_strangers(shape, given, "")) if shape else []


def _strangers(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        known = {one.serialization.get("name", name): one for name, one in shape.members.items()}
        for name, each in value.items():
            inner = f"{path}.{name}" if path else name
            if name in known:
                yield from _strangers(known[name], each, inner)
            else:
                yield inner
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, each in value.items():
            yield from _strangers(shape.value, each, f"{path}.{key}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for index, each in enumerate(value, 1):
            yield from _strangers(shape.member, each, f"{path}.{index}.member")


def complaints(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if not _is_a(value, dict if isinstance(shape, MapShape) else KINDS[shape.type_name]):
        yield f"'{value}' at '{path}' has to be of the type {shape.type_name}"
    elif isinstance(shape, StructureShape):
        yield from _members(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _range(shape, len(value), path)
        for index, each in enumerate(value, 1):
            yield from complaints(shape.member, each, f"{path}.{index}.member")
    elif isinstance(shape, MapShape):
        yield from _range(shape, len(value), path)
        for key, each in value.items():
            yield from complaints(shape.key, key, f"{path}.key")
            yield from complaints(shape.value, each, f"{path}.{key}")
    elif isinstance(value, str):
        yield from _text(shape, value, path)
    elif not isinstance(value, bool):
        yield from _range(shape, value, path)


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _members(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[str]:
    where = f"{path}." if path else ""
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"'{where}{_lower(name)}' must not be null"
    for name, each in value.items():
        if name in shape.members and each is not None:
            yield from complaints(shape.members[name], each, f"{where}{_lower(name)}")


def _text(shape: Shape, value: str, path: str) -> Iterator[str]:
    allowed, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    yield from _range(shape, len(value), path)
    if allowed and value not in allowed:
        yield f"'{value}' at '{path}' has to be one of [{', '.join(allowed)}]"
    # Java's names for kinds of characters, which Python has not
    if pattern and r"\p{" not in pattern and not re.fullmatch(pattern, value):
        yield f"'{value}' at '{path}' has to satisfy the regular expression {pattern}"


def _range(shape: Shape, size: int, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        yield f"'{path}' has to be or to have at least {low}"
    if high is not None and size > high:
        yield f"'{path}' has to be or to have at most {high}"


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
