"""One repository as its owner sees it, and a shadow of it by which git reads its work tree.

The shadow has the other's objects and index and none of its configuration, which may name
programs: fsmonitor, hooks, filters, textconv. Nothing is written into the work tree.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .git import Git

OBJECT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")
# Bytes as they are
ATTRIBUTES = "* -text !eol -ident -filter !working-tree-encoding\n"
IDENTITY = "cloudtop <cloudtop@localhost>"


class Unreadable(Exception):
    """Git cannot read it; the text says why."""


@dataclass(frozen=True)
class Repository:
    """``git_dir`` is the work tree's own directory, ``common`` that of all its work trees."""

    tree: str
    bare: bool
    format: str
    git_dir: str
    common: str
    refs: tuple[tuple[str, str, str], ...]
    config: tuple[tuple[str, str, str], ...]
    head: str
    notes: tuple[str, ...]

    @property
    def head_commit(self) -> str:
        if not self.head.startswith("ref: "):
            return self.head
        name = self.head.removeprefix("ref: ")
        return next((commit for commit, ref, _ in self.refs if ref == name), "")

    @property
    def settings(self) -> list[tuple[str, str]]:
        """The configuration of every scope."""
        return [(key, value) for _, key, value in self.config]


def read(tree: str, is_bare: bool) -> Repository:
    """Three calls of git. Raises Unreadable."""
    variables = {"GIT_CEILING_DIRECTORIES": os.path.dirname(tree)}
    if is_bare:
        variables = {"GIT_DIR": tree}
    git = Git(tree, variables)
    words = ["--is-bare-repository", "--show-object-format", "--absolute-git-dir"]
    answer = git("rev-parse", *words)
    facts = os.fsdecode(answer.output).split("\n", 2)
    if answer.code or len(facts) < 3:
        raise Unreadable(os.fsdecode(answer.errors))
    git_dir = facts[2].removesuffix("\n")
    refs = git("for-each-ref", "--format=%(objectname) %(refname) %(symref)")
    config = git("config", "-z", "--list", "--show-scope")
    if refs.code:
        raise Unreadable(os.fsdecode(refs.errors))
    scopes = [os.fsdecode(each) for each in config.names]
    pairs = [value.partition("\n") for value in scopes[1::2]]
    rows = [line.split(" ") for line in os.fsdecode(refs.output).splitlines()]
    return Repository(
        tree=tree,
        bare=facts[0] == "true",
        format=facts[1],
        git_dir=git_dir,
        common=_common(git_dir),
        refs=tuple((row[0], row[1], row[2]) for row in rows if len(row) == 3),
        config=tuple(
            (scope, key, value) for scope, (key, _, value) in zip(scopes[::2], pairs, strict=True)
        ),
        head=_head(git, git_dir),
        notes=tuple(os.fsdecode(answer.errors) for answer in (refs, config) if answer.errors),
    )


def _common(git_dir: str) -> str:
    text = first_line(f"{git_dir}/commondir")
    return os.path.normpath(os.path.join(git_dir, text)) if text else git_dir


def _head(git: Git, git_dir: str) -> str:
    head = first_line(f"{git_dir}/HEAD")
    if (head.startswith("ref: refs/") and not head.endswith("/.invalid")) or OBJECT.fullmatch(head):
        return head
    # A link, or references that are kept in another way
    name = git("symbolic-ref", "-q", "HEAD").line
    head = f"ref: {name}" if name else git("rev-parse", "-q", "--verify", "HEAD").line
    if not head:
        raise Unreadable("its HEAD names neither a branch nor a commit")
    return head


def first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline(65536).rstrip("\n")
    except OSError:
        return ""


@dataclass(frozen=True)
class Shadow:
    """Git reads and writes objects here. ``path`` is in the owner's scratch."""

    path: str
    tree: str
    format: str

    def git(self) -> Git:
        return Git(self.tree, {"GIT_DIR": self.path, "GIT_WORK_TREE": self.tree})

    def make(self, repository: Repository) -> None:
        for name in ("objects/info", "objects/pack", "refs/saved/share", "info"):
            os.makedirs(f"{self.path}/{name}")
        version = 0 if self.format == "sha1" else 1
        # Uncompressed: the deadline is near and the disk is quicker than zlib
        lines = [
            f"[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = false",
            "\tcompression = 0\n\tbigFileThreshold = 16m\n\tfsync = none\n\tsplitIndex = false",
            "[pack]\n\tcompression = 0\n\twindow = 0",
            *([f"[extensions]\n\tobjectFormat = {self.format}"] if version else []),
        ]
        _write(f"{self.path}/config", "\n".join([*lines, ""]))
        _write(f"{self.path}/info/attributes", ATTRIBUTES)
        _write(f"{self.path}/HEAD", "ref: refs/heads/none\n")
        os.symlink(f"{repository.common}/objects", f"{self.path}/original")
        _write(f"{self.path}/objects/info/alternates", "../original\n")
        _copy(f"{repository.common}/info/exclude", f"{self.path}/info/exclude")
        _copy(f"{repository.common}/shallow", f"{self.path}/shallow")
        _copy(f"{repository.git_dir}/index", f"{self.path}/index")
        for name in os.listdir(repository.git_dir):
            if name.startswith("sharedindex."):
                _copy(f"{repository.git_dir}/{name}", f"{self.path}/{name}")

    def keep(self, saved: Iterable[str], durable: Iterable[str]) -> None:
        """References to what is to be saved, and to what others have."""
        kept = list(dict.fromkeys(durable))
        mine = [each for each in dict.fromkeys(saved) if each not in set(kept)]
        lines = [f"{each} refs/saved/ref/{number}\n" for number, each in enumerate(mine)]
        lines += [f"{each} refs/durable/{number}\n" for number, each in enumerate(kept)]
        _write(f"{self.path}/packed-refs", "".join(lines))

    def set_ref(self, name: str, commit: str) -> None:
        _write(f"{self.path}/refs/saved/{name}", f"{commit}\n")

    def commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """A commit object, written without a run of git; returns its name."""
        moment = f"{IDENTITY} {int(time.time())} +0000"
        lines = [f"tree {tree}", *(f"parent {each}" for each in parents)]
        lines += [f"author {moment}", f"committer {moment}", "", message, ""]
        content = "\n".join(lines).encode()
        content = b"commit %d\0%s" % (len(content), content)
        name = hashlib.new(self.format, content).hexdigest()
        place = f"{self.path}/objects/{name[:2]}/{name[2:]}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(zlib.compress(content, 0))
        return name


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _copy(source: str, target: str) -> None:
    if os.path.isfile(source):
        shutil.copy2(source, target)
