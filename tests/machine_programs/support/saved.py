"""A machine made of directories: an array with git work trees, a volume, and what saves them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.machine_programs.support import installed
from tests.machine_programs.support.imds import ec2_time

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "somebody"), ("EMAIL", "somebody@example.org"))
}
# On a server elsewhere, by a transport that git does not have, so that nobody is asked
REMOTE = "nowhere://git@git.example"


@contextmanager
def place_for_all_users() -> Iterator[Path]:
    """A directory that every user can enter, for the length of a test.

    pytest's own is below one that each pytest session closes to other users when it starts.
    """
    with tempfile.TemporaryDirectory(prefix="cloudtop-test-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


class Machine:
    """``array`` is lost with it, ``volume`` is not; programs of ``bin`` come before real ones.

    The programs log what they are called with in ``log``.
    """

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.array, self.volume, self.home = tree / "array", tree / "volume", tree / "home"
        self.hooks = tree / "reap.d"
        for place in (self.array, self.volume, self.home, self.hooks, tree / "run", tree / "bin"):
            place.mkdir()
        (tree / "proc/self").mkdir(parents=True)
        (tree / "tmp").mkdir()
        (tree / "log").touch()
        self.mounted()
        self.settings: dict[str, object] = {
            "ephemeral": self.array,
            "persistent": self.volume,
            "user": os.getuid(),
            "lib": installed.lib(tree),
            "hooks": self.hooks,
            **{name: tree / name for name in ("run", "proc", "tmp", "etc")},
        }
        # Owners' homes are what passwd says, or a directory service
        (tree / "etc").mkdir()
        (tree / "etc/passwd").write_text(
            f"me:x:{os.getuid()}:{os.getgid()}:Me:{self.home}:/bin/sh\n"
        )
        self.stub("getent", f'echo "me:x:$2:$(id -g):Me:{self.home}:/bin/sh"')
        for name in ("wall", "systemctl", "umount", "mount", "sync"):
            self.stub(name, f'echo "{name} $*" >>"$TREE/log"')
        self.stub("wall", 'cat >>"$TREE/wall"')

    def stub(self, name: str, script: str) -> None:
        """A program in place of the real one. Owners' programs have no TREE, hence its value."""
        place = self.tree / "bin" / name
        place.write_text(f"#!/bin/sh\nTREE={shlex.quote(str(self.tree))}\n{script}\n")
        place.chmod(0o755)

    def mounted(self, options: str = "rw,noatime") -> None:
        """The volume is mounted so; empty for not at all."""
        line = f"2 1 8:2 / {self.volume} {options}\n" if options else ""
        (self.tree / "proc/self/mountinfo").write_text(f"1 0 8:1 / / rw\n{line}")

    def config(self) -> Path:
        place = self.tree / "spot-guard.conf"
        place.write_text(
            "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in self.settings.items())
        )
        return place

    def run(self, program: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*installed.argv(installed.program(program)), *words],
            env={**installed.environ(self.tree), "HOME": str(self.home), **IDENTITY},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            **{"cwd": self.tree, **options},
        )

    def save(self, reap: str = "20260101T120000Z-i-0abc", seconds: float = 60) -> dict[str, Any]:
        """Run save-work; returns its report, with its words under ``said``."""
        directory = self.volume / ".cloudtop/saved" / reap
        directory.mkdir(parents=True, exist_ok=True)
        ends = str(int(time.time() + seconds))
        done = self.run("save-work", "all", str(self.config()), str(directory), ends)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert isinstance(report, dict)
        return {**report, "said": done.stderr}

    def restore(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.run(
            "cloudtop-restore", "--configuration", str(self.config()), *words, **options
        )

    def restored(self, *words: str) -> str:
        """Restore; it has to succeed. Returns what it said."""
        done = self.restore(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def notice(self, action: str = "terminate", seconds: float = 100) -> str:
        """Write the notice that cloudtop-spot-guard leaves for the end; returns the time."""
        due = ec2_time(seconds)
        (self.tree / "run/spot-guard.notice").write_text(
            f"action={action}\ndue={due}\ninstance=i-0abc\n"
        )
        return due

    def reap(self, mode: str = "end") -> str:
        """Run cloudtop-reap; it has to succeed. Returns what it said."""
        done = self.run("cloudtop-reap", mode, str(self.config()))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def hand_over(self, place: Path) -> None:
        """Root reads everything: to root it becomes somebody else's, whose uid is 4711.

        The machine has to be in a place for all users.
        """
        if os.geteuid() == 0:
            (self.tree / "etc/passwd").write_text(f"they:x:4711:4711:They:{self.home}:/bin/sh\n")
            for each in (place, *place.rglob("*")):
                os.chown(each, 4711, 4711, follow_symlinks=False)

    @staticmethod
    def close(place: Path) -> None:
        """Its owner cannot read it."""
        if os.geteuid() == 0:
            os.chown(place, 0, 0)
        place.chmod(0o700 if os.geteuid() == 0 else 0)

    @staticmethod
    def open(place: Path) -> None:
        place.chmod(0o755)

    @property
    def journal(self) -> list[dict[str, Any]]:
        lines = (self.volume / ".cloudtop/reaps.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @property
    def log(self) -> list[str]:
        return (self.tree / "log").read_text().splitlines()

    @staticmethod
    def snapshot_of(place: Path) -> dict[str, bytes]:
        """The bytes of all files at and below a place."""
        places = [place, *place.rglob("*")] if place.is_dir() else [place]
        return {str(each): each.read_bytes() for each in places if each.is_file()}

    def saved_files(self) -> list[str]:
        """Names of all that is below the directories of saved work."""
        saved = self.volume / ".cloudtop/saved"
        return [str(place.relative_to(saved)) for place in saved.rglob("*")]


class Tree:
    """One git work tree with a commit in it. ``options`` of git stand for a configuration."""

    options: Sequence[str] = ()

    def __init__(self, place: Path, empty: bool = False) -> None:
        self.place = place
        self.git("init", "-q", "-b", "main", str(place), cwd=place.parent)
        if not empty:
            self.write("file", "one\n")
            self.write("gone", "soon\n")
            self.write("old name", "a text that is long enough to be recognised\n" * 3)
            self.commit("first")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        return subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *self.options, *words],
            cwd=cwd or self.place,
            env={"PATH": "/usr/bin:/bin", "HOME": os.devnull, **IDENTITY},
            check=True,
            capture_output=True,
            text=True,
            errors="surrogateescape",
        ).stdout

    def write(self, name: str, content: str | bytes, mode: int | None = None) -> Path:
        place = self.place / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        if mode is not None:
            place.chmod(mode)
        return place

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def commit_empty(self) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", "empty")
        return self.git("rev-parse", "HEAD").strip()

    def push(self, machine: Machine) -> None:
        """All branches are on a remote that the machine's end does not touch."""
        remote = machine.tree / f"{self.place.name}.git"
        self.git("init", "-q", "--bare", "-b", "main", str(remote))
        self.git("remote", "add", "origin", str(remote))
        self.git("push", "-q", "-u", "origin", "--all")
        self.git("remote", "set-url", "origin", f"{REMOTE}{remote}")

    def lose(self) -> Tree:
        """Out of the array's way, to be compared with."""
        place = self.place.parent.parent / f"was-{self.place.name}"
        self.place.rename(place)
        was = object.__new__(Tree)
        was.place = place
        return was

    def state(self) -> dict[str, Any]:
        """All that a restore has to bring back: files, index, branches, head, stashes."""
        files = {}
        for place in sorted(self.place.rglob("*")):
            name = str(place.relative_to(self.place))
            if place.is_symlink():
                files[name] = f"-> {place.readlink()}"
            elif place.is_file() and not name.startswith(".git"):
                files[name] = f"{place.stat().st_mode & 0o777:o} {place.read_bytes()!r}"
        return {
            "files": files,
            "status": self.git("status", "--porcelain", "-z", "--untracked-files=all"),
            "index": self.git("ls-files", "-s", "-z"),
            "refs": self.git("for-each-ref"),
            "head": (self.place / ".git/HEAD").read_text(),
            "stashes": self.git("stash", "list", "--format=%H %gs"),
            "remotes": self.git("remote", "-v"),
        }
