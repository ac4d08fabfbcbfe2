"""The command line: rows name playbooks, errors are sentences, a no is a no."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

import runner
from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws.find import Resources
from cloudtop.command import Command, Context, confirm, parser
from cloudtop.commands import destroy
from cloudtop.errors import CloudtopError
from cloudtop.machine import status, summary
from cloudtop.settings import clouds, settings

ROOT = Path(runner.__file__).parent


def context(**options: Any) -> Context:
    given = Namespace(**{"yes": False, "verbose": 0, "delete_volume": None, **options})
    return Context(given, settings.load(), clouds.load("rehearsal"), ())


ROWS = [row for rows in runner.COMMANDS.values() for row in rows]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_names_playbooks_that_exist(row: Command) -> None:
    assert [
        name for name in (*row.playbooks, *row.on_failure) if not (paths.PLAYBOOKS / name).is_file()
    ] == []


def test_every_playbook_is_named_by_a_row() -> None:
    named = {name for row in ROWS for name in (*row.playbooks, *row.on_failure)}
    assert {path.name for path in paths.PLAYBOOKS.glob("*.yml")} == named


def test_runner_stays_thin() -> None:
    assert len((ROOT / "runner.py").read_text().splitlines()) <= 110


def test_help_lists_every_command_with_a_line_under_what_people_do() -> None:
    lines = parser(runner.COMMANDS, "").format_help().splitlines()
    for title, rows in runner.COMMANDS.items():
        begin = lines.index(f"{title}:") + 1
        listed = [line.split(maxsplit=1) for line in lines[begin : begin + len(rows)]]
        assert listed == [[row.name, row.help] for row in rows]
    assert list(runner.COMMANDS) == ["make it", "live on it", "money", "data", "end it"]


def test_an_action_and_its_options_stand_in_one_file() -> None:
    for row in ROWS:
        assert row.run.__module__.startswith("cloudtop.commands."), row.name
        if row.options:
            assert row.options.__module__ == row.run.__module__, row.name


def test_version_is_the_projects() -> None:
    done = subprocess.run(
        [sys.executable, "runner.py", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (done.returncode, done.stdout) == (0, f"cloudtop {project['version']}\n")


def complete(line: str) -> list[str]:
    """The words that a shell with argcomplete offers for a line (its documented protocol)."""
    with tempfile.TemporaryFile() as answer:
        environ = {
            **os.environ,
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "_ARGCOMPLETE_STDOUT_FILENAME": f"/proc/self/fd/{answer.fileno()}",
        }
        subprocess.run(
            [sys.executable, "runner.py"],
            cwd=ROOT, env=environ, pass_fds=[answer.fileno()], check=True, capture_output=True,
        )  # fmt: skip
        answer.seek(0)
        return answer.read().decode().split("\n")


def test_a_shell_completes_commands_and_their_options() -> None:
    assert complete("runner.py pro") == ["provision"]
    assert "--delete-volume" in complete("runner.py destroy --d")


def test_bad_value_is_a_sentence_on_stderr_and_exit_1() -> None:
    done = subprocess.run(
        [sys.executable, "runner.py", "provision", "-e", "cloudtop_bid=0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cloudtop_bid is '0'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_reader_that_has_enough_is_no_trouble() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    history = "tests/localcloud/prices/c3.xlarge-2015-06.csv.gz"
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "runner.py", "prices", "--json", "--history", history],
            cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def test_f22_a_picture_is_saved_though_the_reader_has_enough(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    history, picture = "tests/localcloud/prices/c3.xlarge-2015-06.csv.gz", tmp_path / "a.svg"
    words = ["prices", "--chart", "--save", str(picture), "--history", history]
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "runner.py", *words],
            cwd=ROOT, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, f"Saved {picture}\n")
    assert "</svg>" in picture.read_text()


def test_nobody_to_ask_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(CloudtopError, match="There is no terminal") as refused:
        confirm(False, "Go on?")
    assert "--yes" in refused.value.hint


def test_yes_answers() -> None:
    confirm(True, "Go on?")


def test_destroy_refuses_volume_of_another_name() -> None:
    with pytest.raises(CloudtopError, match="'other', and this cloudtop is 'cloudtop'"):
        destroy.run(context(delete_volume="other"))


def resources(**parts: Any) -> Resources:
    return Resources(**{"request": None, "instance": None, "volume": None, **parts})


def test_status_of_nothing_says_how_to_make_it() -> None:
    report = status.gather(settings.load(), clouds.load("rehearsal"), resources())
    assert report.request is None
    assert "provision makes one" in summary.render(report)


def test_refuses_region_that_does_not_exist() -> None:
    with pytest.raises(CloudtopError, match="'eu-nowhere-1', which is no region") as refused:
        aws.check_region("eu-nowhere-1")
    assert "eu-north-1" in refused.value.hint


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1"])
def test_takes_every_region(region: str) -> None:
    aws.check_region(region)
