"""Content of a repository that is not among git's objects: git-lfs, an ongoing merge, the like.

git-lfs need not be installed: its pointers are small files of text.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .git import Git
from .report import MIB, Unsaved, plain
from .repository import OBJECT, Repository, first_line

POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/[^\n]*\n"
    rb"(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\n"
)
POINTER_BYTES = 1024
# git itself keeps these in its directory; they are saved in another way, or made anew
KNOWN = {
    *("HEAD", "config", "config.worktree", "description", "hooks", "info", "objects", "refs"),
    *("logs", "packed-refs", "index", "commondir", "gitdir", "shallow", "modules", "worktrees"),
    *("branches", "lfs", "annex", "gc.log", "gc.pid", "COMMIT_EDITMSG", "FETCH_HEAD", "ORIG_HEAD"),
    *("reftable", "fsmonitor--daemon", "fsmonitor--daemon.ipc", "locked", "rr-cache"),
}
# Files that say that something is going on
ONGOING = {
    *("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "SQUASH_MSG"),
    *("rebase-merge", "rebase-apply", "sequencer"),
}
INFO = ("info/exclude", "info/sparse-checkout", "info/attributes", "info/grafts")
STATE_BYTES = 16 * MIB


@dataclass(frozen=True)
class State:
    """Files of git's directory by name, and objects that they name."""

    names: tuple[str, ...]
    objects: tuple[str, ...]
    ongoing: bool


def state_of(repository: Repository) -> State:
    listed = [each for each in sorted(os.listdir(repository.git_dir)) if _is_state(each)]
    names = [*listed]
    ongoing = bool(ONGOING & set(listed))
    if ongoing and os.path.exists(f"{repository.git_dir}/ORIG_HEAD"):
        names.append("ORIG_HEAD")
    objects = dict.fromkeys(
        each
        for name in names
        for path in _files(f"{repository.git_dir}/{name}")
        if os.path.getsize(path) < 65536
        for each in _objects_named(path)
    )
    worktrees = f"{repository.common}/worktrees"
    if os.path.isdir(worktrees):
        heads = [first_line(f"{worktrees}/{each}/HEAD") for each in os.listdir(worktrees)]
        objects.update(dict.fromkeys(each for each in heads if OBJECT.fullmatch(each)))
    names += [each for each in INFO if os.path.isfile(f"{repository.common}/{each}")]
    return State(tuple(names), tuple(objects), ongoing)


def _is_state(name: str) -> bool:
    return name not in KNOWN and not name.startswith("sharedindex.") and not name.endswith(".lock")


def _files(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path] if os.path.isfile(path) else []
    return [
        file
        for folder, _, names in os.walk(path)
        for file in (os.path.join(folder, name) for name in sorted(names))
        if os.path.isfile(file)
    ]


def _objects_named(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return [word for word in file.read().split() if OBJECT.fullmatch(word)]
    except OSError:
        return []


def existing(git: Git, objects: Sequence[str]) -> list[str]:
    """Those of them that are there: what a state file names may be anything."""
    if not objects:
        return []
    answer = git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=_lines(objects))
    rows = [line.split(" ") for line in os.fsdecode(answer.output).splitlines()]
    return [row[0] for row in rows if len(row) == 2 and row[1] != "missing"]


def copy_state(repository: Repository, state: State, item: str) -> list[Unsaved]:
    """Into ``git`` of the item, as it lies in git's directory; returns what did not fit."""
    unsaved, left = [], STATE_BYTES
    for name in state.names:
        source = f"{repository.common if name in INFO else repository.git_dir}/{name}"
        size = sum(os.path.getsize(path) for path in _files(source))
        if size > left:
            unsaved.append(Unsaved(source, f"{size // MIB} MiB beside git's objects"))
            continue
        left -= size
        target = f"{item}/git/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.islink(source):
            continue
        try:
            if os.path.isdir(source):
                shutil.copytree(source, target, ignore=_special)
            elif os.path.isfile(source):
                shutil.copy2(source, target)
        except (OSError, shutil.Error) as error:
            unsaved.append(Unsaved(source, f"it cannot be read ({plain(str(error), 100)})"))
    return unsaved


def _special(folder: str, names: list[str]) -> list[str]:
    """Not to be copied: links, sockets and pipes."""
    paths = [(name, os.path.join(folder, name)) for name in names]
    return [
        name
        for name, path in paths
        if os.path.islink(path) or not (os.path.isfile(path) or os.path.isdir(path))
    ]


def foreign_content(repository: Repository) -> list[Unsaved]:
    """Contents of programs that keep them outside of git's objects, and that are not saved."""
    places = {
        f"{repository.common}/annex/objects": "git-annex keeps contents there that are not saved",
        f"{repository.tree}/.dvc/cache": "DVC keeps contents there that are not saved",
    }
    return [Unsaved(path, why) for path, why in places.items() if next(iter(_files(path)), None)]


def lfs_folder(repository: Repository) -> str:
    """The directory of git-lfs's contents; empty if it has none."""
    settings = dict(repository.settings)
    storage = os.path.expanduser(settings.get("lfs.storage", "lfs"))
    folder = os.path.join(repository.common, storage, "objects")
    return folder if next(iter(_entries(folder)), None) else ""


def _entries(path: str) -> list[str]:
    try:
        return [each for each in os.listdir(path) if len(each) == 2]
    except OSError:
        return []


def lfs_contents(
    git: Git, folder: str, extra: Iterable[str], files: Iterable[bytes]
) -> list[tuple[int, str]]:
    """Size and path of the contents that pointers name which no remote has, the least first.

    ``extra`` are blobs of the index that may be pointers, ``files`` those of the work tree.
    Three calls of git.
    """
    listed = git("rev-list", "--objects", "--no-object-names", *UNPUSHED)
    objects = [*os.fsdecode(listed.output).split(), *extra]
    answer = git(
        "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", stdin=_lines(objects)
    )
    rows = [line.split(" ") for line in os.fsdecode(answer.output).splitlines()]
    small = [
        row[0] for row in rows if len(row) == 3 and row[1] == "blob" and int(row[2]) < POINTER_BYTES
    ]
    content = git("cat-file", "--batch", stdin=_lines(small)).output if small else b""
    for path in files:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            content += b"\n" + file.read(POINTER_BYTES)
    names = {match[1].decode() for match in POINTER.finditer(content)}
    paths = [f"{folder}/{name[:2]}/{name[2:4]}/{name}" for name in names]
    return sorted((os.path.getsize(path), path) for path in paths if os.path.isfile(path))


UNPUSHED = ("--glob=refs/saved/*", "--not", "--glob=refs/durable/*")


def _lines(objects: Iterable[str]) -> bytes:
    return "".join(f"{each}\n" for each in objects).encode()
