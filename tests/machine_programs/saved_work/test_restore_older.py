"""Saves of the shell programs that came before are restored.

``saved_by_shell`` is a directory as they made it, of which only the places were changed: a tree
with stash, index, odd names and larger files in shares; the middle of a merge; a tree of which
the history did not fit; a listed path.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support.load import ROOT
from tests.machine_programs.support.saved import Machine, Tree

DATA = ROOT / "tests/machine_programs/saved_work/saved_by_shell"
REAP = "20260101T120000Z-i-0abc"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    saved = machine.volume / ".cloudtop/saved"
    saved.mkdir(parents=True)
    shutil.copytree(DATA, saved / REAP, ignore=shutil.ignore_patterns("*.json"))
    for place in (saved / REAP).iterdir():
        path = place / "path"
        path.write_text(f"{machine.tree}{path.read_text()}")
    return machine


def state(machine: Machine, name: str) -> dict[str, Any]:
    tree = object.__new__(Tree)
    tree.place = machine.array / name
    return tree.state()


@pytest.mark.parametrize("name", ["project", "merging"])
def test_a_tree_is_the_same_again(machine: Machine, name: str) -> None:
    expected = json.loads((DATA / "expected.json").read_text())[name]
    machine.restored(f"{REAP}/{name}")
    values = state(machine, name)
    assert {key: values[key] for key in expected} == expected


def test_files_without_a_history_come_back(machine: Machine) -> None:
    output = machine.restored(f"{REAP}/large")
    assert "Not all of it had been saved: its history was not saved (1 MiB)." in output
    names = {place.name: place.read_text() for place in (machine.array / "large").iterdir()}
    assert names == {"file": "changed\n", "new": "new\n"}


def test_a_path_comes_back(machine: Machine) -> None:
    machine.restored("--all")
    assert (machine.array / "notes/a").read_text() == "a\n"
    assert "Nothing that was saved is waiting." in machine.restored()


def test_a_newer_save_leaves_them_alone(machine: Machine) -> None:
    Tree(machine.array / "project").write("file", "newer\n")
    machine.save("20260102T120000Z-i-0abc")
    assert f"{REAP}/project" in machine.restored()
