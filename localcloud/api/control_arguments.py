"""The arguments of a control, read strictly: a bad value gets an error of EC2's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.ec2.errors import invalid, missing

Arguments = Mapping[str, Any]


def text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise missing(name)
    return value


def number(name: str, value: object, unit: str = "") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} is {value!r}; it has to be a number{unit and f' of {unit}'}.")
    return float(value)


def seconds(name: str, value: object) -> float:
    return number(name, value, "seconds")
