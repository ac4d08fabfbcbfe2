"""Killing a run at one of its calls, the same one each time."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, cast

import pytest

from localcloud.api.wsgi import Api
from tools.faults.processes import kill_all

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


def mutating(api: Api) -> int:
    """How many calls that change something there were so far."""
    return cast("int", api.calls()["mutating"])
