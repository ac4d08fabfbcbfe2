"""Programs of the machine print nothing that a terminal acts upon."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jinja2
import pytest

from tests.machine_programs.support import installed
from tests.machine_programs.support.hostile_corpus import corpus
from tests.machine_programs.support.load import ROOT
from tests.machine_programs.support.saved import Machine, Tree

CONTROLS = {chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))} - {"\n"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def names(machine: Machine) -> list[str]:
    texts = [text for text in corpus(machine.tree / "marker") if len(text) < 200]
    return [f"t{text}".replace("/", "_").replace("\0", "") for text in texts]


def test_paths_that_are_saved_and_restored(machine: Machine) -> None:
    for name in names(machine):
        Tree(machine.array / name).write("file", "changed\n")
    saved = machine.save()
    assert len(saved["trees"]) == len(names(machine))
    assert not CONTROLS & set(saved["said"])
    listed = machine.restored()
    assert len([line for line in listed.splitlines() if str(machine.array) in line]) == len(
        names(machine)
    )
    assert not CONTROLS & set(listed)
    for name in names(machine):
        (machine.array / name).rename(machine.tree / f"was-{name}")
    assert not CONTROLS & set(machine.restored("--all"))
    for name in names(machine):
        assert (machine.array / name / "file").read_text() == "changed\n"


def test_the_journal_of_reaps(tmp_path: Path) -> None:
    text = "\x1b[31m\u009b31m\x07\\033[31m"
    place = tmp_path / "volume/.cloudtop"
    place.mkdir(parents=True)
    line = {"event": "back", "instance": text, "previous": "i-1", "why": text, "away_seconds": 9}
    (place / "reaps.jsonl").write_text(f"{json.dumps(line)}\n")
    (tmp_path / "conf").write_text(f"mount_point='{tmp_path}/volume'\n")
    shown = subprocess.run(
        installed.argv(installed.program("cloudtop-reaps")),
        env={**installed.environ(tmp_path), "CLOUDTOP_CONFIG": str(tmp_path / "conf")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "WENT" in shown
    assert not CONTROLS & set(shown)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_hint_at_login(tmp_path: Path, shell: str) -> None:
    """Its file is the user's, and root may log in."""
    (tmp_path / ".cloudtop/saved").mkdir(parents=True)
    hint = tmp_path / ".cloudtop/saved/hint"
    hint.write_text("\nSee: cloudtop-restore\n\x1b]0;title\x07\n\u009b31m\n")
    template = (ROOT / "roles/spot_guard/templates/saved-work.sh.j2").read_text()
    environment = jinja2.Environment()
    environment.filters["quote"] = lambda text: f"'{text}'"
    script = environment.from_string(template).render(spot_guard_persistent=str(tmp_path))
    done = subprocess.run(
        [shell, *(["--norc"] if shell == "bash" else []), "-i"],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PS1": "", "HOME": str(tmp_path)},
        input=script + "\n",
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "See: cloudtop-restore" in done.stdout
    assert not CONTROLS & set(done.stdout)
