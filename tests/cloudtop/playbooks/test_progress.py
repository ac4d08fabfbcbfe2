"""The lines that people see of a run, and which sentence a failure becomes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count

import pytest

from cloudtop.playbooks.progress import Progress, failure_message


def clock() -> Iterator[float]:
    yield from (float(second) for second in count())


def progress() -> tuple[Progress, io.StringIO]:
    stream, seconds = io.StringIO(), clock()
    return Progress(stream, clock=lambda: next(seconds)), stream


class Terminal(io.StringIO):
    """A stream as of somebody at a screen."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("given", "plain"),
    [({"TERM": "xterm"}, False), ({"TERM": "dumb"}, True), ({"NO_COLOR": "1"}, True),
     ({"NO_COLOR": ""}, False)],
)  # fmt: skip
def test_f19_a_plain_terminal_gets_plain_lines(
    given: dict[str, str], plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for key, value in {"TERM": "xterm", **given}.items():
        monkeypatch.setenv(key, value)
    stream = Terminal()
    shown = Progress(stream)
    shown.event(task("access", "Ensure the key"))
    shown.finish()
    text = stream.getvalue()
    assert ("\x1b" not in text and "\r" not in text) is plain
    assert "access" in text


def task(role: str, name: str) -> dict[str, object]:
    return {"event": "playbook_on_task_start", "event_data": {"role": role, "task": name}}


def test_what_a_module_warns_of_is_a_note_once() -> None:
    shown, stream = progress()
    shown.event(task("dotfiles", "Ensure the commit is at hand"))
    for _ in range(2):
        result = {"warnings": ["The submodule a stays empty.\x1b[2J"]}
        shown.event({"event": "runner_on_ok", "event_data": {"task": "x", "res": result}})
    shown.finish()
    assert stream.getvalue().count("! The submodule a stays empty.") == 1
    assert "\x1b" not in stream.getvalue()


def test_seconds_that_an_earlier_role_spent_are_those_of_the_role_they_were_for() -> None:
    shown, stream = progress()
    ends = {"runner_on_ok": "✓", "runner_on_failed": "✗"}
    seconds = (("machine_programs", -0.7), ("docker", 0.5), ("tmux", 0.2))
    for (role, elsewhere), end in zip(seconds, ("runner_on_ok", *ends), strict=True):
        shown.event(task(role, "Ensure it"))
        shown.event({"event": end, "event_data": {"res": {"elsewhere": elsewhere}}})
    shown.finish()
    lines = [line.split()[:3] for line in stream.getvalue().splitlines()]
    assert lines == [["✓", "machine_programs", "0.3"], ["✓", "docker", "1.5"], ["✗", "tmux", "1.2"]]


def test_one_line_a_role_with_seconds_and_changes() -> None:
    shown, stream = progress()
    shown.event(task("access", "Ensure the key"))
    shown.event(
        {
            "event": "runner_on_ok",
            "event_data": {"task": "Ensure the key", "res": {"changed": True}},
        }
    )
    shown.event(task("docker", "Ensure docker"))
    shown.event({"event": "runner_on_ok", "event_data": {"task": "x", "res": {"changed": False}}})
    shown.finish()
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["✓", "access", "1.0", "s", "1", "changed"],
        ["·", "Ensure", "the", "key"],
        ["✓", "docker", "1.0", "s", "no", "change"],
    ]


def test_counts_changes_of_every_host() -> None:
    shown, _ = progress()
    shown.event(
        {
            "event": "playbook_on_stats",
            "event_data": {"processed": {"localhost": 1, "i-1": 1}, "changed": {"i-1": 3}},
        }
    )
    assert shown.changed == {"localhost": 0, "i-1": 3}


def test_first_failure_is_kept_in_the_tasks_own_words() -> None:
    shown, stream = progress()
    shown.event(task("spot_request", "Ensure one request"))
    for message in ("the first", "a later one"):
        shown.event(
            {"event": "runner_on_failed", "event_data": {"task": "t", "res": {"msg": message}}}
        )
    shown.finish()
    assert shown.failure and shown.failure.message == "the first"
    assert "✗ spot_request" in stream.getvalue()


def test_ignored_failure_is_no_failure() -> None:
    shown, _ = progress()
    shown.event({"event": "runner_on_failed", "event_data": {"ignore_errors": True, "res": {}}})
    assert shown.failure is None


def test_failure_message_never_shows_a_traceback() -> None:
    text = "It went wrong.\nTraceback (most recent call last):\n  File x"
    assert failure_message({"msg": text}) == "It went wrong."


def test_failure_message_takes_the_failed_item() -> None:
    result = {
        "msg": "All items completed",
        "results": [{"msg": "fine"}, {"failed": True, "msg": "b"}],
    }
    assert failure_message(result) == "b"


def test_what_a_role_tells_is_shown() -> None:
    shown, stream = progress()
    shown.event(task("spot_request", "Compare"))
    event = {"task_action": "ansible.builtin.debug", "res": {"msg": "its bid is 0.2, not 0.3"}}
    shown.event({"event": "runner_item_on_ok", "event_data": event})
    shown.finish()
    assert "! its bid is 0.2, not 0.3" in stream.getvalue()


def test_a_loop_is_one_change() -> None:
    shown, stream = progress()
    shown.event(task("access", "Ensure the pairs are gone"))
    data = {"task": "Ensure the pairs are gone", "res": {"changed": True}}
    shown.event({"event": "runner_item_on_ok", "event_data": data})
    shown.event({"event": "runner_on_ok", "event_data": data})
    shown.finish()
    assert stream.getvalue().count("Ensure the pairs are gone") == 1


def test_a_terminal_shows_how_far_a_snapshot_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    shown = Progress(stream)
    shown.event(task("volume_snapshot", "Ensure all bytes are there"))
    res = {"snapshots": [{"progress": "40%"}]}
    data = {"task": "Ensure all bytes are there", "res": res}
    shown.event({"event": "runner_retry", "event_data": data})
    assert stream.getvalue().endswith("volume_snapshot: Ensure all bytes are there 40%")
