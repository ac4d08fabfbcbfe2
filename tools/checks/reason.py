"""Why a command failed, in the few words that fit the end of a log."""

from __future__ import annotations

import json
import re
import textwrap

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$")
FAILED = re.compile(r"^(?:fatal|failed): \[.*?\].*?=> (\{.*)$")
# The parts of a result that explain a failure, the best first
EXPLANATIONS = ("msg", "stderr", "stdout")


def reason(output: str, length: int) -> str:
    """The end of the output of a failed command, in at most ``length`` characters.

    For Ansible's output it is the last task that failed and its explanation: tasks that failed
    before it were rescued, and after it come only recaps.
    """
    lines = COLOURS.sub("", output).splitlines()
    for at in range(len(lines) - 1, -1, -1):
        if failed := FAILED.match(lines[at]):
            tasks = filter(None, map(TASK.match, reversed(lines[:at])))
            task = next((match[1] for match in tasks), "a task")
            return textwrap.shorten(f"{task}: {explanation(failed[1])}", length)
    texts = [line.strip() for line in lines if line.strip()]
    return ending(" / ".join(texts[-5:]), length)


def explanation(result: str) -> str:
    """The explaining parts of a task's result, JSON as Ansible's default callback prints it."""
    try:
        parts = json.loads(result)
    except ValueError:
        return result
    words = [f"{name}: {parts[name]}" for name in EXPLANATIONS if parts.get(name)]
    return " ".join(words) or result


def ending(text: str, length: int) -> str:
    """The last characters of a text that is too long."""
    return text if len(text) <= length else f"[...] {text[-length + 6 :].strip()}"
