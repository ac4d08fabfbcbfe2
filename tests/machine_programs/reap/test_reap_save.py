"""save-work: what is saved, what is not, and that no repository gets its programs run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.machine_programs.support.saved import Machine, Tree

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


def paths(report: dict[str, list[dict[str, object]]]) -> set[object]:
    return {each["path"] for each in report["trees"]}


def test_clean_work_trees_leave_nothing_behind(machine: Machine, tree: Tree) -> None:
    Tree(machine.array / "bare", empty=True)
    assert machine.save()["trees"] == []
    assert machine.saved_files() == ["20260101T120000Z-i-0abc"]
    assert {place.name for place in machine.array.iterdir()} == {"project", "bare"}


def test_says_what_it_saved(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    tree.write("new", "new\n")
    saved = machine.save()
    (tree_report,) = saved["trees"]
    assert (tree_report["path"], tree_report["item"], tree_report["files"]) == (
        str(tree.place),
        "project",
        2,
    )
    assert tree_report["complete"] is True
    assert len(tree_report["commit"]) == 40
    assert saved["bytes"] == tree_report["bytes"] > 0
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
    (tree_report,) = machine.save()["trees"]
    assert tree_report["files"] == 1
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
    report = machine.save("20260102T120000Z-i-0abc")
    assert paths(report) == {str(machine.array / name) for name in ("one", "two/deep")}


def test_no_more_than_so_many_trees_and_so_deep(machine: Machine) -> None:
    for name in ("a", "b", "c", "deep/er/than"):
        (machine.array / name).parent.mkdir(parents=True, exist_ok=True)
        Tree(machine.array / name)
    machine.settings |= {"trees": 2, "depth": 2}
    report = machine.save()
    assert len(report["trees"]) == 2
    assert "There are 2 git work trees or more" in report["said"]
    machine.settings["trees"] = 9
    assert len(machine.save("20260102T120000Z-i-0abc")["trees"]) == 3


def test_files_over_the_cap_are_left_out_the_largest_first(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    tree.write("large", os.urandom(3 * MIB))
    tree.write("larger", os.urandom(9 * MIB))
    machine.settings["tree_cap_mib"] = 4
    saved = machine.save()
    (tree_report,) = saved["trees"]
    assert (tree_report["files"], tree_report["complete"]) == (2, False)
    assert tree_report["trouble"] == "1 files do not fit into 4 MiB or cannot be read"
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
    outcomes = {each["item"]: each["complete"] for each in machine.save()["trees"]}
    assert outcomes == {"small": True, "middle": True, "large": False}


def test_a_history_over_the_cap_leaves_the_files(machine: Machine) -> None:
    tree = Tree(machine.array / "project")
    tree.write("old", os.urandom(3 * MIB))
    tree.commit("large")
    tree.write("file", "changed\n")
    tree.write("new", "new\n")
    machine.settings["tree_cap_mib"] = 2
    (tree_report,) = machine.save()["trees"]
    assert (tree_report["files"], tree_report["complete"]) == (2, False)
    assert tree_report["trouble"] == "its history was not saved (3 MiB)"
    tree.lose()
    machine.restored("--all")
    assert {place.name for place in tree.place.iterdir()} == {"file", "new"}


def test_when_time_ends_what_is_there_can_be_restored(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    tree.write("large", os.urandom(3 * MIB))
    # Time ends when the second bundle is begun
    machine.stub("git", 'case "$*" in *2.bundle*) kill 0 ;; esac; exec /usr/bin/git "$@"')
    (tree_report,) = machine.save()["trees"]
    assert (tree_report["complete"], tree_report["trouble"]) == (
        False,
        "there was no time for all of it",
    )
    tree.lose()
    (machine.tree / "bin/git").unlink()
    assert "Not all of it had been saved" in machine.restored("--all")
    assert (tree.place / "file").read_text() == "changed\n"


@pytest.mark.parametrize("cpus", [1, 2, 3, 16])
def test_larger_files_are_shared_out_and_all_come_back(
    machine: Machine, tree: Tree, cpus: int
) -> None:
    machine.settings["cpus"] = cpus
    names = ["large", "other large\n", "-n", "deep/a", "deep/b", "run", "changed"]
    tree.write("changed", os.urandom(2 * MIB))
    tree.commit("a large one")
    for number, name in enumerate(names):
        tree.write(name, bytes([number]) * 2 * MIB + os.urandom(100))
    tree.git("add", "run")
    tree.write("run", os.urandom(2 * MIB))
    (tree.place / "run").chmod(0o750)
    (tree.place / "small link").symlink_to("changed")
    before = tree.state()
    (tree_report,) = machine.save()["trees"]
    assert (tree_report["files"], tree_report["complete"]) == (8, True)
    bundles = list(machine.volume.glob(".cloudtop/saved/*/*/[0-9]*.bundle"))
    assert len(bundles) == 1 + min(cpus, len(names))
    # No file is in two of them
    assert sum(place.stat().st_size for place in bundles) < (2 * len(names) + 5) * MIB
    tree.lose()
    machine.restored("--all")
    assert tree.state() == before


def test_larger_files_that_can_not_be_bundled_cost_no_others(machine: Machine, tree: Tree) -> None:
    machine.settings["cpus"] = 3
    tree.write("file", "changed\n")
    for name in ("a", "b", "c"):
        tree.write(name, os.urandom(2 * MIB))
    machine.stub("git", 'case "$*" in *3.bundle*) exit 1 ;; esac; exec /usr/bin/git "$@"')
    (tree_report,) = machine.save()["trees"]
    assert (tree_report["complete"], tree_report["trouble"]) == (
        False, "its larger files could not all be saved",
    )  # fmt: skip
    tree.lose()
    (machine.tree / "bin/git").unlink()
    assert "Not all of it had been saved" in machine.restored("--all")
    assert (tree.place / "file").read_text() == "changed\n"
    # It is of the first share, not of those that need what is missing
    assert len({"a", "b", "c"} & {place.name for place in tree.place.iterdir()}) == 1


def test_larger_files_that_can_not_be_shared_out_are_not_called_saved(
    machine: Machine, tree: Tree
) -> None:
    tree.write("large", os.urandom(2 * MIB))
    machine.stub("git", 'case "$*" in *refs/saved/share/*) exit 1 ;; esac; exec /usr/bin/git "$@"')
    (tree_report,) = machine.save()["trees"]
    assert (tree_report["complete"], tree_report["trouble"]) == (
        False, "its larger files could not all be saved",
    )  # fmt: skip


def test_without_any_time_nothing_is_saved_and_it_says_so(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    assert machine.save(seconds=-5)["trees"] == []
