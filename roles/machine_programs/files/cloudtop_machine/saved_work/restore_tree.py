"""Puts one saved work tree or path in its place, and overwrites nothing."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from .places import remove
from .report import plain
from .repository import ATTRIBUTES
from .saved_items import SavedItem

# The user's configuration is good, save for what may run or change more than was saved
QUIET = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false", "-c", "submodule.recurse=false"),
    *("-c", "init.defaultBranch=main"),
)
SETTING = re.compile(
    r"remote\..*\.(url|fetch|pushurl)|branch\..*\.(remote|merge|rebase|pushremote|description)"
    r"|user\.(name|email)|submodule\..*\.(url|active)"
    r"|core\.(autocrlf|eol|filemode|ignorecase|sparsecheckout|sparsecheckoutcone)",
    re.DOTALL,
)
# A pointer of git-lfs on standard input becomes the saved contents, if they were saved. To git
# two percent signs are one.
SMUDGE = """p=$(cat; printf x); p=${p%%x}; o=${p#*oid sha256:}; o=${o%%%%[!0-9a-f]*}
if [ -f "$0/$o" ]; then exec cat "$0/$o"; fi; printf %s "$p\""""
REAL = "refs/cloudtop/saved"


class Refused(Exception):
    """It was not put back; the text says why and what to do."""


class Restore:
    """Restores one item to ``target``. ``words`` of git run in ``repository``."""

    def __init__(self, item: SavedItem, target: str) -> None:
        self.item, self.target = item, target
        self.kind = item.line("kind")
        self.repository = target
        # The commit that a checkout has there already
        self.there = ""
        self.environment = {**os.environ, "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C"}

    def run(self) -> None:
        """Raises Refused."""
        if not os.path.lexists(self.target) or _is_empty_folder(self.target):
            self._new()
        else:
            self._here()

    # --- Git ---------------------------------------------------------------------------

    def git(
        self, *words: str, stdin: bytes = b"", **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", *QUIET, *words],
            cwd=self.repository,
            env={**self.environment, **variables},
            input=stdin,
            capture_output=True,
            check=False,
        )

    def line(self, *words: str) -> str:
        answer = self.git(*words)
        return os.fsdecode(answer.stdout).rstrip("\n") if answer.returncode == 0 else ""

    def commit(self, name: str) -> str:
        return self.line("rev-parse", "-q", "--verify", name)

    def must(self, *words: str, **variables: str) -> None:
        answer = self.git(*words, stdin=b"", **variables)
        if answer.returncode:
            why = plain(answer.stderr)
            raise Refused(
                f"{plain(self.item.path)} could not be put back to {plain(self.target)}: {why}"
            )

    # --- Places ------------------------------------------------------------------------

    def _new(self) -> None:
        """Into a new directory beside the target, which takes the target's place when whole."""
        parent = os.path.dirname(self.target)
        try:
            os.makedirs(parent, exist_ok=True)
            self.repository = tempfile.mkdtemp(prefix=".cloudtop-restore.", dir=parent)
        except OSError:
            raise Refused(
                f"No directory can be made in {plain(parent)}/, so {plain(self.item.path)} could"
                " not be put back."
            ) from None
        try:
            self._fill()
            os.rename(self.repository, self.target)
        except OSError as error:
            raise Refused(f"{plain(self.item.path)} could not be put back: {error}") from None
        finally:
            if os.path.lexists(self.repository):
                remove(self.repository)

    def _fill(self) -> None:
        if self.kind == "path":
            os.rmdir(self.repository)
            _copy(self.item.file("copy"), self.repository)
            return
        os.chmod(self.repository, 0o777 & ~_umask())
        bare = ["--bare"] if self.kind == "bare" else []
        self.must("init", "-q", *bare, f"--object-format={self.item.line('format')}")
        git_dir = self._git_dir()
        if self.kind != "files" and self.item.has("shallow"):
            shutil.copyfile(self.item.file("shallow"), f"{git_dir}/shallow")
        self._settings()
        self._state(git_dir)
        self._take_bundles()
        if self.kind == "files":
            self._files("")
            shutil.rmtree(git_dir)
            return
        self._refs()
        self._head()
        if self.kind != "bare":
            self._files("")
        self._forget_refs()

    def _here(self) -> None:
        """A clean checkout of the same commit: it gets the branches and changes."""
        self.there = self.commit("HEAD") if os.path.isdir(self.target) else ""
        top = self.line("rev-parse", "--show-toplevel") if self.there else ""
        refused = Refused(
            f"{plain(self.target)} exists and is not empty: nothing was overwritten."
            f" Put it elsewhere: cloudtop-restore {self.item.name} --to DIR"
        )
        if (
            self.kind not in ("index", "no-index")
            or not self.there
            or self.there != self.item.line("head-commit")
            or top != os.path.realpath(self.target)
            or self.git("status", "--porcelain", "--ignore-submodules=all").stdout
        ):
            raise refused
        self._take_bundles()
        words = ("diff-tree", "-r", "-z", "--name-only", "--diff-filter=A")
        names = self.git(*words, self.there, self._work()).stdout.split(b"\0")[:-1]
        if any(os.path.lexists(os.fsencode(self.target) + b"/" + name) for name in names):
            self._forget_refs()
            raise refused
        self._refs()
        self._head()
        self._state(self._git_dir())
        self._files(self.there)
        self._forget_refs()

    def _git_dir(self) -> str:
        return self.line("rev-parse", "--absolute-git-dir")

    # --- Contents ----------------------------------------------------------------------

    def _settings(self) -> None:
        for row in os.fsdecode(self.item.read("config")).split("\0"):
            key, _, value = row.partition("\n")
            if SETTING.fullmatch(key):
                single = key.startswith("core.")
                self.git("config", *([] if single else ["--add"]), key, value)

    def _state(self, git_dir: str) -> None:
        """Files of git's directory for an ongoing merge and the like, and contents of git-lfs."""
        folder = self.item.file("git")
        for path, _, names in os.walk(folder):
            for name in names:
                source = os.path.join(path, name)
                target = os.path.join(git_dir, os.path.relpath(source, folder))
                if not self.there or not os.path.lexists(target):
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    shutil.copy2(source, target)
        folder = self.item.file("lfs")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            target = f"{git_dir}/lfs/objects/{name[:2]}/{name[2:4]}/{name}"
            if re.fullmatch("[0-9a-f]{64}", name) and not os.path.lexists(target):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(f"{folder}/{name}", target)

    def _take(self, bundle: str) -> str:
        """Its commits and refs, the latter below refs/cloudtop; returns what went wrong."""
        words = ("--no-write-fetch-head", "--no-tags", "--no-prune", "--no-recurse-submodules")
        answer = self.git("fetch", "-q", *words, bundle, "+refs/*:refs/cloudtop/*")
        return plain(answer.stderr) or "git fetch failed" if answer.returncode else ""

    def _take_bundles(self) -> None:
        first, base = self.item.file("1.bundle"), self.item.file("base.bundle")
        if not os.path.exists(first):
            raise Refused(f"Nothing of {plain(self.item.path)} was saved in time.")
        if os.path.exists(base):
            why = self._take(base)
            if why:
                _warn(f"The bundle {base} cannot be read: {why}")
        why = self._take(first)
        if why and "prerequisite" in why:
            remotes = f"the remotes of {plain(self.item.path)}"
            print(f"Fetching the history that was not saved from {remotes}.", flush=True)
            if self.git("fetch", "-q", "--all").returncode == 0:
                why = self._take(first)
        if why:
            raise Refused(f"The bundle {first} cannot be read: {why}")
        # Each has more of the larger files, and needs those before it
        number = 2
        while os.path.exists(self.item.file(f"{number}.bundle")):
            bundle = self.item.file(f"{number}.bundle")
            why = self._take(bundle)
            if why:
                _warn(f"The bundle {bundle} cannot be read, larger files are missing: {why}")
                break
            # One of before there were shares has the work itself
            share = self.commit(f"{REAL}/share/{number}")
            if share:
                self.git("update-ref", f"{REAL}/work", share)
            number += 1

    def _work(self) -> str:
        """The commit that holds the files, as much of it as could be read."""
        return self.commit(f"{REAL}/work")

    def _refs(self) -> None:
        """The branches, and of a new repository all others too, as far as they came."""
        rows = [line.split(" ", 1) for line in os.fsdecode(self.item.read("refs")).splitlines()]
        symbolic = dict(
            line.split(" ", 1) for line in os.fsdecode(self.item.read("symbolic-refs")).splitlines()
        )
        # Tags that others have may not have come; then their commits may have
        here = dict(self._lines("for-each-ref", "--format=%(refname) %(objectname)"))
        names = "".join(f"{row[0]}\n" for row in rows).encode()
        types = self.git("cat-file", "--batch-check=%(objecttype)", stdin=names).stdout.split(b"\n")
        updates = []
        for (commit, ref), kind in zip(rows, types, strict=False):
            skipped = ref == "refs/stash" or (self.there and not ref.startswith("refs/heads/"))
            if skipped or kind.endswith(b"missing"):
                continue
            now = here.get(ref)
            if ref in symbolic and not now:
                self.git("symbolic-ref", ref, symbolic[ref])
            elif not now:
                updates.append(f"create {ref} {commit}\n")
            elif now != commit:
                short = ref.removeprefix("refs/heads/")
                _warn(
                    f"{short} is at another commit here; what was saved is refs/saved-work/{short}."
                )
                updates.append(f"update refs/saved-work/{short} {commit}\n")
        self.git("update-ref", "--stdin", stdin=os.fsencode("".join(updates)))
        for line in os.fsdecode(self.item.read("stashes")).splitlines():
            commit, _, message = line.partition(" ")
            self.git("stash", "store", "-q", "-m", message, commit)

    def _lines(self, *words: str) -> list[tuple[str, str]]:
        lines = os.fsdecode(self.git(*words).stdout).splitlines()
        return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]

    def _head(self) -> None:
        head = self.item.line("head")
        if not head.startswith("ref: "):
            self.git("update-ref", "--no-deref", "HEAD", head)
            return
        name = head.removeprefix("ref: ")
        # A branch that was elsewhere already keeps its commit
        if not self.there or self.commit(name) == self.there:
            self.git("symbolic-ref", "HEAD", name)

    # --- Files -------------------------------------------------------------------------

    def _files(self, old: str) -> None:
        """From the commit ``old`` (or nothing) to the index and the files as they were."""
        staged = self.commit(f"{REAL}/work^")
        git_dir = self._git_dir()
        with tempfile.TemporaryDirectory() as folder:
            plain_git = self._plain_repository(folder, git_dir)
            if old:
                self.must(*self._lfs_words(), "read-tree", "-m", "-u", old, staged or old)
            elif staged and self.item.has("converted"):
                self._staged_files(plain_git, git_dir, staged)
            elif staged:
                self.must(*self._lfs_words(), "read-tree", "--reset", "-u", staged)
            self._plain_files(plain_git, git_dir, staged)
        if not old and self.item.has("attributes"):
            # Their sizes say nothing: git has to look at the contents, by way of its attributes
            entries = self.git("ls-files", "-z", "-s").stdout
            self.git("update-index", "-z", "--index-info", stdin=entries)
            self.git("update-index", "-q", "--refresh")
        self._modes()
        self._index(git_dir)

    def _staged_files(self, plain_git: dict[str, str], git_dir: str, staged: str) -> None:
        """All as git has them, but for those that a checkout had made other bytes of."""
        variables = {**plain_git, "GIT_INDEX_FILE": f"{git_dir}/index"}
        self.must("-c", "core.bare=false", "read-tree", "--reset", "-u", staged, **variables)
        names = self.item.read("converted")
        # To git they are up to date by now, and it writes no such file anew, -f or not
        for name in filter(None, names.split(b"\0")):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(os.fsencode(self.repository), name))
        words = ("checkout-index", "-f", "-u", "-q", "-z", "--stdin")
        self.git(*self._lfs_words(), *words, stdin=names)

    def _lfs_words(self) -> list[str]:
        """Without git-lfs its part is done here. It takes what is in git's directory by itself."""
        if not self.item.has("lfs") or self.line("config", "filter.lfs.process"):
            return []
        command = f"sh -c {shlex.quote(SMUDGE)} {shlex.quote(self.item.file('lfs'))}"
        return ["-c", f"filter.lfs.smudge={command}", "-c", "filter.lfs.required=false"]

    def _plain_repository(self, folder: str, git_dir: str) -> dict[str, str]:
        """One without a configuration, so that files are bytes as they are; its variables."""
        bare = f"{folder}/git"
        self.must("init", "-q", "--bare", f"--object-format={self.item.line('format')}", bare)
        with open(f"{bare}/info/attributes", "w") as file:
            file.write(ATTRIBUTES)
        os.symlink(f"{git_dir}/objects", f"{folder}/objects")
        with open(f"{bare}/objects/info/alternates", "w") as file:
            file.write("../../objects\n")
        if os.path.exists(f"{git_dir}/shallow"):
            shutil.copyfile(f"{git_dir}/shallow", f"{bare}/shallow")
        return {"GIT_DIR": bare, "GIT_WORK_TREE": self.repository}

    def _plain_files(self, plain_git: dict[str, str], git_dir: str, staged: str) -> None:
        """The changed files, by their own bytes."""
        words = ["--reset", "-u", self._work()]
        if staged:
            index = f"{plain_git['GIT_DIR']}/index"
            shutil.copyfile(f"{git_dir}/index", index)
            # A file that was written this instant counts as unchanged, whatever its line endings
            later = time.time() + 3600
            os.utime(index, (later, later))
            words = ["-m", "-u", staged, self._work()]
        self.must("-c", "core.bare=false", "read-tree", *words, **plain_git)

    def _modes(self) -> None:
        for row in self.item.read("modes").split(b"\0"):
            mode, _, name = row.partition(b"\t")
            path = os.fsencode(self.repository) + b"/" + name
            is_plain = os.path.isfile(path) or os.path.isdir(path)
            if name and is_plain and not os.path.islink(path):
                try:
                    os.chmod(path, int(mode, 8) & 0o7777)
                except ValueError:
                    raise Refused(f"{self.item.file('modes')} is damaged.") from None

    def _index(self, git_dir: str) -> None:
        """The index itself, if it says more than which contents are staged."""
        if not self.item.has("index"):
            return
        for name in self.item.read("absent").split(b"\0")[:-1]:
            path = os.fsencode(self.repository) + b"/" + name
            if os.path.isfile(path) or os.path.islink(path):
                os.unlink(path)
                _remove_empty(os.path.dirname(path), os.fsencode(self.repository))
        for file in os.listdir(self.item.place):
            if file == "index" or file.startswith("sharedindex."):
                shutil.copyfile(self.item.file(file), f"{git_dir}/{file}")
        self.git("update-index", "-q", "--refresh")

    def _forget_refs(self) -> None:
        lines = self.git("for-each-ref", "--format=delete %(refname)", "refs/cloudtop").stdout
        self.git("update-ref", "--stdin", stdin=lines)


def _is_empty_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _copy(source: str, target: str) -> None:
    if os.path.isdir(source) and not os.path.islink(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def _remove_empty(path: bytes, top: bytes) -> None:
    while path != top and not os.listdir(path):
        os.rmdir(path)
        path = os.path.dirname(path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _warn(sentence: str) -> None:
    sys.stdout.flush()
    print(sentence, file=sys.stderr)
