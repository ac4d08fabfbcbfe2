"""Killing a process with all that it has started."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tools import warm


def kill_all(process: int) -> None:
    """Kill a process and its descendants, whose sessions are their own in Ansible.

    Each is stopped before its children are looked up, so that none can start another meanwhile.
    """
    stopped: set[int] = set()
    while more := family(process) - stopped:
        for each in more:
            send(each, signal.SIGSTOP)
        for each in more:
            await_stopped(each)
        stopped |= more
    for each in stopped:
        send(each, signal.SIGKILL)


def await_stopped(process: int) -> None:
    """Until it runs no more: a fork that it had begun is through then, and its child is there.

    On a busy computer one that is to stop may still be at its fork while others look for its
    children.
    """
    while state(process) not in ("T", "t", "Z", "X", ""):
        time.sleep(0.001)


def state(process: int) -> str:
    """The letter of its state in proc(5); empty if it is gone."""
    try:
        _, _, values = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return values.split()[0]


def send(process: int, number: signal.Signals) -> None:
    """A signal to a process that may have ended."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def family(process: int) -> set[int]:
    """A process and its descendants, with what a warm Python runs for them."""
    children: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            _, _, values = (place / "stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(values.split()[1]), []).append(int(place.name))
    members: set[int] = set()
    queue = [process]
    while queue:
        each = queue.pop()
        members.add(each)
        queue += children.get(each, [])
        queue += warm.programs(each)
    return members
