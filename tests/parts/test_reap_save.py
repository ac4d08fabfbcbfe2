"""save-work: what is saved, what is not, and that no repository gets its programs run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.parts.saved import Machine, Tree

MIB = 1 << 20


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def tree(machine: Machine) -> Tree:
    """A clean work tree whose commits are on a remote."""
    tree = Tree(machine.array / "project")
    tree.push(machine)
    return tree


def paths(found: dict[str, list[dict[str, object]]]) -> set[object]:
    return {each["path"] for each in found["trees"]}


def test_clean_work_trees_leave_nothing_behind(machine: Machine, tree: Tree) -> None:
    Tree(machine.array / "bare", empty=True)
    assert machine.save()["trees"] == []
    assert machine.saved_files() == ["20260101T120000Z-i-0abc"]
    assert {place.name for place in machine.array.iterdir()} == {"project", "bare"}


def test_says_what_it_saved(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    tree.write("new", "new\n")
    saved = machine.save()
    (found,) = saved["trees"]
    assert (found["path"], found["item"], found["files"]) == (str(tree.place), "project", 2)
    assert found["complete"] is True
    assert len(found["commit"]) == 40
    assert saved["bytes"] == found["bytes"] > 0
    assert saved["directory"].endswith("/.cloudtop/saved/20260101T120000Z-i-0abc")


@pytest.mark.parametrize("what", ["commit", "stash", "staged", "deleted", "mode"])
def test_each_of_these_alone_is_work(machine: Machine, tree: Tree, what: str) -> None:
    if what == "commit":
        tree.write("new", "new\n")
        tree.commit("second")
    elif what == "deleted":
        (tree.place / "gone").unlink()
    elif what == "mode":
        (tree.place / "file").chmod(0o755)
    else:
        tree.write("file", "changed\n")
        tree.git(*(["stash", "-q"] if what == "stash" else ["add", "file"]))
    assert paths(machine.save()) == {str(tree.place)}


def test_a_remote_on_the_same_array_is_none(machine: Machine) -> None:
    tree = Tree(machine.array / "project")
    tree.push(machine)
    tree.git("remote", "set-url", "origin", str(machine.array / "project.git"))
    assert paths(machine.save()) == {str(tree.place)}


def test_a_remote_on_the_volume_is_one(machine: Machine, tree: Tree) -> None:
    tree.git("remote", "set-url", "origin", str(machine.volume / "project.git"))
    assert paths(machine.save()) == set()


def test_ignored_files_are_not_saved(machine: Machine, tree: Tree) -> None:
    tree.write(".gitignore", "build/\n")
    tree.write(".git/info/exclude", "scratch\n")
    (machine.home / ".config/git").mkdir(parents=True)
    (machine.home / ".config/git/ignore").write_text("*.swp\n")
    for name in ("build/out", "scratch", "x.swp"):
        tree.write(name, os.urandom(100))
    (found,) = machine.save()["trees"]
    assert found["files"] == 1
    tree.lose()
    machine.restored("--all")
    names = {place.name for place in tree.place.iterdir()}
    assert names == {".git", ".gitignore", "file", "gone", "old name"}


def test_only_the_configured_folders_are_looked_at(machine: Machine) -> None:
    for name in ("one", "two/deep", "docker/volumes/x", "three", "two/node_modules/y"):
        (machine.array / name).parent.mkdir(parents=True, exist_ok=True)
        Tree(machine.array / name)
    machine.settings["folders"] = f"{machine.array / 'one'}\n{machine.array / 'two'}"
    assert paths(machine.save()) == {str(machine.array / name) for name in ("one", "two/deep")}
    machine.settings["folders"] = ""
    machine.settings["excluded"] = f"{machine.array / 'docker'}\n{machine.array / 'three'}"
    found = machine.save("20260102T120000Z-i-0abc")
    assert paths(found) == {str(machine.array / name) for name in ("one", "two/deep")}


def test_no_more_than_so_many_trees_and_so_deep(machine: Machine) -> None:
    for name in ("a", "b", "c", "deep/er/than"):
        (machine.array / name).parent.mkdir(parents=True, exist_ok=True)
        Tree(machine.array / name)
    machine.settings |= {"trees": 2, "depth": 2}
    found = machine.save()
    assert len(found["trees"]) == 2
    assert "There are 2 git work trees or more" in found["said"]
    machine.settings["trees"] = 9
    assert len(machine.save("20260102T120000Z-i-0abc")["trees"]) == 3


def test_files_over_the_cap_are_left_out_the_largest_first(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    tree.write("large", os.urandom(3 * MIB))
    tree.write("larger", os.urandom(9 * MIB))
    machine.settings["tree_cap_mib"] = 4
    saved = machine.save()
    (found,) = saved["trees"]
    assert (found["files"], found["complete"]) == (2, False)
    assert found["trouble"] == "1 files do not fit into 4 MiB or cannot be read"
    assert "Not all of" in saved["said"]
    tree.lose()
    assert "Left out: larger" in machine.restored("--all")
    assert (tree.place / "large").stat().st_size == 3 * MIB
    assert (tree.place / "file").read_text() == "changed\n"
    assert not (tree.place / "larger").exists()


def test_the_cap_of_all_is_dealt_from_the_smallest_up(machine: Machine) -> None:
    for name, mib in (("small", 1), ("middle", 2), ("large", 5)):
        Tree(machine.array / name).write("data", os.urandom(mib * MIB))
    machine.settings["total_cap_mib"] = 4
    found = {each["item"]: each["complete"] for each in machine.save()["trees"]}
    assert found == {"small": True, "middle": True, "large": False}


def test_a_history_over_the_cap_leaves_the_files(machine: Machine) -> None:
    tree = Tree(machine.array / "project")
    tree.write("old", os.urandom(3 * MIB))
    tree.commit("large")
    tree.write("file", "changed\n")
    tree.write("new", "new\n")
    machine.settings["tree_cap_mib"] = 2
    (found,) = machine.save()["trees"]
    assert (found["files"], found["complete"]) == (2, False)
    assert found["trouble"] == "its history was not saved (3 MiB)"
    tree.lose()
    machine.restored("--all")
    assert {place.name for place in tree.place.iterdir()} == {"file", "new"}


def test_when_time_ends_what_is_there_can_be_restored(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    tree.write("large", os.urandom(3 * MIB))
    # Time ends when the second bundle is begun
    machine.stub(
        "git", 'case "$*" in *2.bundle*) kill "$PPID"; exit 1 ;; esac; exec /usr/bin/git "$@"'
    )
    (found,) = machine.save()["trees"]
    assert (found["complete"], found["trouble"]) == (False, "there was no time for all of it")
    tree.lose()
    (machine.tree / "bin/git").unlink()
    assert "Not all of it had been saved" in machine.restored("--all")
    assert (tree.place / "file").read_text() == "changed\n"


def test_without_any_time_nothing_is_saved_and_it_says_so(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    assert machine.save(seconds=-5)["trees"] == []


def test_a_corrupt_repository_leaves_its_files(machine: Machine) -> None:
    tree = Tree(machine.array / "project")
    blob = tree.git("rev-parse", "HEAD:file").strip()
    tree.write("file", "two\n")
    tree.commit("second")
    tree.write("new", "new\n")
    (tree.place / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    (found,) = machine.save()["trees"]
    assert (found["files"], found["complete"]) == (1, False)
    tree.lose()
    machine.restored("--all")
    assert (tree.place / "new").read_text() == "new\n"


def test_what_git_cannot_read_is_named(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    (machine.array / "odd/.git").mkdir(parents=True)
    found = {each["item"]: each for each in machine.save()["trees"]}
    assert found["project"]["complete"] is True
    assert found["odd"]["trouble"].startswith("git cannot read it: fatal: not a git repository")


def test_a_configuration_that_names_programs_gets_none_run(machine: Machine, tree: Tree) -> None:
    trap = machine.tree / "trapped"
    program = machine.tree / "trap"
    program.write_text(f'#!/bin/sh\necho "$*" >>"{trap}"\ncat\n')
    program.chmod(0o755)
    for key in (
        *("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process"),
        *("diff.evil.textconv", "diff.evil.command", "diff.external", "core.sshCommand"),
        *("gpg.program", "core.pager", "core.editor", "credential.helper"),
    ):
        tree.git("config", key, str(program))
    for key in ("commit.gpgSign", "log.showSignature", "filter.evil.required"):
        tree.git("config", key, "true")
    tree.git("config", "core.hooksPath", str(tree.place / ".git/evil"))
    for hook in ("post-index-change", "pre-commit", "reference-transaction", "post-checkout"):
        tree.write(f".git/evil/{hook}", program.read_bytes(), 0o755)
    tree.write(".git/info/attributes", "* filter=evil diff=evil\n")
    tree.write("file", "changed\n")
    tree.write("new", "new\n")
    (found,) = machine.save()["trees"]
    assert (found["complete"], found["files"]) == (True, 2)
    was = tree.lose()
    machine.restored("--all")
    assert not trap.exists()
    assert (tree.place / "file").read_text() == "changed\n"
    was.git("status")
    assert trap.exists()


def test_a_submodule_with_such_a_configuration_too(machine: Machine, tree: Tree) -> None:
    trap = machine.tree / "trapped"
    library = Tree(machine.tree / "library")
    tree.git("submodule", "add", "-q", str(library.place), "sub")
    program = tree.write(".git/trap", f'#!/bin/sh\necho "$*" >>"{trap}"\ncat\n', 0o755)
    inner = tree.place / "sub"
    (inner / "file").write_text("changed\n")
    for key in ("core.fsmonitor", "filter.evil.clean"):
        tree.git("config", key, str(program), cwd=inner)
    tree.write(".git/modules/sub/info/attributes", "* filter=evil\n")
    assert paths(machine.save()) == {str(tree.place), str(inner)}
    assert not trap.exists()


def test_everything_of_another_owner_is_done_as_that_owner(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    # To the program it is another's tree than its own
    machine.stub("id", "echo 4711")
    machine.stub("setpriv", 'echo "setpriv $*" >>"$TREE/log"; shift 5; exec "$@"')
    (found,) = machine.save()["trees"]
    assert found["complete"] is True
    calls = [line for line in machine.log if line.startswith("setpriv")]
    expected = f"setpriv --reuid {os.getuid()} --regid 4711 --init-groups env -i PATH="
    assert len(calls) == 3
    for call in calls:
        assert call.startswith(expected)
        assert f"HOME={machine.home} LC_ALL=C sh " in call


def test_listed_paths_are_copied_and_come_back(machine: Machine) -> None:
    place = machine.home / ".config/tool"
    place.mkdir(parents=True)
    (place / "state").write_text("state\n")
    (place / "link").symlink_to("state")
    single = machine.home / "my history"
    single.write_text("ls\n")
    single.chmod(0o600)
    machine.settings["paths"] = f"{place}\n{single}\n{machine.home / 'absent'}"
    saved = machine.save()
    assert {each["path"]: each["complete"] for each in saved["paths"]} == {
        str(place): True,
        str(single): True,
    }
    assert f"There is no {machine.home / 'absent'}" in saved["said"]
    place.rename(machine.tree / "was")
    single.unlink()
    machine.restored("--all")
    assert ((place / "state").read_text(), (place / "link").is_symlink()) == ("state\n", True)
    assert single.stat().st_mode & 0o777 == 0o600


def test_a_path_over_the_cap_is_not_copied(machine: Machine) -> None:
    place = machine.home / "data"
    place.write_bytes(os.urandom(2 * MIB))
    machine.settings |= {"paths": place, "tree_cap_mib": 1}
    (found,) = machine.save()["paths"]
    assert (found["complete"], found["trouble"]) == (False, "2 MiB do not fit into 1 MiB")
