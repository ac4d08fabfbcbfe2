"""The one reading of a call's parameters: who authorizes a call and who answers it share it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from moto.core.parse import EC2QueryParser
from moto.core.utils import get_service_model
from werkzeug.wrappers import Request


def parameters(request: Request, action: str) -> dict[str, Any]:
    """By their names in EC2's service model, parsed by type.

    Raises OperationNotFoundError for an action that EC2 does not have, and ValueError or
    RequestParserError for a value that is malformed.
    """
    model = get_service_model("ec2").operation_model(action)
    parser = EC2QueryParser(model, blob_parser=_blob)
    values = {name: request.values[name] for name in request.values}
    return dict(parser.parse({"values": numbered_from_one(values)}))  # type: ignore[typeddict-item]


def numbered_from_one(values: Mapping[str, str]) -> dict[str, str]:
    """The parameters with the members of each list numbered 1, 2, 3 in their order.

    EC2 takes lists that begin elsewhere and have gaps: its own examples count from 0
    (API Reference, DescribeInstanceStatus), while moto's parser reads from 1 up to the first
    number that is missing.
    """
    places = _places(values)
    return {_renamed(name, places): value for name, value in values.items()}


def _places(names: Iterable[str]) -> dict[str, dict[str, int]]:
    """By the name of a list, the place of each number that it has."""
    numbers: dict[str, set[str]] = {}
    for name in names:
        parts = name.split(".")
        for depth, part in enumerate(parts):
            if _is_number(part):
                numbers.setdefault(".".join(parts[:depth]), set()).add(part)
    return {
        prefix: {number: place for place, number in enumerate(_ordered(some), start=1)}
        for prefix, some in numbers.items()
    }


def _ordered(numbers: Iterable[str]) -> list[str]:
    # 1 and 01 are two members: neither may be seen by one reader and dropped by another
    return sorted(numbers, key=lambda number: (int(number), number))


def _renamed(name: str, places: Mapping[str, Mapping[str, int]]) -> str:
    parts = name.split(".")
    return ".".join(
        str(places[".".join(parts[:depth])][part]) if _is_number(part) else part
        for depth, part in enumerate(parts)
    )


def _blob(text: str) -> bytes:
    """Base64, in lines or not. Moto's reader drops what is none and keeps the rest."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"'{text[:60]}' is not base64") from error


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit()
