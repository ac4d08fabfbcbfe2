"""The list of instance types that a cloudtop's machine may be of, the preferred one first."""

from __future__ import annotations

import re
from typing import Any

INSTANCE_TYPE = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")


def read(first: str, further: Any) -> tuple[tuple[str, ...], str]:
    """All types in their order, and which rule the value breaks, or ``''``.

    ``further`` is the value of cloudtop_instance_types: a list, a text of names with commas
    between them, or nothing.
    """
    if isinstance(further, str):
        further = [each for each in further.strip("[] ").split(",") if each.strip()]
    if not isinstance(further, list | None):
        return (first,), "it has to be a list of types, such as [i3en.3xlarge, i3.8xlarge]"
    named = [str(each).strip() for each in further or []]
    if not all(INSTANCE_TYPE.fullmatch(each) for each in named):
        return (first, *named), "every type in it has to look like i3.8xlarge"
    twice = [each for number, each in enumerate(named) if each in named[:number]]
    if twice:
        return (first, *named), f"{twice[0]} is named twice"
    # One of them may be the first for a while: switch --type
    return (first, *(each for each in named if each != first)), ""
