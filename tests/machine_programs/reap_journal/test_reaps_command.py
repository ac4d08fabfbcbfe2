"""cloudtop-reaps: the journal of reaps as its reader sees it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support.installed import argv, environ, program
from tests.machine_programs.support.journal import Journal


@pytest.fixture
def machine(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def ask(machine: Journal, *options: str) -> subprocess.CompletedProcess[str]:
    config = machine.tree / "reaps.conf"
    lib = machine.settings["lib"]
    config.write_text(f"mount_point='{machine.mount_point}' lib='{lib}' owner_id={os.getuid()}\n")
    return subprocess.run(
        [*argv(program("cloudtop-reaps")), *options],
        env={**environ(machine.tree), "CLOUDTOP_CONFIG": str(config)},
        capture_output=True,
        text=True,
    )


def reaps(machine: Journal, count: int) -> None:
    """So many reaps, each with a notice."""
    with (machine.place / "reaps.jsonl").open("a") as stream:
        for number in range(count):
            notice = {"event": "notice", "instance": f"i-{number}", "saved": {"trees": number}}
            back = {
                "event": "back",
                "instance": f"i-{number + 1}",
                "previous": f"i-{number}",
                "last_seen": f"2026-02-0{number + 1}T12:03:00Z",
                "away_seconds": 192,
                "why": "instance-terminated-no-capacity",
                "price": 0.19,
            }
            stream.write(f"{json.dumps(notice)}\n{json.dumps(back)}\n")


def test_shows_the_last_five_as_a_table(machine: Journal) -> None:
    reaps(machine, 7)
    lines = ask(machine).stdout.splitlines()
    assert lines[0].split() == ["WENT", "(UTC)", "AWAY", "WHY", "PRICE", "SAVED", "NOW"]
    assert lines[1] == ("2026-02-03 12:03  3 min 12 s  no capacity  $0.19/h  2 work trees  i-3")
    assert len(lines) == 6


def test_all_are_shown_when_asked_for(machine: Journal) -> None:
    reaps(machine, 7)
    assert len(ask(machine, "--all").stdout.splitlines()) == 8


def test_programs_get_json(machine: Journal) -> None:
    reaps(machine, 2)
    entries = json.loads(ask(machine, "--json").stdout)
    assert [each["previous"] for each in entries] == ["i-0", "i-1"]
    assert entries[1]["notice"]["saved"] == {"trees": 1}


def test_without_a_reap_it_says_so(machine: Journal) -> None:
    assert ask(machine).stdout == "This cloudtop has not been taken away so far.\n"
    assert json.loads(ask(machine, "--json").stdout) == []


def test_without_the_volume_it_says_where_to_look(machine: Journal) -> None:
    machine.place.rmdir()
    done = ask(machine)
    assert done.returncode == 1
    assert "sudo systemctl status cloudtop-persistent-mount" in done.stderr


def test_an_unknown_option_is_a_sentence(machine: Journal) -> None:
    done = ask(machine, "--last")
    assert done.returncode == 2
    assert done.stderr == "'--last' is no option; usage: cloudtop-reaps [--all] [--json]\n"
