"""save-work and what it must not trust: repositories, their owners, and other places."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

import pytest
from cloudtop_machine.saved_work.owner import NOGROUP, look_up

from tests.machine_programs.support.saved import Machine, Tree, place_for_all_users

MIB = 1 << 20


@pytest.fixture
def machine() -> Iterator[Machine]:
    with place_for_all_users() as place:
        yield Machine(place)


@pytest.fixture
def tree(machine: Machine) -> Tree:
    """A clean work tree whose commits are on a remote."""
    tree = Tree(machine.array / "project")
    tree.push(machine)
    return tree


def paths(report: dict[str, list[dict[str, object]]]) -> set[object]:
    return {each["path"] for each in report["trees"]}


def test_a_corrupt_repository_leaves_its_files(machine: Machine) -> None:
    tree = Tree(machine.array / "project")
    blob = tree.git("rev-parse", "HEAD:file").strip()
    tree.write("file", "two\n")
    tree.commit("second")
    tree.write("new", "new\n")
    (tree.place / f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    (tree_report,) = machine.save()["trees"]
    assert (tree_report["files"], tree_report["complete"]) == (1, False)
    tree.lose()
    machine.restored("--all")
    assert (tree.place / "new").read_text() == "new\n"


def test_what_git_cannot_read_is_named(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    (machine.array / "odd/.git").mkdir(parents=True)
    reports = {each["item"]: each for each in machine.save()["trees"]}
    assert reports["project"]["complete"] is True
    assert reports["odd"]["trouble"].startswith("git cannot read it: fatal: not a git repository")


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
    (tree_report,) = machine.save()["trees"]
    assert (tree_report["complete"], tree_report["files"]) == (True, 2)
    was = tree.lose()
    machine.restored("--all")
    assert not trap.exists()
    assert (tree.place / "file").read_text() == "changed\n"
    # It is a trap: whoever uses git there falls into it
    with contextlib.suppress(subprocess.CalledProcessError):
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
    """As root: with the number, groups and home of the owner, and nothing of root's."""
    tree.write("file", "changed\n")
    uid, gid = (4711, 4712) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    (machine.tree / "etc/passwd").write_text(f"them:x:{uid}:{gid}:Them:{machine.home}:/bin/sh\n")
    (machine.tree / "etc/group").write_text("a:x:4713:other,them\nb:x:4714:other\n")
    for place in (tree.place, *tree.place.rglob("*")):
        os.chown(place, uid, gid, follow_symlinks=False)
    log = machine.tree / "git"
    log.touch()
    log.chmod(0o666)
    machine.stub(
        "git", 'echo "$(id -u) $(id -G) $HOME $TERM" >>"$TREE/git"; exec /usr/bin/git "$@"'
    )
    (item,) = machine.save()["trees"]
    assert item["complete"] is True
    groups = f"{gid} 4713" if os.geteuid() == 0 else " ".join(map(str, os.getgroups()))
    assert set(log.read_text().splitlines()) == {f"{uid} {groups} {machine.home} "}
    place = machine.volume / ".cloudtop/saved/20260101T120000Z-i-0abc/project"
    assert {each.stat().st_uid for each in (place, *place.rglob("*"))} == {uid}


def test_a_users_number_without_a_user_gets_no_group_of_that_number(machine: Machine) -> None:
    machine.stub("getent", "exit 2")
    owner = look_up(999, str(machine.tree / "etc"))
    assert (owner.uid, owner.gid, owner.groups) == (999, NOGROUP, ())


def test_a_directory_service_that_does_not_answer_is_left(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    (machine.tree / "etc/passwd").write_text("")
    machine.stub("getent", "exec tail -f /dev/null")
    (item,) = machine.save()["trees"]
    assert item["complete"] is True


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
    (path_report,) = machine.save()["paths"]
    assert (path_report["complete"], path_report["trouble"]) == (
        False,
        "2 MiB do not fit into 1 MiB",
    )


def test_a_directory_that_is_exchanged_during_a_save_leads_root_nowhere(
    machine: Machine, tree: Tree
) -> None:
    """The volume's root is the user's, and a container may have it."""
    tree.write("file", "changed\n")
    elsewhere, top = machine.tree / "elsewhere", machine.volume / ".cloudtop"
    for number in range(25):
        (elsewhere / f"saved/20250101T0000{number:02}Z-i-0abc/kept").mkdir(parents=True)
    reap = "20260101T120000Z-i-0abc"
    (elsewhere / "saved" / reap).mkdir()
    before = sorted(elsewhere.rglob("*"))
    exchange = f'mv "{top}" "{top}.was"; ln -s "{elsewhere}" "{top}"'
    machine.stub("git", f'[ -L "{top}" ] || {{ {exchange}; }}\nexec /usr/bin/git "$@"')
    machine.save(reap)
    assert sorted(elsewhere.rglob("*")) == before
    assert (machine.volume / f".cloudtop.was/saved/{reap}/report.json").exists()


@pytest.mark.parametrize("name", ["report.json", "hint"])
def test_a_report_that_cannot_be_written_costs_no_work(
    machine: Machine, tree: Tree, name: str
) -> None:
    tree.write("file", "changed\n")
    reap = "20260101T120000Z-i-0abc"
    saved = machine.volume / ".cloudtop/saved"
    (saved / name if name == "hint" else saved / reap / name).mkdir(parents=True)
    machine_saved = machine.save(reap)
    assert machine_saved["trees"][0]["complete"] is True
    assert [each["path"].rpartition("/")[2] for each in machine_saved["not_saved"]] == [name]


def test_a_machine_without_an_array_has_nothing_to_save(machine: Machine) -> None:
    machine.array.rmdir()
    assert machine.save()["trees"] == []
