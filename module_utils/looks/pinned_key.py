"""The file of a cloudtop's pinned ssh host keys on this computer: no look at AWS is needed."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY = re.compile(r"\b((?:ssh|ecdsa)-[a-z0-9-]+) +(AAAA[0-9A-Za-z+/]+={0,2})(?=\s|$)")


def answer(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of ec2_host_key_plan if the key that other computers know is pinned here for this
    machine; None if the module has to read the console, or to refuse."""
    pinned, read = options.get("pinned", ""), mark(options["instance_id"], options["request"])
    try:
        text = text_of(Path(options["known_hosts"]).expanduser())
    except (OSError, UnicodeDecodeError):
        return None
    if not is_host_key(pinned) or not is_pinned(text, options["name"], read, pinned):
        return None
    return {"step": "keep", "key": pinned}


def text_of(file: Path) -> str:
    """The text of the file, empty if there is none."""
    return file.read_text() if file.is_file() else ""


def whole(kind: str, text: str) -> bool:
    """Whether a public key is complete: a kernel message can cut through a console line.

    RFC 4253, 6.6: the blob is a row of strings, each after its length in four bytes; the
    first one repeats the key's type.
    """
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    parts, at = [], 0
    while at + 4 <= len(blob):
        size = int.from_bytes(blob[at : at + 4], "big")
        parts.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return at == len(blob) and len(parts) > 1 and parts[0] == kind.encode()


def is_host_key(text: str) -> bool:
    """Whether a text is one whole public key and nothing else."""
    match = KEY.fullmatch(text)
    return match is not None and whole(match[1], match[2])


def alias(name: str) -> str:
    """The name that a cloudtop's host keys are pinned under."""
    return f"cloudtop-{name}"


def mark(instance_id: str, request: str) -> str:
    """The line that shows that a machine's console has been read."""
    return f"# {instance_id} of {request}"


def is_pinned(text: str, name: str, read: str, key: str) -> bool:
    """Whether a file of pinned keys has the key, and the mark ``read`` of the machine."""
    return bool(key) and {read, f"{alias(name)} {key}"} <= set(text.splitlines())
