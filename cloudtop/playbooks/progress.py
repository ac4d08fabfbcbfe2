"""The lines that people see while playbooks run, made from ansible-runner's events."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from cloudtop.foreign import drawn, plain, uncoloured, wants_plain_lines

CLEAR_LINE = "\r\x1b[K"
# Characters of one event of Ansible's that -v shows
ALL = 10_000_000
UNREACHABLE = "runner_on_unreachable"
BAD_EVENTS = {"runner_on_failed", UNREACHABLE}
ITEM_EVENT = "runner_item_on_ok"
OK_EVENTS = {"runner_on_ok", ITEM_EVENT}
# Notes of a role for the person who runs it
DEBUG_ACTIONS = {"debug", "ansible.builtin.debug"}


@dataclass
class Step:
    """One role on one kind of host: when it began (seconds), its changes and its notes.

    ``elsewhere`` are the seconds that an earlier role's task has spent for it, negative for those
    that its own tasks have spent for later roles.
    """

    name: str
    began: float
    elsewhere: float = 0.0
    changed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Failure:
    """The first thing that went wrong, in the task's own words."""

    task: str
    host: str
    message: str
    unreachable: bool = False


class Progress:
    """Turns events into one line a role, with its seconds and what it changed.

    On a terminal the task that runs now is shown on a line that is overwritten.
    ``verbose`` shows Ansible's own output instead. In a dry run ``forecast`` takes what would
    change, and a role's notes alone are shown.
    """

    def __init__(
        self,
        stream: TextIO,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
        forecast: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.failure: Failure | None = None
        self.changed: dict[str, int] = {}
        self._stream = drawn(stream)
        self._verbose = verbose
        self._clock = clock
        self._forecast = forecast
        self._live = stream.isatty() and not verbose and not wants_plain_lines()
        self._step: Step | None = None

    def event(self, event: Mapping[str, Any]) -> bool:
        """Take one event of ansible-runner; True keeps the event in its artifacts."""
        kind = event.get("event", "")
        data = event.get("event_data", {})
        if self._forecast:
            self._forecast(event)
        if self._verbose and event.get("stdout"):
            self._stream.write(plain(uncoloured(event["stdout"]), ALL, lines=True) + "\n")
        if kind == "playbook_on_task_start":
            self._begin(data.get("role") or data.get("play") or "play", data.get("task", ""))
        elif kind in OK_EVENTS:
            self._note(data, is_item=kind == ITEM_EVENT)
        elif kind in BAD_EVENTS and not data.get("ignore_errors"):
            self._fail(data, unreachable=kind == UNREACHABLE)
        elif kind == "playbook_on_stats":
            self._count(data)
        elif kind == "runner_retry":
            self._show(data.get("task", ""), awaited(data.get("res", {})))
        return True

    def line(self, text: str) -> None:
        """Print a line of our own between the steps."""
        self._close_step()
        self._print(text)

    def finish(self) -> None:
        """Close the step that is open."""
        self._close_step()

    def _begin(self, step: str, task: str) -> None:
        if self._step is None or self._step.name != step:
            self._close_step()
            self._step = Step(step, self._clock())
        self._show(task)

    def _show(self, task: str, how_far: str = "") -> None:
        if self._live and self._step:
            width = shutil.get_terminal_size().columns - 1
            text = plain(f"  … {self._step.name}: {task}{how_far}")
            self._stream.write(CLEAR_LINE + text[:width])
            self._stream.flush()

    def _note(self, data: Mapping[str, Any], is_item: bool) -> None:
        result = data.get("res", {})
        if self._step:
            self._step.elsewhere += result.get("elsewhere", 0)
        # A loop's items come one by one, its change once, at its end
        if self._step and result.get("changed") and not is_item:
            self._step.changed.append(data.get("task", ""))
        is_note = data.get("task_action") in DEBUG_ACTIONS and "results" not in result
        if self._step and is_note and result.get("msg"):
            self._step.notes.append(str(result["msg"]))
        self._warn(result)

    def _warn(self, result: Mapping[str, Any]) -> None:
        """Note what a module says beside its result, once a step."""
        for warning in result.get("warnings") or []:
            if self._step and str(warning) not in self._step.notes:
                self._step.notes.append(str(warning))

    def _fail(self, data: Mapping[str, Any], unreachable: bool) -> None:
        if self._step:
            self._step.elsewhere += data.get("res", {}).get("elsewhere", 0)
        self._warn(data.get("res", {}))
        if self.failure is None:
            self.failure = Failure(
                task=data.get("task", ""),
                host=data.get("host", ""),
                message=failure_message(data.get("res", {})),
                unreachable=unreachable,
            )

    def _count(self, data: Mapping[str, Any]) -> None:
        for host in data.get("processed", {}):
            self.changed.setdefault(host, 0)
            self.changed[host] += data.get("changed", {}).get(host, 0)

    def _close_step(self) -> None:
        step, self._step = self._step, None
        if step is None or self._verbose:
            return
        if not self._forecast:
            took = max(self._clock() - step.began + step.elsewhere, 0)
            mark = "✗" if self.failure else "✓"
            what = f"{len(step.changed)} changed" if step.changed else "no change"
            self._print(f"  {mark} {step.name:<20} {took:6.1f} s   {what}")
            for name in step.changed:
                self._print(f"      · {name}")
        elif self._live:
            self._stream.write(CLEAR_LINE)
        for note in step.notes:
            self._print(f"      ! {note}")

    def _print(self, text: str) -> None:
        words = plain(text, lines=True)
        self._stream.write((CLEAR_LINE if self._live else "") + words + "\n")
        self._stream.flush()


def awaited(result: Mapping[str, Any]) -> str:
    """How far what a task waits for is, by EC2's own word (say `` 40%``), or nothing."""
    parts = [str(each.get("progress") or "") for each in result.get("snapshots") or []]
    return "".join(f" {part}" for part in parts if part)


def failure_message(result: Mapping[str, Any]) -> str:
    """The sentence in a failed task's result: its ``msg``, of its failed items or itself.

    A module's traceback is never shown; it stays in the log.
    """
    if result.get("results"):
        failed = [each for each in result["results"] if each.get("failed")]
        if failed:
            return failure_message(failed[0])
    text = result.get("msg") or result.get("stderr") or result.get("stdout") or "no message"
    if isinstance(text, list):
        text = "\n".join(str(line) for line in text)
    text = str(text).split("Traceback (most recent call last)")[0]
    return re.sub(r"\n{2,}", "\n", text).strip() or "the module stopped without a message"
