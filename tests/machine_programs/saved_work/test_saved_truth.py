"""save-work says the truth: what it cannot save it names, and only then it is not complete."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cloudtop_machine.saved_work import old_saves
from cloudtop_machine.saved_work.children import Job, Tell, run

from tests.machine_programs.support.saved import REMOTE, Machine, Tree, place_for_all_users

MIB = 1 << 20
SECOND = "20260102T120000Z-i-0abc"


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


def not_saved(report: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: each["why"] for each in report["not_saved"]}


def round_trip(machine: Machine, tree: Tree) -> dict[str, Any]:
    """Saved whole, lost, restored, the same; returns the report."""
    before = tree.state()
    report = machine.save()
    assert (report["complete"], report["not_saved"]) == (True, [])
    tree.lose()
    machine.restored("--all")
    assert tree.state() == before
    return report


def pointer(content: bytes) -> str:
    """The text that git-lfs commits in place of contents."""
    name = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"


def lfs(machine: Machine, tree: Tree) -> None:
    """git-lfs as far as these tests need it, in the user's configuration."""
    program = machine.tree / "bin/git-lfs"
    program.write_text(
        "#!/usr/bin/python3 -IS\n"
        "import hashlib, pathlib, sys\n"
        "data = sys.stdin.buffer.read()\n"
        "if data.startswith(b'version https://git-lfs'):\n"
        "    sys.stdout.buffer.write(data); sys.exit()\n"
        "name = hashlib.sha256(data).hexdigest()\n"
        "place = pathlib.Path('.git/lfs/objects', name[:2], name[2:4], name)\n"
        "place.parent.mkdir(parents=True, exist_ok=True); place.write_bytes(data)\n"
        "print(f'version https://git-lfs.github.com/spec/v1\\noid sha256:{name}')\n"
        "print(f'size {len(data)}')\n"
    )
    program.chmod(0o755)
    tree.options = ["-c", f"filter.lfs.clean={program}", "-c", "filter.lfs.required=true"]
    tree.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")


def test_a_complete_save_has_limits_and_nothing_else(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    report = machine.save()
    assert (report["complete"], report["not_saved"]) == (True, [])
    assert any("ignores" in sentence for sentence in report["limits"])
    assert any("node_modules" in sentence for sentence in report["limits"])
    place = machine.volume / ".cloudtop/saved/20260101T120000Z-i-0abc/report.json"
    assert '"complete": true' in place.read_text()


def test_a_folder_that_its_owner_can_not_read_is_named(machine: Machine, tree: Tree) -> None:
    tree.write("new", "new\n")
    tree.write("pgdata/base", "rows\n")
    machine.hand_over(tree.place)
    machine.close(tree.place / "pgdata")
    report = machine.save()
    machine.open(tree.place / "pgdata")
    assert report["complete"] is False
    assert not_saved(report) == {
        str(tree.place / "pgdata"): "it cannot be read (Permission denied)"
    }
    assert "pgdata: it cannot be read" in report["said"]
    assert report["trees"][0]["files"] == 1


def test_such_a_folder_alone_is_named_too(machine: Machine, tree: Tree) -> None:
    tree.write("pgdata/base", "rows\n")
    machine.hand_over(tree.place)
    machine.close(tree.place / "pgdata")
    report = machine.save()
    machine.open(tree.place / "pgdata")
    assert report["complete"] is False
    assert str(tree.place / "pgdata") in not_saved(report)


def test_a_file_that_its_owner_can_not_read_costs_no_others(machine: Machine, tree: Tree) -> None:
    for name in ("new", "other", "secret"):
        tree.write(name, f"{name}\n")
    machine.hand_over(tree.place)
    machine.close(tree.place / "secret")
    report = machine.save()
    machine.open(tree.place / "secret")
    assert str(tree.place / "secret") in not_saved(report)
    assert report["trees"][0]["files"] == 2


@pytest.mark.parametrize("written", [0, 1_000_000_000], ids=["just now", "long ago"])
def test_contents_of_git_lfs_that_were_not_pushed_come_back(
    machine: Machine, tree: Tree, written: int
) -> None:
    """Files that are older than git's index are not compared by their contents."""
    lfs(machine, tree)
    content = os.urandom(3_000_000)
    place = tree.write("model.bin", content)
    tree.commit("a model")
    if written:
        os.utime(place, (written, written))
        tree.git("update-index", "--refresh")
    assert tree.git("cat-file", "-p", "HEAD:model.bin") == pointer(content)
    report = machine.save()
    assert report["complete"] is True
    assert report["bytes"] > 3_000_000
    tree.lose()
    machine.restored("--all")
    assert (tree.place / "model.bin").read_bytes() == content
    assert tree.git("status", "--porcelain") == ""


def test_contents_of_git_lfs_that_do_not_fit_are_named(machine: Machine, tree: Tree) -> None:
    lfs(machine, tree)
    tree.write("model.bin", os.urandom(3 * MIB))
    tree.commit("a model")
    machine.settings["tree_cap_mib"] = 2
    report = machine.save()
    assert report["complete"] is False
    assert any("git-lfs" in why for why in not_saved(report).values())


def test_earlier_contents_of_git_lfs_come_back_too(machine: Machine, tree: Tree) -> None:
    lfs(machine, tree)
    for number in (1, 2):
        tree.write("model.bin", bytes([number]) * 9000)
        tree.commit(f"model {number}")
    tree.write("staged.bin", b"3" * 9000)
    tree.git("add", "staged.bin")
    machine.save()
    was = tree.lose()
    machine.restored("--all")
    names = {each.name for each in (was.place / ".git/lfs").rglob("*") if each.is_file()}
    assert {each.name for each in (tree.place / ".git/lfs").rglob("*") if each.is_file()} == names
    assert len(names) == 3


@pytest.mark.parametrize("place", [".git/annex/objects/a/b/c", ".dvc/cache/files/md5/00/11"])
def test_contents_outside_git_of_other_programs_are_named(
    machine: Machine, tree: Tree, place: str
) -> None:
    tree.write(".git/info/exclude", ".dvc\n")
    tree.write(place, "contents\n")
    report = machine.save()
    assert report["complete"] is False
    (path,) = not_saved(report)
    assert str(tree.place / place).startswith(path)


@pytest.mark.parametrize("flag", ["assume-unchanged", "skip-worktree"])
@pytest.mark.parametrize("what", ["changed", "same", "more"])
def test_files_that_git_does_not_look_at(
    machine: Machine, tree: Tree, flag: str, what: str
) -> None:
    tree.git("update-index", f"--{flag}", "file")
    if what != "same":
        tree.write("file", "mine\n")
    if what != "changed":
        tree.write("new", "new\n")
    round_trip(machine, tree)
    tags = tree.git("ls-files", "-v", "file").split()[0]
    assert tags == ("h" if flag == "assume-unchanged" else "S")


def test_a_file_that_git_assumes_to_be_there_and_is_gone(machine: Machine, tree: Tree) -> None:
    tree.git("update-index", "--assume-unchanged", "gone")
    (tree.place / "gone").unlink()
    round_trip(machine, tree)


def test_a_sparse_checkout_stays_one(machine: Machine, tree: Tree) -> None:
    tree.write("in/file", "in\n")
    tree.write("out/file", "out\n")
    tree.commit("two folders")
    tree.git("sparse-checkout", "set", "in")
    assert not (tree.place / "out").exists()
    tree.write("in/new", "new\n")
    round_trip(machine, tree)
    assert tree.git("sparse-checkout", "list") == "in\n"


@pytest.mark.parametrize("ref", ["refs/notes/commits", "refs/tags/mine", "refs/other/mine"])
def test_commits_that_only_another_reference_has(machine: Machine, tree: Tree, ref: str) -> None:
    tree.git("switch", "-q", "--detach")
    commit = tree.commit_empty()
    tree.git("update-ref", ref, commit)
    tree.git("switch", "-q", "main")
    round_trip(machine, tree)
    assert tree.git("rev-parse", ref).strip() == commit


def test_an_annotated_tag_of_a_file_and_a_note(machine: Machine, tree: Tree) -> None:
    tree.git("tag", "-a", "-m", "a file", "v1", "HEAD:file")
    tree.git("notes", "add", "-m", "a note")
    round_trip(machine, tree)


LOCAL = [
    *("file:///srv/git/project.git", "/srv/git/project.git", "../project.git", "~/project.git"),
    *("ssh://git@localhost:2222/project", "git@localhost:project", "http://127.0.0.1:3000/p.git"),
    *("https://user@127.8.9.1/p.git", "http://[::1]:3000/p.git", "git@[::1]:p.git"),
    *("http://gitea.localhost/p.git", f"ssh://{socket.gethostname()}/p.git", "http://127.1/p.git"),
    *("http://2130706433/p.git", "http://0.0.0.0:3000/p.git", "http://[::ffff:127.0.0.1]/p.git"),
    *("http://gitea.internal:3000/p.git", "http://172.17.0.5/p.git", "http://10.1.2.3/p.git"),
    "ext::sh -c 'cat'",
]


@pytest.mark.parametrize("url", LOCAL)
def test_a_server_on_this_machine_is_no_remote(machine: Machine, tree: Tree, url: str) -> None:
    (machine.tree / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 gitea.internal box\n")
    network = machine.tree / "proc/net"
    network.mkdir()
    (network / "route").write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 0000000A 00000000 0001 0 0 0 000000FF 0 0 0\n"
        "docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0\n"
    )
    (network / "fib_trie").write_text(
        "Local:\n  +-- 10.0.0.0/8 2 0 2\n     |-- 10.1.2.3\n        /32 host LOCAL\n"
        "     |-- 10.255.255.255\n        /32 link BROADCAST\n"
    )
    tree.git("remote", "set-url", "origin", url)
    report = machine.save()
    assert [each["path"] for each in report["trees"]] == [str(tree.place)]


@pytest.mark.parametrize(
    "url", ["git@git.example:p.git", "https://git.example/p.git", "http://10.1.2.4/p.git"]
)
def test_a_server_elsewhere_is_one(machine: Machine, tree: Tree, url: str) -> None:
    tree.git("remote", "set-url", "origin", url)
    report = machine.save()
    assert (report["trees"], report["complete"]) == ([], True)


@pytest.mark.parametrize("key", ["remote.origin.pushurl", "url./srv/git/.insteadOf"])
def test_where_pushes_go_counts_as_well(machine: Machine, tree: Tree, key: str) -> None:
    tree.git("config", key, "/srv/git/p.git" if key.startswith("remote") else f"{REMOTE}/")
    assert len(machine.save()["trees"]) == 1


def test_an_alias_of_ssh_for_this_machine_is_no_remote(machine: Machine, tree: Tree) -> None:
    (machine.home / ".ssh").mkdir()
    (machine.home / ".ssh/config").write_text("Host forge\n  HostName localhost\n  Port 2222\n")
    tree.git("remote", "set-url", "origin", "git@forge:p.git")
    assert len(machine.save()["trees"]) == 1


def test_a_work_tree_nine_folders_deep_is_saved(machine: Machine) -> None:
    place = machine.array.joinpath(*"abcdefghi")
    place.mkdir(parents=True)
    Tree(place / "project").write("file", "changed\n")
    assert [each["item"] for each in machine.save()["trees"]] == ["project"]


def test_folders_that_are_too_deep_are_named(machine: Machine) -> None:
    (machine.array / "a/b/c").mkdir(parents=True)
    machine.settings["depth"] = 3
    report = machine.save()
    assert report["complete"] is False
    assert "folders deep" in not_saved(report)[str(machine.array / "a/b")]


def test_work_trees_beyond_the_number_are_named(machine: Machine) -> None:
    for name in ("a", "b", "c"):
        Tree(machine.array / name)
    machine.settings["trees"] = 2
    report = machine.save()
    assert report["complete"] is False
    assert not_saved(report) == {str(machine.array / "c"): "2 work trees were looked at before it"}


def test_names_a_look_that_had_no_time(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    report = machine.save(seconds=-5)
    assert report["complete"] is False
    assert not_saved(report) == {str(machine.array): "there was no time to look at it"}


def test_a_tree_that_hangs_is_named_and_costs_no_others(machine: Machine, tree: Tree) -> None:
    tree.write("file", "changed\n")
    other = Tree(machine.array / "other")
    machine.stub(
        "git", f'case $PWD in {other.place}) exec tail -f /dev/null ;; esac; exec /usr/bin/git "$@"'
    )
    report = machine.save(seconds=8)
    trees = {each["item"]: each["complete"] for each in report["trees"]}
    assert trees == {"project": True, "other": False}
    assert not_saved(report) == {str(other.place): "there was no time for all of it"}


def test_a_child_that_cannot_be_ended_politely_is_killed_with_its_group(tmp_path: Path) -> None:
    """Whoever reads from it sees the end of the file: nothing of the group is left."""
    reader, writer = os.pipe()

    def hang(tell: Tell) -> None:
        os.set_inheritable(writer, True)
        script = f"trap '' TERM; sleep 1000 >&{writer} & exec tail -f /dev/null"
        tell("begun")
        subprocess.run(["sh", "-c", script], close_fds=False, check=False)

    job = run(Job(hang), 1)
    os.close(writer)
    assert (job.answers, job.ended) == (["begun"], False)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_other_file_systems_are_not_touched_and_are_a_limit(machine: Machine, tree: Tree) -> None:
    """Whoever looks at a dead one hangs."""
    for name in ("deep/a b/dead fs", "deep/a b/x"):
        (machine.array / name).parent.mkdir(parents=True, exist_ok=True)
        Tree(machine.array / name)
    dead = machine.array / "deep/a b/dead fs"
    with (machine.tree / "proc/self/mountinfo").open("a") as file:
        file.write(f"3 1 8:3 / {str(dead).replace(' ', chr(92) + '040')} rw\n")
    opened = machine.array / "deep/a b/dead fs/.git/HEAD"
    before = [opened.parent.parent.stat().st_atime_ns, opened.stat().st_atime_ns]
    report = machine.save()
    assert [each["path"] for each in report["trees"]] == [str(machine.array / "deep/a b/x")]
    assert f"Other file systems are not searched: {dead}." in report["limits"]
    assert [opened.parent.parent.stat().st_atime_ns, opened.stat().st_atime_ns] == before


def test_a_bare_repository_comes_back(machine: Machine) -> None:
    source = Tree(machine.tree / "source")
    place = machine.array / "project.git"
    source.git("clone", "-q", "--bare", str(source.place), str(place))
    refs = source.git("for-each-ref", cwd=place)
    report = machine.save()
    assert (report["complete"], len(report["trees"])) == (True, 1)
    place.rename(machine.tree / "was")
    machine.restored("--all")
    assert source.git("for-each-ref", cwd=place) == refs
    assert source.git("rev-parse", "--is-bare-repository", cwd=place) == "true\n"
    assert source.git("show", "main:file", cwd=place) == "one\n"


def test_the_repository_of_a_submodule_that_is_not_checked_out(
    machine: Machine, tree: Tree
) -> None:
    library = Tree(machine.tree / "library")
    tree.git("submodule", "add", "-q", str(library.place), "sub")
    tree.commit("submodule")
    (tree.place / "sub/file").write_text("inner\n")
    tree.git("commit", "-qam", "inner", cwd=tree.place / "sub")
    tree.git("submodule", "deinit", "-q", "-f", "sub")
    report = machine.save()
    paths = {each["path"] for each in report["trees"]}
    assert paths == {str(tree.place), str(tree.place / ".git/modules/sub")}


def test_an_ongoing_merge_goes_on(machine: Machine, tree: Tree) -> None:
    tree.git("switch", "-q", "-c", "other")
    tree.write("file", "other\n")
    tree.commit("other")
    tree.git("switch", "-q", "main")
    tree.write("file", "mine\n")
    tree.commit("mine")
    with pytest.raises(subprocess.CalledProcessError):
        tree.git("merge", "other")
    round_trip(machine, tree)
    assert len(tree.git("ls-files", "-u").splitlines()) == 3
    tree.write("file", "both\n")
    tree.git("add", "file")
    tree.git("commit", "-q", "--no-edit")
    assert len(tree.git("rev-list", "--parents", "-1", "HEAD").split()) == 3


def test_an_ongoing_rebase_goes_on(machine: Machine, tree: Tree) -> None:
    tree.git("switch", "-q", "-c", "topic")
    tree.write("file", "topic\n")
    tree.commit("topic")
    tree.git("switch", "-q", "main")
    tree.write("file", "main\n")
    new = tree.commit("main")
    tree.git("switch", "-q", "topic")
    with pytest.raises(subprocess.CalledProcessError):
        tree.git("rebase", "main")
    round_trip(machine, tree)
    tree.write("file", "both\n")
    tree.git("add", "file")
    tree.git("-c", "core.editor=true", "rebase", "--continue")
    assert tree.git("rev-parse", "topic^").strip() == new


@pytest.mark.parametrize("name", [b"new\nline", b"non-utf8 \xff\xfe", b"\x1b[31m", b"a'b\"c$d`e"])
def test_odd_names_of_files_and_of_trees(machine: Machine, name: bytes) -> None:
    tree = Tree(machine.array / os.fsdecode(name))
    tree.write(os.fsdecode(name), "new\n")
    report = round_trip(machine, tree)
    assert "\x1b" not in report["said"]


def long_ago(place: Path) -> None:
    """Git takes a file's bytes for known that is older than the index."""
    os.utime(place, (1e9, 1e9))


def test_bytes_that_attributes_made_before_they_changed(machine: Machine, tree: Tree) -> None:
    tree.write(".gitattributes", "* text=auto\n")
    long_ago(tree.write("dos", "one\r\ntwo\r\n"))
    long_ago(tree.write("unix", "one\ntwo\n"))
    tree.commit("normalized")
    long_ago(tree.write(".gitattributes", "unix text eol=crlf\n"))
    tree.commit("other attributes")
    assert tree.git("cat-file", "-p", "HEAD:dos") == "one\ntwo\n"
    machine.save()
    tree.lose()
    machine.restored("--all")
    content = [(tree.place / name).read_bytes() for name in ("dos", "unix")]
    assert content == [b"one\r\ntwo\r\n", b"one\ntwo\n"]


def test_files_that_a_filter_of_the_configuration_translates(machine: Machine, tree: Tree) -> None:
    """The next machine may lack the filter, and has the file's own bytes all the same."""
    tree.options = ["-c", "filter.hidden.clean=tr a-m n-z", "-c", "filter.hidden.required"]
    tree.write(".gitattributes", "secret filter=hidden\n")
    long_ago(tree.write("secret", "abc\n"))
    tree.commit("secret")
    machine.save()
    tree.lose()
    machine.restored("--all")
    assert (tree.place / "secret").read_text() == "abc\n"


def test_modes_of_folders_and_of_files(machine: Machine, tree: Tree) -> None:
    tree.write("private/new", "new\n", 0o640)
    (tree.place / "private").chmod(0o700)
    (tree.place / "file").chmod(0o600)
    machine.save()
    tree.lose()
    machine.restored("--all")
    modes = [
        (tree.place / name).stat().st_mode & 0o777 for name in ("private", "private/new", "file")
    ]
    assert modes == [0o700, 0o640, 0o600]


def test_names_files_outside_git_as_a_limit(machine: Machine, tree: Tree) -> None:
    (machine.array / "data/deep").mkdir(parents=True)
    (machine.array / "data/rows").write_text("1\n")
    (machine.array / "data/deep/rows").write_text("1\n")
    (machine.array / "kept").mkdir()
    (machine.array / "kept/rows").write_text("1\n")
    machine.settings["paths"] = machine.array / "kept"
    report = machine.save()
    (limit,) = [each for each in report["limits"] if "outside git" in each]
    assert f"{machine.array}/data." in limit
    assert report["complete"] is True


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_scratch_is_nobodys_to_take(machine: Machine, tree: Tree, kind: str) -> None:
    tree.write("file", "changed\n")
    machine.array.chmod(0o1777)
    place = machine.array / ".cloudtop-save"
    if kind == "folder":
        place.mkdir()
        (place / "theirs").touch()
    elif kind == "file":
        place.touch()
    else:
        place.symlink_to(machine.tree / "elsewhere")
    if os.geteuid() == 0:
        os.chown(place, 4711, 4711, follow_symlinks=False)
    assert machine.save()["complete"] is True
    assert os.path.lexists(place) or os.geteuid() != 0


def test_without_room_on_the_array_work_is_put_together_on_the_volume(
    machine: Machine, tree: Tree
) -> None:
    tree.write("file", "changed\n")
    before = machine.array
    machine.settings |= {"ephemeral": machine.tree / "absent", "folders": before}
    assert machine.save()["complete"] is True
    assert not [name for name in machine.saved_files() if "scratch" in name]


def boot(machine: Machine, name: str) -> None:
    place = machine.tree / "proc/sys/kernel/random"
    place.mkdir(parents=True, exist_ok=True)
    (place / "boot_id").write_text(f"{name}\n")


def saves(machine: Machine) -> list[str]:
    place = machine.volume / ".cloudtop/saved"
    return sorted(each.name for each in place.iterdir() if each.is_dir())


def test_a_failed_end_takes_its_predecessors_place(machine: Machine, tree: Tree) -> None:
    boot(machine, "one")
    tree.write("file", "changed\n")
    tree.write("large", os.urandom(3 * MIB))
    machine.settings["tree_cap_mib"] = 2
    for day in range(1, 5):
        report = machine.save(f"2026010{day}T120000Z-i-0abc")
        assert report["complete"] is False
    assert saves(machine) == ["20260104T120000Z-i-0abc"]
    assert any("replaced" in sentence for sentence in report["limits"])


def test_a_save_of_another_boot_is_not_replaced(machine: Machine, tree: Tree) -> None:
    """The array may have been lost between them."""
    tree.write("file", "changed\n")
    boot(machine, "one")
    machine.save()
    boot(machine, "two")
    machine.save(SECOND)
    assert len(saves(machine)) == 2


def test_a_save_that_has_more_than_the_newer_one_stays(machine: Machine, tree: Tree) -> None:
    boot(machine, "one")
    tree.write("large", os.urandom(3 * MIB))
    machine.save()
    machine.settings["tree_cap_mib"] = 2
    machine.save(SECOND)
    assert len(saves(machine)) == 2


@pytest.mark.parametrize("bound", ["number", "size"])
def test_saves_have_a_bound_and_those_put_back_go_first(
    machine: Machine, tree: Tree, bound: str
) -> None:
    for day in range(1, 4):
        boot(machine, str(day))
        tree.write("data", os.urandom(MIB))
        machine.save(f"2026010{day}T120000Z-i-0abc")
    place = machine.volume / ".cloudtop/saved/20260102T120000Z-i-0abc/project"
    (place / "restored").write_text("2026\n")
    machine.settings |= {"saves": 3} if bound == "number" else {"saves_mib": 4}
    boot(machine, "4")
    tree.write("data", os.urandom(MIB))
    report = machine.save("20260104T120000Z-i-0abc")
    assert saves(machine) == [f"2026010{day}T120000Z-i-0abc" for day in (1, 3, 4)]
    assert any("oldest saves were removed" in sentence for sentence in report["limits"])


@pytest.mark.parametrize(("gib", "kept"), [(100, 8), (32, 8), (16, 4), (4, 1)])
def test_saves_leave_a_small_volume_to_its_owner(gib: int, kept: int) -> None:
    assert old_saves.room(8 << 30, gib << 30) == kept << 30


def test_saves_beyond_a_share_of_the_volume_go(tmp_path: Path) -> None:
    sentences: list[object] = []
    for day in range(1, 4):
        item = tmp_path / f"saved/2026010{day}T120000Z-i-0abc/project"
        item.mkdir(parents=True)
        (item / "1.bundle").write_bytes(bytes(MIB))
    with mock.patch.object(old_saves, "all_bytes", lambda _: 10 * MIB):
        old_saves.bound(str(item.parent), "one", 20, 8 << 30, sentences.append)
    assert [each.name[:8] for each in sorted((tmp_path / "saved").iterdir())] == [
        *("20260102", "20260103"),
    ]
    (sentence,) = sentences
    assert "at most 20 saves and 2 MiB are kept" in str(sentence)


def test_what_was_not_saved_is_shown_by_the_restore_and_at_the_login(machine: Machine) -> None:
    Tree(machine.array / "project").write("large", os.urandom(3 * MIB))
    machine.settings["tree_cap_mib"] = 2
    machine.save()
    assert "project/large" in machine.restored()
    assert "Not all of it was saved" in (machine.volume / ".cloudtop/saved/hint").read_text()
