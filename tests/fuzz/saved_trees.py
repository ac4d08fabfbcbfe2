"""Random git work trees are saved, lost and restored: the same again, or the report names it.

usage: python -m tests.fuzz.saved_trees [TREES [SEED]]

A batch of trees is on one machine, so that they meet each other, too. A difference afterwards
has to lie below a place that the report names as not saved.

It is a test, and no tool: each run of the tests tries a batch, on the tests' own machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.machine_programs.support.saved import Machine, Tree, place_for_all_users

BATCH = 10
NAMES = [
    *("a", "b.txt", "dir/c", "dir/deep/d", "-e", "f g", "dir/é", "q'uote\"", "new\nline", "tab\t"),
    *("\udcff\udcfe", "dir2/x", "dir2/y.txt", "UPPER", "*.glob", ":colon", "back\\slash", "{x}"),
]
MODES = [0o644, 0o755, 0o600, 0o640, 0o700, 0o444]
MOST = 1 << 21


class Grower:
    """Does random things in one tree. A refusal of git is no matter."""

    def __init__(self, machine: Machine, place: Path, chance: random.Random) -> None:
        self.machine, self.chance, self.place = machine, chance, place
        self.done: list[str] = []
        kind = chance.choice(["plain"] * 6 + ["empty", "sha256", "shared", "shallow"])
        self.done.append(kind)
        self.tree = self._begin(kind)

    def _begin(self, kind: str) -> Tree:
        if kind in ("shared", "shallow"):
            origin = Tree(self.place.parent / f"{self.place.name}.origin")
            origin.write("second", "2\n")
            origin.commit("second")
            words = ["--shared"] if kind == "shared" else ["--depth", "1"]
            origin.git("clone", "-q", *words, f"file://{origin.place}", str(self.place))
            tree = object.__new__(Tree)
            tree.place = self.place
            return tree
        if kind == "sha256":
            self.place.mkdir()
            tree = object.__new__(Tree)
            tree.place = self.place
            tree.git("init", "-q", "-b", "main", "--object-format=sha256", ".")
            tree.write("file", "one\n")
            tree.commit("first")
            return tree
        return Tree(self.place, empty=kind == "empty")

    def grow(self) -> None:
        deeds = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]
        self._attempt(self.do_commit)
        for deed in self.chance.choices(deeds, k=self.chance.randint(1, 9)):
            self._attempt(deed)
        ends = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("end_")]
        if self.chance.random() < 0.3:
            self._attempt(self.chance.choice(ends))
        for deed in self.chance.choices([self.do_write, self.do_remove, self.do_mode], k=2):
            self._attempt(deed)

    def _attempt(self, deed: Callable[[], None]) -> None:
        self.done.append(deed.__name__.partition("_")[2])
        with contextlib.suppress(subprocess.CalledProcessError, OSError, IndexError):
            deed()

    # --- Files -------------------------------------------------------------------------

    def content(self) -> bytes:
        size = self.chance.choice([0, 1, 20, 300, 5000, 70000])
        if self.chance.random() < 0.03:
            size = self.chance.randint(1 << 20, MOST)
        text = self.chance.choice([b"line\n", b"dos\r\n", bytes(range(256)), b"\0"])
        return text * (size // len(text)) + str(self.chance.random()).encode()

    def name(self) -> str:
        return self.chance.choice(NAMES)

    def existing(self) -> list[Path]:
        files = [each for each in self.place.rglob("*") if ".git" not in each.parts]
        return sorted(each for each in files if each.is_file() or each.is_symlink())

    def do_write(self) -> None:
        for _ in range(self.chance.randint(1, 4)):
            with contextlib.suppress(OSError):
                self.tree.write(self.name(), self.content(), self.chance.choice(MODES))

    def do_remove(self) -> None:
        self.chance.choice(self.existing()).unlink()

    def do_mode(self) -> None:
        place = self.chance.choice(self.existing())
        if not place.is_symlink():
            place.chmod(self.chance.choice(MODES))

    def do_link(self) -> None:
        (self.place / self.name()).symlink_to(self.chance.choice(["a", "nowhere", "/etc", "dir"]))

    def do_folder_for_file(self) -> None:
        place = self.chance.choice(self.existing())
        place.unlink()
        place.mkdir()
        (place / "inner").write_bytes(self.content())

    def do_ignore(self) -> None:
        place = self.chance.choice([".gitignore", "dir/.gitignore", ".git/info/exclude"])
        self.tree.write(place, self.chance.choice(["*.txt\n", "dir\n", "!a\n"]))

    def do_attributes(self) -> None:
        text = ["* text=auto\n", "*.txt text eol=crlf\n", "a ident\n", "* -text\n"]
        self.tree.write(".gitattributes", self.chance.choice(text))

    def do_private_folder(self) -> None:
        self.tree.write("private/file", self.content())
        (self.place / "private").chmod(0o700)

    # --- Index and commits -------------------------------------------------------------

    def do_add(self) -> None:
        self.tree.git("add", "-A", *self.chance.choice([[], ["dir"], ["a"]]))

    def do_add_later(self) -> None:
        self.tree.write("later", "later\n")
        self.tree.git("add", "-N", "later")

    def do_commit(self) -> None:
        self.do_write()
        self.tree.commit(f"commit {len(self.done)}")

    def do_move(self) -> None:
        self.tree.git("mv", self.name(), "moved")

    def do_cached_removal(self) -> None:
        self.tree.git("rm", "-q", "--cached", "--", self.name())

    def do_stash(self) -> None:
        words = self.chance.choice([[], ["--include-untracked"], ["--keep-index"]])
        self.tree.git("stash", "push", "-q", *words, "-m", "a stash: of\ttoday")

    def do_flag(self) -> None:
        names = self.tree.git("ls-files", "-z").split("\0")[:-1]
        name = self.chance.choice(names or ["file"])
        flag = self.chance.choice(["--assume-unchanged", "--skip-worktree"])
        self.tree.git("update-index", flag, "--", name)
        if self.chance.random() < 0.6:
            self.tree.write(name, self.content())

    def do_sparse(self) -> None:
        self.tree.git("sparse-checkout", "set", *self.chance.choice([["dir"], ["dir2"], []]))

    def do_index_version(self) -> None:
        self.tree.git("update-index", "--index-version", self.chance.choice("234"))

    def do_split_index(self) -> None:
        self.tree.git("update-index", "--split-index")

    # --- References --------------------------------------------------------------------

    def do_push(self) -> None:
        self.tree.push(self.machine)

    def do_local_remote(self) -> None:
        self.tree.push(self.machine)
        self.tree.git("remote", "set-url", "origin", f"{self.place}.bare")

    def do_branch(self) -> None:
        self.tree.git("switch", "-q", "-c", f"topic/{len(self.done)}")
        if self.chance.random() < 0.6:
            self.do_commit()

    def do_detach(self) -> None:
        self.tree.git("checkout", "-q", "--detach")
        self.do_commit()

    def do_orphan(self) -> None:
        self.tree.git("checkout", "-q", "--orphan", f"orphan{len(self.done)}")

    def do_tag(self) -> None:
        words = self.chance.choice([["-a", "-m", "tag"], []])
        target = self.chance.choice(["HEAD", "HEAD^{tree}", "HEAD:a", "HEAD:b.txt"])
        self.tree.git("tag", *words, f"v{len(self.done)}", target)

    def do_note(self) -> None:
        self.tree.git("notes", "add", "-f", "-m", f"note {len(self.done)}")

    def do_other_reference(self) -> None:
        before = self.tree.git("rev-parse", "HEAD").strip()
        self.tree.commit_empty()
        self.tree.git("update-ref", f"refs/other/{len(self.done)}", "HEAD")
        self.tree.git("reset", "-q", "--soft", before)

    def do_symbolic_reference(self) -> None:
        self.tree.git("symbolic-ref", "refs/heads/alias", "refs/heads/main")

    def do_pack(self) -> None:
        self.tree.git(*self.chance.choice([["gc", "-q"], ["pack-refs", "--all"], ["repack", "-q"]]))

    # --- Repositories beside it --------------------------------------------------------

    def do_submodule(self) -> None:
        library = self.machine.tree / f"{self.place.name}.library"
        if not library.exists():
            Tree(library)
        self.tree.git("submodule", "add", "-q", str(library), "sub")
        if self.chance.random() < 0.5:
            self.tree.commit("submodule")
        if self.chance.random() < 0.5:
            self.tree.write("sub/file", self.content())
        if self.chance.random() < 0.3:
            self.tree.git("commit", "-qam", "inner", cwd=self.place / "sub")

    def do_work_tree(self) -> None:
        linked = self.place.parent / f"{self.place.name}.linked"
        self.tree.git("worktree", "add", "-q", "-b", f"linked{len(self.done)}", str(linked))
        if self.chance.random() < 0.6:
            (linked / "untracked").write_bytes(self.content())

    def do_nested(self) -> None:
        (self.place / "nested").mkdir()
        inner = Tree(self.place / "nested/inner")
        inner.write("untracked", self.content())

    def do_lfs(self) -> None:
        content = self.content()
        name = hashlib.sha256(content).hexdigest()
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\n"
        self.tree.write("model.bin", f"{text}size {len(content)}\n")
        self.tree.write(f".git/lfs/objects/{name[:2]}/{name[2:4]}/{name}", content)
        self.tree.commit("a model")

    def do_unreadable(self) -> None:
        self.tree.write("closed/file", self.content())
        self.machine.hand_over(self.machine.array)
        self.machine.close(self.place / "closed")
        self.done.append("!unreadable")

    # --- What is going on --------------------------------------------------------------

    def _two_sides(self) -> None:
        self.tree.git("switch", "-q", "-f", "main")
        self.tree.git("switch", "-q", "-c", "side")
        for name in ("a", "dir/c"):
            self.tree.write(name, f"side {name}\n")
        self.tree.commit("side")
        self.tree.git("switch", "-q", "main")
        for name in ("a", "dir/c"):
            self.tree.write(name, f"main {name}\n")
        self.tree.commit("main")

    def end_merge(self) -> None:
        self._two_sides()
        self.tree.git("merge", "-q", "side")

    def end_rebase(self) -> None:
        self._two_sides()
        self.tree.git("rebase", "side")

    def end_cherry_pick(self) -> None:
        self._two_sides()
        self.tree.git("cherry-pick", "side")

    def end_stash_pop(self) -> None:
        self.tree.write("a", "stashed\n")
        self.tree.git("stash", "-q")
        self.tree.write("a", "other\n")
        self.tree.commit("other")
        self.tree.git("stash", "pop", "-q")

    def end_bisect(self) -> None:
        self.do_commit()
        self.tree.git("bisect", "start", "HEAD", "HEAD~1")

    def end_merge_without_commit(self) -> None:
        self._two_sides()
        self.tree.git("merge", "-q", "--no-commit", "-s", "ours", "side")


def state(place: Path) -> dict[str, Any]:
    """All that there is to compare, read by the real git as whoever runs this."""
    tree = object.__new__(Tree)
    tree.place = place
    tree.options = ["-c", "safe.directory=*"]
    words = ("ls-files", "-z", "-o", "-i", "--exclude-standard")
    # As folders, and file by file: a folder in place of a file of the index is in the second alone
    listed = [*tree.git(*words, "--directory").split("\0"), *tree.git(*words).split("\0")]
    ignored = [each.rstrip("/") for each in listed if each]
    return {
        "files": _files(place, set(ignored)),
        "status": tree.git("status", "--porcelain", "-z", "-uall").split("\0"),
        "index": tree.git("ls-files", "-s", "-z").split("\0"),
        "flags": tree.git("ls-files", "-v", "-z").split("\0"),
        "refs": tree.git("for-each-ref", "--format=%(objectname) %(refname) %(symref)").split("\n"),
        "head": [(Path(tree.git("rev-parse", "--absolute-git-dir").strip()) / "HEAD").read_text()],
        "stashes": tree.git("stash", "list", "--format=%H %gs").split("\n"),
        "going on": _ongoing(tree),
        "contents of lfs": _lfs_contents(tree),
    }


def _files(place: Path, ignored: set[str]) -> list[str]:
    files = []
    for each in sorted(place.rglob("*")):
        name = str(each.relative_to(place))
        parts = each.relative_to(place).parts
        above = {"/".join(parts[: number + 1]) for number in range(len(parts))}
        nested = any((place / part / ".git").exists() for part in above)
        if ".git" in parts or above & ignored or nested:
            continue
        if each.is_symlink():
            files.append(f"{name}\0-> {each.readlink()}")
        elif each.is_file():
            files.append(f"{name}\0{each.stat().st_mode & 0o777:o} {zlib.crc32(each.read_bytes())}")
    return files


def _lfs_contents(tree: Tree) -> list[str]:
    """Those that are named by a file, or by a commit that was not pushed."""
    log = tree.git("log", "-p", "--all", "--not", "--remotes", "--", "model.bin")
    texts = [line for line in log.splitlines() if line.startswith("+")]
    with contextlib.suppress(subprocess.CalledProcessError):
        texts.append(tree.git("show", ":model.bin"))
    if (tree.place / "model.bin").is_file():
        texts.append((tree.place / "model.bin").read_text(errors="replace"))
    places = (tree.place / ".git/lfs").rglob("*")
    return sorted(
        each.name for each in places if any(each.name in text for text in texts if each.is_file())
    )


def _ongoing(tree: Tree) -> list[str]:
    git_dir = Path(tree.git("rev-parse", "--absolute-git-dir").strip())
    names = ["MERGE_HEAD", "MERGE_MSG", "CHERRY_PICK_HEAD", "BISECT_LOG", "rebase-merge/onto"]
    places = [git_dir / name for name in names]
    return [f"{place.name} {place.read_text()}" for place in places if place.exists()]


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for key, rows in before.items():
        lines += [f"{key}: lost {row!r}" for row in rows if row not in after[key]]
        lines += [f"{key}: new {row!r}" for row in after[key] if row not in rows]
    return lines


def is_work(values: dict[str, Any]) -> bool:
    """Whether there is anything that a remote does not have."""
    rows = [row.split(" ") for row in values["refs"] if row]
    kept = {row[0] for row in rows if row[1].startswith("refs/remotes/")}
    ours = {row[0] for row in rows if not row[1].startswith("refs/remotes/")}
    return any(values["status"]) or any(values["stashes"]) or not ours <= kept


def try_batch(folder: Path, seed: int) -> list[str]:
    """The differences, in words; each batch has a seed of its own."""
    chance = random.Random(seed)
    machine = Machine(folder)
    machine.settings["cpus"] = chance.randint(1, 4)
    growers = []
    for number in range(BATCH):
        grower = Grower(machine, machine.array / f"tree{number}", chance)
        grower.grow()
        growers.append(grower)
    if any("!unreadable" in grower.done for grower in growers):
        machine.hand_over(machine.array)
        for grower in growers:
            if "!unreadable" in grower.done and (grower.place / "closed").exists():
                machine.close(grower.place / "closed")
    before = {grower.place: state(grower.place) for grower in growers}
    report = machine.save(seconds=300)
    machine.array.rename(folder / "was")
    machine.array.mkdir()
    # As root, what belongs to another is that user's to put back
    _take_over(machine.volume)
    restored = machine.restore("--all")
    wrong = []
    for grower in growers:
        lines = _judge(before[grower.place], grower.place, report)
        if lines:
            wrong += [f"seed {seed} {grower.place.name} {grower.done}", *lines[:8]]
    if wrong:
        wrong.append(f"restore: {restored.stdout[-500:]} {restored.stderr[-1500:]}")
    return wrong


def _take_over(volume: Path) -> None:
    if os.geteuid() == 0:
        for each in volume.rglob("*"):
            os.chown(each, 0, 0, follow_symlinks=False)


def _judge(before: dict[str, Any], place: Path, report: dict[str, Any]) -> list[str]:
    names = {each["path"] for each in report["not_saved"]}
    # Named with a reason that is not of single files
    if str(place) in names:
        return []
    if not place.exists():
        closed = [name.removeprefix(f"{place}/") for name in names if name.startswith(f"{place}/")]
        rest = [row for row in before["status"] if row and row[3:].partition("/")[0] not in closed]
        if not is_work({**before, "status": rest}):
            return []
        return [f"it is not back, and the report has {sorted(names)}"]
    try:
        lines = differences(before, state(place))
    except subprocess.CalledProcessError as error:
        return [f"git cannot read what is back: {error.stderr}"]
    below = [name.removeprefix(f"{place}/") for name in names if name.startswith(f"{place}/")]
    return [line for line in lines if not any(name in line for name in below)]


def main(words: list[str]) -> int:
    trees = int(words[0]) if words else 2000
    seed = int(words[1]) if len(words) > 1 else random.SystemRandom().randrange(1 << 31)
    print(f"{trees} trees in batches of {BATCH}, from seed {seed}", flush=True)
    wrong = 0
    for number in range(-(-trees // BATCH)):
        with place_for_all_users() as folder:
            lines = try_batch(folder, seed + number)
        wrong += bool(lines)
        print("\n".join(lines) if lines else f"seed {seed + number}: {BATCH} right", flush=True)
    print(f"{wrong} of {-(-trees // BATCH)} batches are wrong", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
