"""Text that others wrote reaches the terminal as text, and programs unaltered."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import runner
from cloudtop.aws import client as aws
from cloudtop.aws.find import Resources, Snapshot
from cloudtop.aws.orphans import Left, Leftover
from cloudtop.commands.orphans import render as render_orphans
from cloudtop.commands.snapshot import render as render_snapshots
from cloudtop.errors import CloudtopError
from cloudtop.foreign import LIMIT, drawn, guarded, plain
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.machine import status, summary, watch
from cloudtop.machine.drill_report import Check, Report
from cloudtop.machine.drill_report import render as render_drill
from cloudtop.playbooks.progress import CLEAR_LINE, Progress
from cloudtop.prices import table
from cloudtop.settings import clouds, settings
from tests.hostile import HOSTILE

every = pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:30]))
# Characters that make emoji and some scripts what they are
JOINERS = "\u200c\u200d"


def obeyed(text: str) -> list[str]:
    """The characters that a terminal would obey, or a reader not see; by Unicode's own table."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [
        char
        for char in text.replace("\r\n", "\n")
        if unicodedata.category(char) in kinds and char not in f"\n{JOINERS}"
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@every
def test_foreign_text_is_one_line_of_text(text: str) -> None:
    shown = plain(text)
    assert obeyed(shown) == [] and "\n" not in shown
    assert len(shown) <= LIMIT + 1


def test_what_is_harmless_stays() -> None:
    for text in ("naïve 日本語 👩‍💻 ü", "#(x) [bold] {{ x }} $(id)", "100 % – “so”"):
        assert plain(text) == text
    assert plain("a\tb\n c\r\n", lines=True) == "a\tb\n c\r\n"


@every
def test_all_that_is_printed_is_plain_and_json_stays_what_it_was(text: str) -> None:
    stream = io.StringIO()
    with contextlib.redirect_stdout(guarded(stream)):
        print(json.dumps({text: [text]}, indent=2))
    assert obeyed(stream.getvalue()) == []
    assert json.loads(stream.getvalue()) == {text: [text]}


def test_a_guarded_stream_is_the_stream_it_guards() -> None:
    real = sys.__stdout__
    assert real is not None
    stream = guarded(real)
    assert guarded(stream) is stream and drawn(stream) is real
    assert (stream.fileno(), stream.encoding) == (real.fileno(), real.encoding)
    assert guarded(Terminal()).isatty()


@every
def test_a_refusal_is_plain(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        print(text)
        raise CloudtopError(f"EC2 said {text}", f"Try: {text}")

    monkeypatch.setattr(settings, "load", refuse)
    assert runner.main(["status"]) == 1
    captured = capsys.readouterr()
    assert obeyed(captured.out + captured.err) == []
    assert captured.out and captured.err


@every
def test_what_ec2_answers_is_one_plain_line(text: str) -> None:
    answer: Any = {"Error": {"Code": text, "Message": text}}
    with pytest.raises(CloudtopError) as caught, aws.plain_errors():
        raise ClientError(answer, "DescribeVolumes")
    assert obeyed(caught.value.message) == [] and "\n" not in caught.value.message


@every
def test_a_playbook_draws_only_what_is_ours(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    progress = Progress(guarded(stream))
    about = {"role": text, "task": text, "host": text, "task_action": "debug"}
    for kind, result in (
        ("playbook_on_task_start", {}),
        ("runner_retry", {"snapshots": [{"progress": text}]}),
        ("runner_on_ok", {"changed": True, "msg": text}),
        ("runner_on_failed", {"msg": text}),
    ):
        progress.event({"event": kind, "event_data": {**about, "res": result}})
    progress.finish()
    assert obeyed(stream.getvalue().replace(CLEAR_LINE, "")) == []
    assert CLEAR_LINE in stream.getvalue()


@every
def test_ansibles_own_output_is_plain(text: str) -> None:
    stream = io.StringIO()
    Progress(stream, verbose=True).event({"event": "verbose", "stdout": f"\x1b[0;32mok {text}"})
    assert obeyed(stream.getvalue()) == [] and stream.getvalue().startswith("ok ")


@every
def test_a_status_has_the_rows_that_it_has(text: str) -> None:
    def rows(words: str) -> list[str]:
        part = {"message": words, "bytes": words}
        machine = {
            **dict.fromkeys(("ephemeral-raid", "persistent-mount", "idle", "elastic-ip"), part),
            "reaps": [{"event": "back", "why": words, "last_seen": words}],
        }
        known = status.gather(_settings(), clouds.load("rehearsal"), Resources(None, None, None))
        return summary.render(replace(known, owner=words, machine=machine)).splitlines()

    shown = rows(text)
    assert len(shown) == len(rows("harmless"))
    assert obeyed("".join(shown)) == []


@pytest.mark.parametrize("part", [[], "x", 7, {"bytes": []}, {"message": {"a": 1}}])
def test_a_status_file_of_another_form_is_no_traceback(part: object) -> None:
    known = status.gather(_settings(), clouds.load("rehearsal"), Resources(None, None, None))
    summary.render(replace(known, machine={"ephemeral-raid": part, "idle": part}))


def test_a_deep_status_file_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = PinnedMachine("x", "127.0.0.1", 22, tmp_path / "key", tmp_path)
    monkeypatch.setattr(PinnedMachine, "ask", lambda *_: "idle.json " + "[" * 100_000)
    assert status.ask_machine(machine) == {"idle": {"message": "its status file is not readable"}}


def test_a_machine_may_answer_what_is_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its programs print the names of files, which may be any bytes."""
    (tmp_path / "ssh").write_text('#!/bin/sh\nfor last; do :; done\neval "$last"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    machine = PinnedMachine("x", "127.0.0.1", 22, tmp_path / "key", tmp_path)
    machine.known_hosts.touch()
    assert machine.ask(r"printf 'a\377b'") == r"a\xffb"


MADE = datetime(2026, 1, 1, tzinfo=UTC)


@every
def test_lists_have_a_line_a_row(text: str) -> None:
    def lists(words: str) -> list[str]:
        left = Leftover("snapshot", "snap-1", words, 1, 1.0, words)
        kept = Leftover("volume", "vol-1", words, 1, 1.0, words)
        snapshot = Snapshot(
            "snap-1", "vol-1", 1, words, words, MADE, tags={"cloudtop:label": words}
        )
        report = Report(1, "i-1", checks=[Check("dotfiles", False, words)])
        return [
            render_orphans(words, Left((left,), (kept,))),
            render_snapshots("x", [snapshot]),
            render_drill(report),
        ]

    for shown, harmless in zip(lists(text), lists("harmless"), strict=True):
        assert obeyed(shown) == []
        assert len(shown.split("\n")) == len(harmless.split("\n"))


@every
def test_news_are_handed_on_as_plain_text(
    text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "notify"
    script.write_text(f'#!/bin/sh\nprintf "%s" "$1" >{tmp_path}/news\n')
    script.chmod(0o755)
    watch.teller(str(script), "x")(f"i-1 is gone: {text}")
    news = (tmp_path / "news").read_text()
    assert obeyed(news) == [] and "\n" not in news
    assert news == f"cloudtop x: {plain(f'i-1 is gone: {text}')}"
    assert capfd.readouterr().out.count("\n") == 1


@every
@pytest.mark.parametrize("colours", [False, True])
def test_a_table_of_prices_shows_names_as_they_are(
    text: str, colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Terminal() if colours else io.StringIO()
    monkeypatch.setattr(sys, "stdout", guarded(stream))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color" if colours else "dumb")
    words = text[:40]
    out = table.console()
    out.print(words)
    out.print(f"[note] {words}", style="green")
    shown = re.sub(r"\x1b\[(0|32)m", "", stream.getvalue())
    assert obeyed(shown) == []
    assert "[note] " in shown
    if words.isascii() and words.isprintable():
        assert shown.splitlines()[:1] == [words]


def _settings() -> settings.Settings:
    return settings.load([])
