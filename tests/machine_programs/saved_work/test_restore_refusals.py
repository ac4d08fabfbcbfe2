"""cloudtop-restore: it lists, it asks, and it overwrites nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support.load import ROOT
from tests.machine_programs.support.saved import Machine, Tree

FIRST, SECOND = "20260101T120000Z-i-0abc", "20260102T120000Z-i-0def"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def tree(machine: Machine) -> Tree:
    """A work tree with changes, which are saved."""
    tree = Tree(machine.array / "project")
    tree.push(machine)
    tree.write("file", "changed\n")
    tree.write("untracked", "new\n")
    machine.save(FIRST)
    return tree


def refused(machine: Machine, *words: str) -> str:
    done = machine.restore(*words)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def hint(machine: Machine) -> str:
    return (machine.volume / ".cloudtop/saved/hint").read_text()


def login(machine: Machine, options: str = "i") -> str:
    """The output of a login's shell."""
    template = (ROOT / "roles/spot_guard/templates/saved-work.sh.j2").read_text()
    place = "{{ (spot_guard_persistent ~ '/.cloudtop/saved/hint') | quote }}"
    script = template.replace(place, f"'{machine.volume}/.cloudtop/saved/hint'")
    return subprocess.run(
        ["bash", "--norc", f"-{options}c", script], capture_output=True, text=True, env={}
    ).stdout


def test_lists_what_is_not_back(machine: Machine, tree: Tree) -> None:
    assert f"{FIRST}/project" in machine.restored()
    assert str(tree.place) in machine.restored("--list")
    tree.lose()
    machine.restored("--all")
    assert "Nothing that was saved is waiting." in machine.restored()


def test_says_that_nothing_is_saved(machine: Machine) -> None:
    assert machine.restored() == "Nothing was saved.\n"
    assert login(machine) == ""


def test_the_login_message_stays_until_the_work_is_back(machine: Machine, tree: Tree) -> None:
    assert "Work of 1 place(s) was saved on 20" in login(machine)
    assert "cloudtop-restore" in login(machine)
    assert login(machine, "") == ""
    tree.lose()
    machine.restored("--all")
    assert hint(machine) == login(machine) == ""


def test_the_login_message_names_the_rest(machine: Machine, tree: Tree) -> None:
    Tree(machine.array / "other")
    machine.save(SECOND)
    tree.lose()
    machine.restored(str(tree.place))
    assert "Work of 2 place(s)" in hint(machine)


@pytest.mark.parametrize("how", ["changed", "a file", "a directory", "another commit"])
def test_does_not_overwrite(machine: Machine, tree: Tree, how: str) -> None:
    if how == "another commit":
        tree.git("reset", "-q", "--hard")
        (tree.place / "untracked").unlink()
        tree.commit_empty()
    elif how != "changed":
        tree.lose()
        if how == "a file":
            tree.place.write_text("mine")
        else:
            tree.place.mkdir()
            tree.write("mine", "mine")
    before = machine.snapshot_of(tree.place)
    sentence = f"{tree.place} exists and is not empty: nothing was overwritten."
    assert sentence in refused(machine, "--all")
    assert f"cloudtop-restore {FIRST}/project --to DIR" in refused(machine, "--all")
    assert machine.snapshot_of(tree.place) == before
    assert "Work of 1 place(s)" in hint(machine)


def test_into_a_clean_checkout_of_the_same_commit(machine: Machine, tree: Tree) -> None:
    before = tree.state()
    tree.git("stash", "push", "-q", "--include-untracked")
    tree.git("stash", "drop", "-q")
    assert tree.state() != before
    machine.restored("--all")
    assert tree.state() == before


def test_a_clean_checkout_keeps_its_ignored_files(machine: Machine, tree: Tree) -> None:
    tree.git("stash", "push", "-q", "--include-untracked")
    tree.git("stash", "drop", "-q")
    tree.write(".git/info/exclude", "untracked\n")
    tree.write("untracked", "mine\n")
    assert "nothing was overwritten" in refused(machine, "--all")
    assert (tree.place / "untracked").read_text() == "mine\n"
    assert (tree.place / "file").read_text() == "one\n"


def test_a_branch_that_went_on_is_left(machine: Machine, tree: Tree) -> None:
    tree.git("branch", "topic")
    machine.save(SECOND)
    tree.git("stash", "push", "-q", "--include-untracked")
    tree.git("stash", "drop", "-q")
    tree.git("switch", "-q", "topic")
    new = tree.commit_empty()
    tree.git("switch", "-q", "main")
    assert "topic is at another commit here" in machine.restored(f"{SECOND}/project")
    assert tree.git("rev-parse", "topic").strip() == new
    assert tree.git("rev-parse", "refs/saved-work/topic") == tree.git("rev-parse", "main")


def test_into_an_empty_directory(machine: Machine, tree: Tree) -> None:
    before = tree.state()
    tree.lose()
    tree.place.mkdir()
    machine.restored(str(tree.place))
    assert tree.state() == before


def test_to_another_place_as_often_as_wanted(machine: Machine, tree: Tree) -> None:
    for name in ("one", "two"):
        machine.restored(f"{FIRST}/project", "--to", str(machine.tree / "new" / name))
        assert (machine.tree / "new" / name / "untracked").read_text() == "new\n"
    assert "was put back already" in refused(machine, f"{FIRST}/project")


def test_of_two_states_of_a_place_the_newer_comes_back(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed again\n")
    machine.save(SECOND)
    tree.lose()
    assert f"{FIRST}/project is an older state" in machine.restored("--all")
    assert (tree.place / "file").read_text() == "changed again\n"


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_names_a_bundle_that_it_cannot_read(machine: Machine, tree: Tree, damage: str) -> None:
    bundle = machine.volume / f".cloudtop/saved/{FIRST}/project/1.bundle"
    content = bundle.read_bytes()
    bundle.write_bytes(b"garbage" if damage == "garbage" else content[:-200])
    tree.lose()
    assert f"The bundle {bundle} cannot be read" in refused(machine, "--all")
    assert list(machine.array.iterdir()) == []


def test_a_damaged_tree_costs_no_other(machine: Machine, tree: Tree) -> None:
    other = Tree(machine.array / "other")
    machine.save(SECOND)
    (machine.volume / f".cloudtop/saved/{SECOND}/other/modes").write_bytes(b"odd\tfile\0")
    tree.lose()
    other.lose()
    refused(machine, "--all")
    assert (tree.place / "untracked").read_text() == "new\n"


def test_names_a_tree_saved_in_part(machine: Machine, tree: Tree) -> None:
    item = machine.volume / f".cloudtop/saved/{FIRST}/project"
    (item / "complete").unlink()
    assert "(not all of it: time was short)" in machine.restored()
    tree.lose()
    assert "Not all of it had been saved: time was short" in machine.restored("--all")
    assert (tree.place / "untracked").read_text() == "new\n"


def test_names_the_rest_if_time_ran_out(machine: Machine, tree: Tree) -> None:
    (machine.volume / f".cloudtop/saved/{FIRST}/project/1.bundle").unlink()
    tree.lose()
    assert f"Nothing of {tree.place} was saved in time." in refused(machine, "--all")
    assert list(machine.array.iterdir()) == []


def test_forgets_after_asking(machine: Machine, tree: Tree) -> None:
    done = machine.restore("--drop", f"{FIRST}/project", input="n\n")
    assert (done.returncode, done.stderr) == (1, "Nothing was forgotten.\n")
    assert machine.restored("--drop", f"{FIRST}/project", "--yes").endswith("is forgotten.\n")
    assert "Nothing that was saved is waiting." in machine.restored()
    assert hint(machine) == ""
    assert machine.saved_files() == ["hint"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("elsewhere",), "Nothing was saved (or all is back) under the name 'elsewhere'."),
        (("--everything",), "There is no option --everything. See: cloudtop-restore --help"),
        (("one", "two"), "One NAME at a time, or --all."),
        (("--to",), "--to needs a value. See: cloudtop-restore --help"),
        (("--all", "--to", "x"), "--to goes with one NAME."),
        (("--drop",), "--drop needs the NAME of what to forget; see: cloudtop-restore"),
    ],
)
def test_refuses_unknown_calls(
    machine: Machine, tree: Tree, words: tuple[str, ...], sentence: str
) -> None:
    assert refused(machine, *words).startswith(sentence)
