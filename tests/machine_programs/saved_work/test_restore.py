"""Saved and put back: after the machine is lost a work tree is as it was, to the byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.machine_programs.support.saved import REMOTE, Machine, Tree


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def tree(machine: Machine) -> Tree:
    return Tree(machine.array / "project")


def round_trip(machine: Machine, tree: Tree) -> Tree:
    """Saved whole, lost, restored, the same; returns what it was."""
    before = tree.state()
    saved = machine.save()
    assert [each["complete"] for each in saved["trees"]] == [True], saved
    assert tree.state() == before
    was = tree.lose()
    machine.restored("--all")
    assert tree.state() == before
    return was


def everything(tree: Tree) -> None:
    tree.write("file", "two\n")
    (tree.place / "gone").unlink()
    tree.git("mv", "old name", "new name")
    tree.write("deep/er/untracked", "new\n")
    tree.write("binary", bytes(range(256)) * 40)
    tree.write("run", "#!/bin/sh\n", 0o755)
    tree.write("secret", "hush\n", 0o600)
    tree.write("a b\nc\td 'é\"", "strange\n")
    tree.write("-rf", "option\n")
    (tree.place / "link").symlink_to("nowhere/at all")
    tree.write("staged", "staged\n")
    tree.git("add", "staged")
    tree.write("staged", "and changed\n")
    tree.write("only staged", "only staged\n")
    tree.git("add", "only staged")
    (tree.place / "only staged").unlink()


def test_everything_at_once(machine: Machine, tree: Tree) -> None:
    tree.push(machine)
    everything(tree)
    round_trip(machine, tree)


def test_without_a_remote(machine: Machine, tree: Tree) -> None:
    everything(tree)
    tree.git("tag", "-a", "v1", "-m", "v1")
    round_trip(machine, tree)


def test_without_commits(machine: Machine) -> None:
    tree = Tree(machine.array / "project", empty=True)
    tree.write("file", "new\n")
    tree.write("other", "staged\n")
    tree.git("add", "other")
    round_trip(machine, tree)


def test_commits_that_no_remote_has(machine: Machine, tree: Tree) -> None:
    tree.push(machine)
    tree.git("switch", "-q", "-c", "topic/one")
    tree.write("file", "topic\n")
    tree.commit("topic")
    tree.git("switch", "-q", "main")
    round_trip(machine, tree)
    assert tree.git("log", "-1", "--format=%s", "topic/one") == "topic\n"
    assert tree.git("rev-parse", "--abbrev-ref", "main@{upstream}") == "origin/main\n"


def test_a_detached_head(machine: Machine, tree: Tree) -> None:
    tree.push(machine)
    tree.git("checkout", "-q", "--detach")
    tree.write("file", "detached\n")
    tree.commit("nowhere")
    round_trip(machine, tree)


def test_stashes(machine: Machine, tree: Tree) -> None:
    tree.push(machine)
    for number in ("one", "two"):
        tree.write("file", f"{number}\n")
        tree.write(f"untracked {number}", f"{number}\n")
        tree.git("stash", "push", "-q", "--include-untracked", "-m", f"stash {number}")
    round_trip(machine, tree)
    tree.git("stash", "pop", "-q", "stash@{1}")
    assert (tree.place / "untracked one").read_text() == "one\n"


def test_a_file_in_place_of_a_directory_and_the_other_way_round(
    machine: Machine, tree: Tree
) -> None:
    tree.write("directory/inner", "inner\n")
    tree.write("plain", "plain\n")
    tree.commit("second")
    (tree.place / "directory/inner").unlink()
    (tree.place / "directory").rmdir()
    tree.write("directory", "a file now\n")
    (tree.place / "plain").unlink()
    tree.write("plain/inner", "a directory now\n")
    round_trip(machine, tree)


def test_line_endings_and_filters_keep_the_bytes(machine: Machine, tree: Tree) -> None:
    tree.write(".gitattributes", "*.txt text eol=crlf\n")
    tree.write("clean.txt", "as committed\r\n")
    tree.write("dos.txt", "one\r\ntwo\r\n")
    tree.commit("text")
    tree.write("dos.txt", "mixed\r\nup\n")
    round_trip(machine, tree)


def test_in_the_middle_of_a_merge_the_files_come_back(machine: Machine, tree: Tree) -> None:
    tree.git("switch", "-q", "-c", "other")
    tree.write("file", "other\n")
    tree.commit("other")
    tree.git("switch", "-q", "main")
    tree.write("file", "mine\n")
    tree.commit("mine")
    with pytest.raises(Exception, match="returned non-zero"):
        tree.git("merge", "other")
    before = tree.state()["files"]
    assert "<<<<<<<" in before["file"]
    machine.save()
    tree.lose()
    machine.restored("--all")
    assert tree.state()["files"] == before
    assert tree.git("branch", "--format=%(refname:short)").split() == ["main", "other"]


def test_a_linked_work_tree_becomes_one_of_its_own(machine: Machine, tree: Tree) -> None:
    linked = machine.array / "linked"
    tree.git("worktree", "add", "-q", "-b", "side", str(linked))
    (linked / "untracked").write_text("side\n")
    saved = machine.save()
    assert {each["path"] for each in saved["trees"]} == {str(tree.place), str(linked)}
    for place in (tree.place, linked):
        place.rename(machine.tree / f"was-{place.name}")
    machine.restored("--all")
    assert (linked / "untracked").read_text() == "side\n"
    assert tree.git("branch", "--show-current", cwd=linked) == "side\n"


def test_a_submodule_and_its_parent(machine: Machine, tree: Tree) -> None:
    library = Tree(machine.tree / "library")
    tree.git("submodule", "add", "-q", str(library.place), "sub")
    tree.commit("submodule")
    tree.write("file", "outer\n")
    (tree.place / "sub/file").write_text("inner\n")
    machine.save()
    tree.lose()
    machine.restored("--all")
    assert (tree.place / "file").read_text() == "outer\n"
    assert (tree.place / "sub/file").read_text() == "inner\n"
    assert tree.git("status", "--porcelain").splitlines() == [" M file", " M sub"]


def test_a_shallow_clone(machine: Machine) -> None:
    origin = Tree(machine.tree / "origin")
    origin.write("file", "two\n")
    origin.commit("second")
    clone = machine.array / "project"
    origin.git("clone", "-q", "--depth", "1", f"file://{origin.place}", str(clone))
    tree = object.__new__(Tree)
    tree.place = clone
    tree.git("remote", "set-url", "origin", f"{REMOTE}/project")
    tree.write("untracked", "new\n")
    round_trip(machine, tree)
    assert len(tree.git("log", "--format=%H").split()) == 1


def test_history_that_does_not_fit_comes_from_the_remote(machine: Machine, tree: Tree) -> None:
    tree.write("large", os.urandom(3 << 20))
    tree.commit("large")
    tree.push(machine)
    tree.write("file", "changed\n")
    machine.settings["tree_cap_mib"] = 2
    assert [each["complete"] for each in machine.save()["trees"]] == [True]
    assert not [name for name in machine.saved_files() if "base" in name]
    before = tree.state()
    tree.lose()
    refused = machine.restore("--all")
    assert refused.returncode == 1
    assert "1.bundle cannot be read" in refused.stderr
    assert not tree.place.exists()
    (machine.home / ".gitconfig").write_text(
        f'[url "{machine.tree}/"]\n\tinsteadOf = {REMOTE}{machine.tree}/\n'
    )
    assert "Fetching the history" in machine.restored("--all")
    assert {**tree.state(), "refs": before["refs"]} == before
