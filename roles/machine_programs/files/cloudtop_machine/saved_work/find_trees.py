"""Looks for git work trees, from the top down, and says what it did not look at."""

from __future__ import annotations

import os
import re
import stat
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .children import Tell

# Places outside git and places that could not be looked at, by name; the others are counted
NAMED = 20
OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Place:
    """A directory that is to be looked into, so many below its start.

    ``inside`` is whether it is in a work tree; ``outside`` whether files of no work tree were
    seen in it or above.
    """

    path: str
    depth: int = 0
    inside: bool = False
    outside: bool = False


@dataclass
class Search:
    """The folders and the depth. ``mounts`` are not touched: a dead file system hangs us."""

    folders: Sequence[str]
    excluded: Sequence[str]
    mounts: frozenset[str]
    depth: int
    trees: int
    deadline: float
    saved_paths: Sequence[str] = ()
    scratch: str = ""
    _trees: int = 0
    _outside: int = 0
    _unseen: int = 0
    _tell: Tell = print
    _places: deque[Place] = field(default_factory=deque)

    def run(self, tell: Tell) -> None:
        """Tells each as it is seen: ``tree`` and ``bare`` with the owner, ``unseen``, ``outside``,
        ``mount`` and at the end ``over``."""
        self._tell = tell
        self._places.extend(Place(folder) for folder in dict.fromkeys(self.folders))
        while self._places:
            place = self._places.popleft()
            if time.monotonic() > self.deadline:
                self._unseen_place(place.path, "there was no time to look into it")
                continue
            self._look(place)
        if self._unseen > NAMED:
            self._tell({"more": self._unseen - NAMED})
        tell({"over": True})

    def _look(self, place: Place) -> None:
        try:
            with os.scandir(place.path) as entries:
                listed = list(entries)
            names = {entry.name for entry in listed}
            below = [entry for entry in listed if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            if place.depth or not isinstance(error, FileNotFoundError):
                self._unseen_place(place.path, f"it cannot be read ({error.strerror})")
            return
        if ".git" in names:
            self._tree("tree", place.path, f"{place.path}/.git")
            self._modules(f"{place.path}/.git/modules")
            place = Place(place.path, place.depth, True, place.outside)
        elif {"HEAD", "objects", "refs"} <= names and not place.inside:
            self._tree("bare", place.path, f"{place.path}/HEAD")
            return
        elif not place.inside and not place.outside and len(below) < len(listed):
            place = self._files_outside(place, [entry for entry in listed if entry not in below])
        self._below(place, [entry.path for entry in below])

    def _below(self, place: Place, paths: list[str]) -> None:
        paths = [path for path in paths if self._wanted(path)]
        # A tree in it has its .git one deeper
        if paths and place.depth + 2 > self.depth:
            self._unseen_place(
                place.path, f"it is {self.depth} folders deep: no deeper is searched"
            )
            return
        for path in sorted(paths):
            self._places.append(Place(path, place.depth + 1, place.inside, place.outside))

    def _wanted(self, path: str) -> bool:
        if path in self.mounts:
            if path not in self.excluded:
                self._tell({"mount": path})
            return False
        name = path.rpartition("/")[2]
        skipped = path in self.excluded or path == self.scratch
        return not skipped and name not in (".git", "node_modules")

    def _tree(self, kind: str, path: str, entry: str) -> None:
        try:
            uid = os.lstat(entry).st_uid
        except OSError as error:
            self._unseen_place(path, f"it cannot be read ({error.strerror})")
            return
        self._trees += 1
        if self._trees > self.trees:
            self._unseen_place(path, f"{self.trees} work trees were looked at before it")
            return
        self._tell({kind: path, "uid": uid})

    def _modules(self, path: str) -> None:
        """Repositories of submodules whose work trees are gone."""
        for git_dir in _repositories_below(path):
            if not os.path.lexists(os.path.join(_work_tree(git_dir), ".git")):
                self._tree("bare", git_dir, f"{git_dir}/HEAD")

    def _files_outside(self, place: Place, entries: list[os.DirEntry[str]]) -> Place:
        kept = [
            entry
            for entry in entries
            if not any(
                entry.path == path or entry.path.startswith(f"{path}/") for path in self.saved_paths
            )
        ]
        if not kept:
            return place
        self._outside += 1
        if self._outside <= NAMED:
            self._tell({"outside": place.path})
        # Files at the very top say nothing of the folders beside them
        return Place(place.path, place.depth, False, place.depth > 0)

    def _unseen_place(self, path: str, why: str) -> None:
        self._unseen += 1
        if self._unseen <= NAMED:
            self._tell({"unseen": path, "why": why})


def mount_points(proc: str) -> frozenset[str]:
    """The mount points of all that is mounted; blanks and the like are octal numbers there."""
    try:
        with open(f"{proc}/self/mountinfo", "rb") as file:
            lines = [line.split(b" ") for line in file]
    except OSError:
        return frozenset()
    return frozenset(
        os.fsdecode(OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), line[4]))
        for line in lines
        if len(line) > 4
    )


def _repositories_below(path: str, depth: int = 4) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for folder in folders:
        if os.path.lexists(f"{folder.path}/HEAD") and os.path.lexists(f"{folder.path}/objects"):
            yield folder.path
            yield from _repositories_below(f"{folder.path}/modules", depth)
        elif depth:
            yield from _repositories_below(folder.path, depth - 1)


def _work_tree(git_dir: str) -> str:
    """As the configuration of a submodule's repository says."""
    try:
        descriptor = os.open(f"{git_dir}/config", os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return git_dir
            text = file.read(65536)
    except OSError:
        return git_dir
    match = re.search(r"(?m)^\s*worktree\s*=\s*(.*?)\s*$", text)
    return os.path.normpath(os.path.join(git_dir, match[1].strip('"'))) if match else git_dir
