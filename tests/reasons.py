"""Why a command failed, in the few words that fit the end of a log."""

from __future__ import annotations

import json
import re
import textwrap

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$")
FAILED = re.compile(r"^(?:fatal|failed): \[.*?\].*?=> (\{.*)$")
# What an Ansible module tells of a failure, the most telling first
TOLD = ("msg", "stderr", "stdout")


def reason(output: str, length: int) -> str:
    """What the output of a failed command ends with, in at most ``length`` characters.

    Of Ansible's output it is the last task that failed and what that was told: those before it
    were rescued, and after it come only recaps.
    """
    lines = COLOURS.sub("", output).splitlines()
    for at in range(len(lines) - 1, -1, -1):
        if failed := FAILED.match(lines[at]):
            tasks = filter(None, map(TASK.match, reversed(lines[:at])))
            task = next((found[1] for found in tasks), "a task")
            return textwrap.shorten(f"{task}: {told(failed[1])}", length)
    said = [line.strip() for line in lines if line.strip()]
    return ending(" / ".join(said[-5:]), length)


def told(result: str) -> str:
    """The telling parts of a task's result, JSON as Ansible's default callback prints it."""
    try:
        parts = json.loads(result)
    except ValueError:
        return result
    words = [f"{name}: {parts[name]}" for name in TOLD if parts.get(name)]
    return " ".join(words) or result


def ending(text: str, length: int) -> str:
    """The last characters of a text that is too long."""
    return text if len(text) <= length else f"[...] {text[-length + 6 :].strip()}"
