"""The status files in /run/cloudtop, and the messages at login."""

from __future__ import annotations

import json
import os


def write(place: str, status: object) -> None:
    """Replace the file by the status as JSON; who reads it sees the old one or the new one."""
    write_text(place, json.dumps(status, ensure_ascii=False))


def write_text(place: str, text: str) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(f"{place}.new", "w", encoding="utf-8", errors="replace") as file:
        file.write(f"{text}\n")
    os.replace(f"{place}.new", place)


def remove(place: str) -> None:
    if os.path.lexists(place):
        os.remove(place)
