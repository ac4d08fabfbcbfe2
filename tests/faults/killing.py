"""Killing a run at one of its calls, the same one each time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

import pytest

from localcloud.api.wsgi import Api
from tools import warm

# Seconds; far more than any of these runs takes
DEADLINE = 300.0


def kill_after(calls: int, start: Callable[[], subprocess.Popen[str]]) -> bool:
    """Kill what ``start`` makes, and all that it has started, at so many of its mutating calls.

    The last of them has taken effect and its answer is never sent, so that nothing hangs on
    how fast this test or that process gets along. False if it ended before.
    """
    ask, started = Api.__call__, Future[subprocess.Popen[str]]()
    before: int | None = None

    def deadly(api: Api, environ: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        nonlocal before
        if before is None:
            before = mutating(api)
        response = ask(api, environ, answer)
        process = started.result(DEADLINE)
        if mutating(api) - before >= calls and process.poll() is None:
            kill_all(process.pid)
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Api, "__call__", deadly)
        started.set_result(start())
        started.result().communicate(timeout=DEADLINE)
    return started.result().returncode == -signal.SIGKILL


def kill_all(process: int) -> None:
    """Kill a process and its descendants, whose sessions are their own in Ansible.

    Each is stopped before its children are looked up, so that none can start another meanwhile.
    """
    stopped: set[int] = set()
    while more := family(process) - stopped:
        for each in more:
            send(each, signal.SIGSTOP)
        stopped |= more
    for each in stopped:
        send(each, signal.SIGKILL)


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


def mutating(api: Api) -> int:
    """How many calls that change something there were so far."""
    return cast("int", api.calls()["mutating"])
