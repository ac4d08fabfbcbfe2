"""dotfiles: what a home directory is after the owner's repository was installed there."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.library.conftest import Programs
from tests.machine_programs.support import load

dotfiles_bundle = load.module("dotfiles_bundle")
dotfiles = load.module("dotfiles")


class Home:
    """A home directory and a repository that is bundled and installed anew at each call."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.home = tmp_path / "home"
        self.skeleton = tmp_path / "skel"
        self.source = tmp_path / "source"
        for place in (self.home, self.skeleton, self.source):
            place.mkdir()
        self.checkout = self.home / ".dotfiles"
        self.warnings: list[str] = []

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        place = self.source / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def run(self, argv: list[str], timeout: int = 60) -> tuple[int, str]:
        env = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        there = self.checkout if self.checkout.is_dir() else self.home
        done = subprocess.run(argv, cwd=there, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def converge(self, command: str = "", check: bool = False) -> dict[str, Any]:
        """Both runs of the role: without the bundle, and with it if it is needed."""
        bundler = dotfiles_bundle.Bundler(str(self.source), self.tmp_path / "bundles")
        commit, bundle, _ = bundler.bundle("")
        submodules = [asdict(each) for each in bundler.submodules]
        params = {"commit": commit, "submodules": submodules, "origin": "", "timeout": 60}
        params["command"] = command
        result: dict[str, Any] = {}
        for params["bundle"] in ("", str(bundle)):
            state = self.tmp_path / "state.json"
            one = dotfiles.Dotfiles(self.home, state, self.run, self.skeleton)
            result = dotfiles.converge(one, params, check)
            self.warnings = one.warnings
            if not result["needs_bundle"]:
                break
        return result


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize("name", dotfiles.INSTALLERS)
def test_runs_the_installer_of_the_convention(home: Home, name: str) -> None:
    home.write(name, '#!/bin/sh\necho ran >>"$HOME/ran"\n', 0o755)
    assert home.converge()["done"] == f"ran {name}"
    assert (home.home / "ran").read_text() == "ran\n"


def test_the_first_of_several_installers_runs(home: Home) -> None:
    for name in ("setup.sh", "bootstrap"):
        home.write(name, f'#!/bin/sh\necho {name} >"$HOME/ran"\n', 0o755)
    home.converge()
    assert (home.home / "ran").read_text() == "bootstrap\n"


def test_an_installer_need_not_be_executable(home: Home) -> None:
    home.write("install", '[[ 1 == 1 ]] && echo ran >"$HOME/ran"\n')
    home.converge()
    assert (home.home / "ran").exists()


def test_a_named_command_comes_before_the_convention(home: Home) -> None:
    home.write("install.sh", "exit 1", 0o755)
    home.write("mine", 'echo "$1" >"$HOME/ran"')
    assert home.converge("sh mine here")["changed"]
    assert (home.home / "ran").read_text() == "here\n"


def test_installs_once_for_each_commit_and_command(home: Home) -> None:
    home.write("install.sh", 'echo ran >>"$HOME/ran"')
    assert [home.converge()["changed"] for _ in range(2)] == [True, False]
    home.write("vimrc", "new")
    assert [home.converge()["changed"] for _ in range(2)] == [True, False]
    assert (home.checkout / "vimrc").read_text() == "new"
    assert home.converge("true")["changed"]
    assert (home.home / "ran").read_text() == "ran\n" * 2


def test_check_mode_shows_the_change_and_makes_none(home: Home) -> None:
    home.write("install.sh", "exit 1")
    assert home.converge(check=True) == {"changed": True, "needs_bundle": False}
    assert list(home.home.iterdir()) == []


def test_without_installer_dot_entries_are_linked(home: Home) -> None:
    for name in (".vimrc", ".config/app/rc", ".gitignore", ".github/x", "README"):
        home.write(name, "x")
    assert home.converge()["done"] == "linked .config, .vimrc"
    assert (home.home / ".vimrc").readlink() == home.checkout / ".vimrc"
    assert {p.name for p in home.home.iterdir()} == {".dotfiles", ".vimrc", ".config"}


def test_keeps_and_names_real_files(home: Home) -> None:
    home.write(".vimrc", "theirs")
    (home.home / ".vimrc").write_text("mine")
    home.converge()
    assert (home.home / ".vimrc").read_text() == "mine"
    assert "as they were there before the dotfiles: .vimrc" in home.warnings[0]


def test_the_distributions_own_file_gives_way(home: Home) -> None:
    home.write(".bashrc", "mine")
    (home.skeleton / ".bashrc").write_text("debian's")
    (home.home / ".bashrc").write_text("debian's")
    home.converge()
    assert (home.home / ".bashrc").read_text() == "mine"


def test_shows_the_last_lines_of_a_failing_installer_and_tries_again(home: Home) -> None:
    home.write("install.sh", "seq 30; echo no luck >&2; exit 3")
    with pytest.raises(dotfiles.DotfilesError, match=r"ended with 3; the machine is usable") as e:
        home.converge()
    lines = str(e.value).splitlines()
    assert "no luck" in lines and "30" in lines and "11" not in lines
    with pytest.raises(dotfiles.DotfilesError):
        home.converge()


def test_local_edits_are_never_overwritten(home: Home) -> None:
    home.write(".vimrc", "one")
    home.converge()
    (home.checkout / ".vimrc").write_text("edited")
    home.write(".vimrc", "two")
    assert home.converge() == {"changed": False, "needs_bundle": False}
    assert (home.checkout / ".vimrc").read_text() == "edited"
    assert "has local edits" in home.warnings[0]


def test_local_commits_are_never_overwritten(home: Home) -> None:
    home.write(".vimrc", "one")
    home.converge()
    me = ["git", "-c", "user.name=me", "-c", "user.email=me@here", "-C", str(home.checkout)]
    home.run([*me, "commit", "--allow-empty", "-m", "mine"])
    home.write(".vimrc", "two")
    assert not home.converge()["changed"]
    assert "a commit made or chosen on the machine" in home.warnings[0]


def test_a_directory_in_the_way_is_left_alone(home: Home) -> None:
    home.write(".vimrc", "one")
    home.checkout.mkdir()
    assert not home.converge()["changed"]
    assert "is no git checkout" in home.warnings[0]


def test_a_checkout_that_was_killed_half_way_is_finished(home: Home) -> None:
    home.write(".vimrc", "one")
    home.run(["git", "init", "--quiet", str(home.checkout)])
    assert home.converge()["changed"]


def git(place: Path, *arguments: str) -> str:
    settings = ("user.name=me", "user.email=me@here", "protocol.file.allow=always")
    argv = [
        "git",
        *(word for each in settings for word in ("-c", each)),
        "-C",
        str(place),
        *arguments,
    ]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def plugin(home: Home) -> Path:
    """A repository that is a submodule of the dotfiles, and has one itself."""
    inner, outer = (home.tmp_path / name for name in ("inner", "outer"))
    for place in (inner, outer, home.source):
        place.mkdir(exist_ok=True)
        git(place, "init", "--quiet")
        (place / ".file").write_text(place.name)
        if place == outer:
            git(place, "submodule", "--quiet", "add", "../inner", "in side")
        if place == home.source:
            git(place, "submodule", "--quiet", "add", "../outer", "plugin")
        git(place, "add", "--all")
        git(place, "commit", "--quiet", "-m", "first")
    # The machine could not fetch them
    for place in (inner, outer):
        place.rename(place.with_name(f"{place.name} away"))
    shutil.copytree(home.tmp_path / "inner away", home.tmp_path / "inner")
    return home.source / "plugin"


def test_f9_submodules_come_from_the_bundle(home: Home, plugin: Path) -> None:
    assert home.converge()["changed"]
    shutil.rmtree(home.tmp_path / "inner")
    assert (home.checkout / "plugin/.file").read_text() == "outer"
    assert (home.checkout / "plugin/in side/.file").read_text() == "inner"
    assert git(home.checkout, "status", "--porcelain") == ""
    assert not home.converge()["changed"]


def test_f9_a_submodule_moves_with_its_repository(home: Home, plugin: Path) -> None:
    home.converge()
    (plugin / ".file").write_text("new")
    git(plugin, "commit", "--quiet", "--all", "-m", "second")
    git(home.source, "commit", "--quiet", "--all", "-m", "second")
    assert home.converge()["changed"]
    assert (home.checkout / "plugin/.file").read_text() == "new"


@pytest.mark.parametrize("committed", [False, True])
def test_edits_in_a_submodule_are_never_overwritten(
    home: Home, plugin: Path, committed: bool
) -> None:
    home.converge()
    (home.checkout / "plugin/.file").write_text("mine")
    if committed:
        git(home.checkout / "plugin", "commit", "--quiet", "--all", "-m", "mine")
    (home.source / "more").write_text("more")
    git(home.source, "add", "--all")
    git(home.source, "commit", "--quiet", "-m", "second")
    assert not home.converge()["changed"]
    assert "has local edits" in home.warnings[0]
    assert (home.checkout / "plugin/.file").read_text() == "mine"


def test_f11_an_installer_is_done_when_it_ends(tmp_path: Path) -> None:
    began = time.monotonic()
    leaves = (
        "setsid sh -c 'echo $$ >pid; exec sleep 45' & while [ ! -s pid ]; do :; done; echo done"
    )
    code, output = dotfiles.bounded(["sh", "-c", leaves], tmp_path, 60)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (code, output) == (0, "done\n")
    assert time.monotonic() - began < 20


def test_f11_what_ignores_its_end_is_killed_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dotfiles, "_GRACE", 1)
    user = pwd.getpwuid(os.getuid()).pw_name
    # runuser is root's
    (tmp_path / "runuser").write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    (tmp_path / "runuser").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    run = dotfiles.runner_as(user, str(tmp_path), tmp_path)
    began = time.monotonic()
    code, output = run(["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], timeout=1)
    assert code == -signal.SIGKILL and "No end within 1 s." in output
    assert time.monotonic() - began < 10


def test_f11_only_the_end_of_an_output_is_kept(tmp_path: Path) -> None:
    code, output = dotfiles.bounded(["sh", "-c", "yes | head -c 30000000; echo end"], tmp_path, 60)
    assert code == 0 and output.endswith("end\n") and len(output) == 65536


def test_our_own_set_installs_twice_the_same(home: Home) -> None:
    home.source = load.ROOT / "roles/dotfiles/files/default"
    (home.home / ".bashrc").write_text("# debian's\n")
    (home.home / ".vimrc").write_text("mine")
    home.converge()
    texts = {p.name: p.read_text() for p in home.home.iterdir() if p.is_file()}
    assert texts[".bashrc"].count(".dotfiles/bashrc") == 1
    assert texts[".vimrc"] == "mine"
    assert (home.home / ".tmux.conf").is_symlink()
    (home.tmp_path / "state.json").unlink()
    home.converge()
    assert {p.name: p.read_text() for p in home.home.iterdir() if p.is_file()} == texts
    assert home.run(["git", "config", "init.defaultBranch"]) == (0, "main\n")


def test_a_machine_without_git_gets_it_first(programs: Programs, root: Path) -> None:
    dotfiles.have_git(programs, root)
    assert programs.installed == {"git"}
    (root / "usr/bin").mkdir()
    (root / "usr/bin/git").touch()
    programs.ran.clear()
    dotfiles.have_git(programs, root)
    assert programs.ran == []
