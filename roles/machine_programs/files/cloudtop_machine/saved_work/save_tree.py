"""Saves what only this machine has of one work tree, as its owner, into a directory (the item).

Files, index, stashes and commits that no remote has go into bundles: the first has all but the
larger files, so that it is good for something should time end; each later one needs those
before it. git's hashing is what takes the time, so the larger files are shared out to the CPUs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Sequence

from .children import Tell
from .content import UNPUSHED
from .git import Answer, Git
from .plan_tree import Plan, Planner
from .remotes import ThisMachine
from .report import MIB, Unsaved, plain
from .repository import Shadow, Unreadable

# Files up to the first size are saved first, the smallest of them, up to the second in all
SMALL, QUICK = 1 * MIB, 16 * MIB
# A branch that is behind its remote's is no work, and git says so of each
BEHIND = re.compile(rb"warning: ref '[^']*' is excluded by the rev-list options\n?")
# Names of what was left out that the report gets
NAMED = 20


def plan(
    tree: str, is_bare: bool, item: str, scratch: str, machine: ThisMachine, tell: Tell
) -> None:
    """Tells ``bytes`` and ``base`` in bytes, or that it is ``clean``; or ``unreadable``."""
    try:
        planner = Planner(tree, is_bare, item, scratch, machine)
    except (Unreadable, OSError) as error:
        tell({"unreadable": f"git cannot read it: {plain(str(error), 200)}"})
        return
    work = planner.run()
    if work is None:
        tell({"clean": True, "unsaved": planner.plan.unsaved})
        return
    work.repository = {"format": planner.repository.format, "bare": planner.repository.bare}
    work.write(f"{scratch}/plan")
    tell({"bytes": work.bytes, "base": work.base})


class Saver:
    """Saves up to ``cap`` bytes of what the plan names."""

    def __init__(self, tree: str, item: str, scratch: str, cpus: int) -> None:
        self.plan = Plan.read(f"{scratch}/plan")
        self.tree, self.item, self.scratch, self.cpus = tree, item, scratch, cpus
        self.shadow = Shadow(f"{scratch}/shadow", tree, str(self.plan.repository["format"]))
        self.git = self.shadow.git()
        self.commit: str | None = None
        self.left_out: list[bytes] = []
        self.chosen = 0
        self.trouble: list[str] = []
        self.unsaved = [Unsaved(path, why) for path, why in self.plan.unsaved]

    def run(self, cap: int, tell: Tell) -> None:
        """Tells the result, which is whole or not there."""
        self._write("path", os.fsencode(self.tree))
        if self.plan.commits <= cap and self._history(cap):
            pass
        elif os.path.exists(f"{self.item}/1.bundle"):
            self.trouble.append("its larger files could not all be saved")
        elif not self.plan.repository["bare"] and self._files_alone(cap):
            self.trouble.append(f"its history was not saved ({self.plan.commits // MIB} MiB)")
        else:
            self.trouble.append("git could not save it")
        if "git could not save it" not in self.trouble:
            self._lfs(cap - self._size())
        self._report(cap, tell)

    def _report(self, cap: int, tell: Tell) -> None:
        if self.left_out:
            more = f"files do not fit into {cap // MIB} MiB or cannot be read"
            self.trouble.append(f"{len(self.left_out)} {more}")
            for name in self.left_out[:NAMED]:
                path = f"{self.tree}/{os.fsdecode(name)}"
                self.unsaved.append(Unsaved(path, "it does not fit or cannot be read"))
            self._write("left-out", b"".join(name + b"\n" for name in self.left_out))
        elif self.trouble:
            self.unsaved.append(Unsaved(self.tree, "; ".join(self.trouble)))
        if not self.trouble:
            self.trouble = [f"{place.path}: {place.why}" for place in self.unsaved[:3]]
        unsaved = [(each.path, each.why) for each in self.unsaved]
        sentence = plain("; ".join(self.trouble))
        if sentence:
            self._write("trouble", f"{sentence}\n".encode(errors="surrogateescape"))
        else:
            self._write("complete", b"")
        tell(
            {
                "commit": self.commit,
                "files": self.chosen,
                "bytes": self._size(),
                "complete": not sentence,
                "trouble": sentence,
                "unsaved": unsaved[:100],
            }
        )

    def _history(self, cap: int) -> bool:
        """With the whole of what no remote has; files that are gone are gone there, too."""
        first, rest = self._choose(cap - self.plan.commits)
        parents = self._staged_commit()
        if parents is None:
            return False
        gone = {*self.plan.gone, *self.plan.unmerged, *({*first, *rest} & {*self.plan.forced})}
        if gone:
            names = _nul(sorted(gone))
            self.git("update-index", "-z", "--force-remove", "--stdin", stdin=names)
        if not self._snapshot(first, parents) or not self._bundle("1", *UNPUSHED):
            return False
        # So much is good for something even when time ends here
        return not rest or self._rest(rest, parents)

    def _staged_commit(self) -> list[str] | None:
        """Parents for the work: a commit of the index; None if git cannot go on."""
        head = [self.plan.head_commit] if self.plan.head_commit else []
        if self.plan.repository["bare"]:
            self._write("kind", b"bare\n")
            self.git("read-tree", head[0] if head else "--empty")
            return head
        self._unmerged_contents()
        tree = self.git("write-tree", "--missing-ok")
        # Fails in the middle of a merge
        self._write("kind", b"no-index\n" if tree.code else b"index\n")
        if tree.code:
            return head
        return [self.shadow.commit(tree.line, head, "Index saved by cloudtop")]

    def _unmerged_contents(self) -> None:
        """Files to be merged are in no tree: they get one of their own."""
        if not self.plan.unmerged:
            return
        lines = self.git("ls-files", "-z", "-u").names
        entries = [
            b" ".join([line.split(b" ")[0], b"blob", line.split(b" ")[1]]) + b"\t%d" % number
            for number, line in enumerate(lines)
            if not line.startswith(b"160000")
        ]
        tree = self.git("mktree", "-z", stdin=_nul(entries))
        if not tree.code:
            self.shadow.set_ref("unmerged", self.shadow.commit(tree.line, [], "Unmerged contents"))

    def _choose(self, cap: int) -> tuple[list[bytes], list[bytes]]:
        """The files that fit, the least first: the small ones, and the rest."""
        sum_of_sizes, first, rest = 0, list[bytes](), list[bytes]()
        self.left_out, self.chosen = [], 0
        for size, name in self.plan.files:
            sum_of_sizes += size
            if sum_of_sizes > cap:
                self.left_out.append(name)
            elif size <= SMALL and sum_of_sizes <= QUICK:
                first.append(name)
            else:
                rest.append(name)
        self.chosen = len(first) + len(rest)
        return first, rest

    def _stage(self, names: Sequence[bytes]) -> None:
        """Into our index. One that cannot be read fails all, so that it is looked for in halves."""
        if not names:
            return
        words = ("-z", "--add", "--remove", "--replace", "--stdin")
        if not self.git("update-index", *words, stdin=_nul(names)).code:
            return
        if len(names) == 1:
            self.left_out.append(names[0])
            self.chosen -= 1
            return
        middle = len(names) // 2
        self._stage(names[:middle])
        self._stage(names[middle:])

    def _snapshot(self, names: Sequence[bytes], parents: list[str]) -> bool:
        """A commit of our index with these files staged, as refs/saved/work."""
        self._stage(names)
        tree = self.git("write-tree", "--missing-ok")
        if tree.code:
            self._complain(tree)
            return False
        self.commit = self.shadow.commit(tree.line, parents, "Work saved by cloudtop")
        self.shadow.set_ref("work", self.commit)
        return True

    def _bundle(self, name: str, *words: str) -> bool:
        path = f"{self.item}/{name}.bundle"
        answer = self.git("bundle", "create", "-q", path, *words)
        self._complain(answer)
        return not answer.code

    def _complain(self, answer: Answer) -> None:
        text = BEHIND.sub(b"", answer.errors).strip()
        if text:
            self.unsaved.append(Unsaved(self.tree, f"git says: {plain(text, 200)}"))

    def _rest(self, names: list[bytes], parents: list[str]) -> bool:
        """The larger files: a share for each CPU, staged and then bundled side by side.

        Each share's commit has all files of those before it, and has the last one as its last
        parent.
        """
        shares = [names[number :: self.cpus] for number in range(min(self.cpus, len(names)))]
        staged = self._stage_shares(shares)
        number = 1
        with contextlib.ExitStack() as stack:
            calls = []
            for share, is_staged in zip(shares, staged, strict=True):
                before = self.commit
                if not self._commit_share(number, share, is_staged, [*parents, str(before)]):
                    break
                number += 1
                ref = f"refs/saved/share/{number}"
                path = f"{self.item}/{number}.bundle"
                words = ("bundle", "create", "-q", path, ref, "--not", str(before))
                calls.append(stack.enter_context(self.git.begun(*words)))
            for call in calls:
                self._complain(call.wait())
        # Whole or not there; each needs those before it
        paths = [f"{self.item}/{each}.bundle" for each in range(2, len(shares) + 2)]
        return all(map(os.path.exists, paths))

    def _stage_shares(self, shares: list[list[bytes]]) -> list[bool]:
        with contextlib.ExitStack() as stack:
            calls = [
                stack.enter_context(
                    self.git.begun(
                        *("update-index", "-z", "--add", "--stdin"),
                        stdin=_nul(share),
                        GIT_INDEX_FILE=self._share_index(number),
                    )
                )
                for number, share in enumerate(shares, 1)
            ]
            return [not call.wait().code for call in calls]

    def _share_index(self, number: int) -> str:
        return f"{self.scratch}/share.{number}.index"

    def _commit_share(
        self, number: int, names: list[bytes], is_staged: bool, parents: list[str]
    ) -> bool:
        if is_staged:
            index = self._share_index(number)
            entries = self.git("ls-files", "-z", "-s", GIT_INDEX_FILE=index)
            words = ("update-index", "-z", "--replace", "--index-info")
            if entries.code or self.git(*words, stdin=entries.output).code:
                return False
            names = []
        if not self._snapshot(names, parents):
            return False
        self.shadow.set_ref(f"share/{number + 1}", str(self.commit))
        return True

    def _files_alone(self, cap: int) -> bool:
        """Without any history: it does not fit, or git cannot read it."""
        for name in ("shallow", "index"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self.shadow.path}/{name}")
        for entry in os.listdir(self.item):
            if entry.endswith(".bundle") or entry == "index":
                os.unlink(f"{self.item}/{entry}")
        first, rest = self._choose(cap)
        self._write("kind", b"files\n")
        return self._snapshot([*first, *rest], []) and self._bundle("1", "refs/saved/work")

    def _lfs(self, cap: int) -> None:
        """Contents that only this machine has, the least first."""
        for size, path in self.plan.lfs:
            cap -= size
            target = f"{self.item}/lfs/{os.path.basename(path)}"
            try:
                if cap < 0:
                    raise OSError(0, "it does not fit")
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(path, f"{target}.new")
                os.rename(f"{target}.new", target)
            except OSError as error:
                self.unsaved.append(Unsaved(path, f"contents of git-lfs: {error.strerror}"))

    def _size(self) -> int:
        places = [self.item, f"{self.item}/lfs"]
        return sum(
            entry.stat().st_size
            for place in places
            if os.path.isdir(place)
            for entry in os.scandir(place)
            if entry.name.endswith(".bundle") or place != self.item
        )

    def _write(self, name: str, data: bytes) -> None:
        with open(f"{self.item}/{name}", "wb") as file:
            file.write(data)


def save_base(tree: str, item: str, scratch: str) -> None:
    """The history that remotes have, so that a restore needs no network."""
    git = Git(tree, {"GIT_DIR": f"{scratch}/shadow", "GIT_WORK_TREE": tree})
    git("bundle", "create", "-q", f"{item}/base.bundle", "--glob=refs/durable/*")


def save_path(place: str, item: str, cap: int, tell: Tell) -> None:
    """A plain copy of a file or folder."""
    unsaved: list[tuple[str, str]] = []
    size, files = _size_of(place, unsaved)
    with open(f"{item}/kind", "w") as file:
        file.write("path\n")
    with open(f"{item}/path", "wb") as file:
        file.write(os.fsencode(place))
    sentence = ""
    if size > cap:
        sentence = f"{size // MIB} MiB do not fit into {cap // MIB} MiB"
    else:
        sentence = _copy(place, f"{item}/copy")
    if unsaved and not sentence:
        sentence = f"{unsaved[0][0]}: {unsaved[0][1]}"
    name = "trouble" if sentence else "complete"
    with open(f"{item}/{name}", "w", errors="surrogateescape") as file:
        file.write(f"{plain(sentence)}\n" if sentence else "")
    tell(
        {
            "commit": None,
            "files": files,
            "bytes": 0 if size > cap else size,
            "complete": not sentence,
            "trouble": plain(sentence),
            "unsaved": unsaved,
        }
    )


def _size_of(place: str, unsaved: list[tuple[str, str]]) -> tuple[int, int]:
    if os.path.islink(place) or not os.path.isdir(place):
        return os.lstat(place).st_size, 1

    def unread(error: OSError) -> None:
        unsaved.append((str(error.filename), f"it cannot be read ({error.strerror})"))

    size = 0
    for folder, _, names in os.walk(place, onerror=unread):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(folder, name)).st_size
    return size, 1


def _copy(place: str, target: str) -> str:
    """Copies with modes, links and times; returns what went wrong."""
    try:
        if os.path.islink(place):
            os.symlink(os.readlink(place), target)
        elif os.path.isdir(place):
            shutil.copytree(place, target, symlinks=True, ignore=_special)
        else:
            shutil.copy2(place, target)
    except shutil.Error as error:
        return f"{len(error.args[0])} files could not be copied"
    except OSError as error:
        return f"it could not be copied ({error.strerror})"
    return ""


def _special(folder: str, names: list[str]) -> list[str]:
    paths = [(name, os.path.join(folder, name)) for name in names]
    return [
        name
        for name, path in paths
        if not (os.path.islink(path) or os.path.isfile(path) or os.path.isdir(path))
    ]


def _nul(names: Sequence[bytes]) -> bytes:
    return b"".join(name + b"\0" for name in names)
