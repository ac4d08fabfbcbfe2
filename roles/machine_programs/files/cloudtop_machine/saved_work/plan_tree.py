"""Looks at one work tree: what there is to save, how much it is, and what cannot be saved."""

from __future__ import annotations

import contextlib
import marshal
import os
import re
import shutil
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from . import content
from .content import UNPUSHED
from .git import Git
from .remotes import ThisMachine, kept_remotes
from .report import Unsaved, plain
from .repository import OBJECT, Repository, Shadow, read

# Git says so of a directory that it may not read; the name is quoted as it is
UNREADABLE = re.compile(
    r"(?s)warning: could not open directory '(?P<name>.*?)/': (?P<why>[^\n]*)\n?"
)
KEPT_SETTINGS = re.compile(
    r"remote\..*\.(url|fetch|pushurl)|branch\..*\.(remote|merge|rebase|pushremote|description)"
    r"|user\.(name|email)|submodule\..*\.(url|active)"
    r"|core\.(autocrlf|eol|filemode|ignorecase|sparsecheckout|sparsecheckoutcone)",
    re.DOTALL,
)
# A mode that a clone would not give a file
ODD_MODE = 0o644, 0o664, 0o755, 0o775, 0o777
# So many tracked files have their modes looked at
TRACKED = 20000


@dataclass
class Plan:
    """Content to save. ``files`` are (size, name), the least first; all sizes are in bytes."""

    repository: dict[str, object]
    files: list[tuple[int, bytes]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    unmerged: list[bytes] = field(default_factory=list)
    # Unchanged to git, which would not look at their bytes
    forced: list[bytes] = field(default_factory=list)
    modes: list[bytes] = field(default_factory=list)
    lfs: list[tuple[int, str]] = field(default_factory=list)
    commits: int = 0
    base: int = 0
    head_commit: str = ""
    own_index: bool = False
    unsaved: list[tuple[str, str]] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        sizes = sum(size for size, _ in self.files) + sum(size for size, _ in self.lfs)
        return sizes + self.commits

    def write(self, path: str) -> None:
        with open(path, "wb") as file:
            marshal.dump(asdict(self), file)

    @classmethod
    def read(cls, path: str) -> Plan:
        with open(path, "rb") as file:
            return cls(**marshal.load(file))


class Planner:
    """Fills the plan of one tree. ``unsaved`` gets each thing that will be missing."""

    def __init__(self, tree: str, is_bare: bool, item: str, scratch: str, machine: ThisMachine):
        self.item, self.scratch, self.machine = item, scratch, machine
        self.repository = read(tree, is_bare)
        self.shadow = Shadow(f"{scratch}/shadow", tree, self.repository.format)
        self.git = self.shadow.git()
        self.tree = os.fsencode(tree)
        self.plan = Plan({}, head_commit=self.repository.head_commit)
        self.unsaved: list[Unsaved] = content.foreign_content(self.repository)
        self.names: set[bytes] = set()
        self.tracked: list[bytes] = []
        self.flagged: list[bytes] = []

    def run(self) -> Plan | None:
        """None if nothing of it is work."""
        repository, plan = self.repository, self.plan
        self.shadow.make(repository)
        state = content.state_of(repository)
        self._references(state.objects)
        for text in repository.notes:
            self._note(text)
        has_files = not repository.bare and self._files()
        plan.commits = self._commits()
        stashes = bool(_stashes(repository))
        if not (has_files or plan.commits or stashes or state.ongoing or self._staged()):
            plan.unsaved = [(each.path, each.why) for each in self.unsaved]
            return None
        folder = content.lfs_folder(repository)
        converted = self._converted() if not repository.bare else {}
        self._write("converted", _nul(sorted(converted)))
        # Bytes that attributes made of it cannot be made again if they changed; contents of
        # git-lfs can
        self._force(
            name
            for name, size in converted.items()
            if not folder or size >= content.POINTER_BYTES or not self._is_pointer(name)
        )
        self._sizes()
        if folder:
            small = [self._path(name) for size, name in plan.files if size < content.POINTER_BYTES]
            plan.lfs = content.lfs_contents(self.git, folder, self._staged_blobs(), small)
        self.unsaved += content.copy_state(repository, state, self.item)
        self._write_item()
        plan.unsaved = [(each.path, each.why) for each in self.unsaved]
        return plan

    def _note(self, text: str) -> None:
        """The complaints of git: by its own words, and by name if it names a folder."""
        tree = self.repository.tree
        for match in UNREADABLE.finditer(text):
            self.unsaved.append(
                Unsaved(f"{tree}/{match['name']}", f"it cannot be read ({match['why']})")
            )
        rest = UNREADABLE.sub("", text).strip()
        if rest:
            self.unsaved.append(Unsaved(tree, f"git says: {plain(rest, 200)}"))

    def _references(self, named: tuple[str, ...]) -> None:
        repository = self.repository
        kept = kept_remotes(repository.settings, self.machine, repository.tree)
        ours, durable = list[str](), list[str]()
        starts = tuple(f"refs/remotes/{name}/" for name in kept)
        for commit, name, _ in repository.refs:
            (durable if starts and name.startswith(starts) else ours).append(commit)
        ours += [commit for commit, _ in _stashes(repository)]
        if repository.head_commit:
            ours.append(repository.head_commit)
        ours += content.existing(self.git, named)
        if durable:
            self.plan.base = sum(
                os.path.getsize(os.path.join(folder, name))
                for folder, _, names in os.walk(f"{repository.common}/objects")
                for name in names
            )
        self.shadow.keep(ours, durable)

    def _files(self) -> bool:
        """Which files are new, changed or gone; whether there are any."""
        words = ("--cached", "--deleted", "--modified", "--others", "--exclude-standard")
        answer = self.git("ls-files", "-z", "-v", *words)
        self._note(os.fsdecode(answer.errors))
        if answer.code:
            self._note(f"git ls-files ended with {answer.code}")
        tags: dict[bytes, list[bytes]] = {}
        for line in answer.names:
            tags.setdefault(line[:1], []).append(line[2:])
        # A name with a slash at its end is another repository
        others = [name for name in tags.get(b"?", ()) if not name.endswith(b"/")]
        self.names = {*others, *tags.get(b"C", ())}
        self.plan.unmerged = list(dict.fromkeys(tags.get(b"M", ())))
        self.tracked = tags.get(b"H", [])
        self.flagged = [name for tag in (b"h", b"s", b"S") for name in tags.get(tag, ())]
        # One with a small letter is assumed to be unchanged, s and S are not to be there
        both = tags.get(b"s", [])
        self._flagged(tags.get(b"h", []) + both, tags.get(b"S", []) + both)
        self._filtered()
        self._gone(tags.get(b"R", []))
        return bool(self.names or self.plan.gone or self.plan.unmerged)

    def _flagged(self, assumed: list[bytes], skipped: list[bytes]) -> None:
        """Files that git does not look at: it is to look at them once."""
        there = [name for name in skipped if os.path.lexists(self._path(name))]
        if assumed or skipped:
            self.plan.own_index = True
            absent = [name for name in skipped if not os.path.lexists(self._path(name))]
            self._write("absent", b"".join(name + b"\0" for name in absent))
        if not assumed and not there:
            return
        # A copy of the index as it is, for the restore
        os.link(f"{self.shadow.path}/index", f"{self.scratch}/index")
        for option, names in (("assume-unchanged", assumed), ("skip-worktree", there)):
            if names:
                self.git("update-index", f"--no-{option}", "-z", "--stdin", stdin=_nul(names))
        answer = self.git("ls-files", "-z", "-v", "--deleted", "--modified")
        self._note(os.fsdecode(answer.errors))
        wanted = {*assumed, *there}
        self.names |= {line[2:] for line in answer.names if line[:1] == b"C" and line[2:] in wanted}
        self._gone([line[2:] for line in answer.names if line[:1] == b"R" and line[2:] in wanted])

    def _filtered(self) -> None:
        """Files that a program of the configuration translates: their own bytes are saved."""
        places = [self._path(name) for name in self.tracked if name.endswith(b".gitattributes")]
        places.append(os.fsencode(f"{self.repository.common}/info/attributes"))
        filters: set[str] = set()
        for place in places:
            try:
                with open(place, "rb") as file:
                    filters |= set(re.findall(rb"[ \t]filter=(\S+)", file.read(1 << 20)))
            except OSError:
                continue
        names = sorted(os.fsdecode(each) for each in filters - {b"lfs"})
        if not names:
            return
        self._force(self._translated([f":(attr:filter={name})" for name in names]))

    def _force(self, names: Iterable[bytes]) -> None:
        self.plan.forced += [name for name in names if name not in self.names]
        self.names.update(self.plan.forced)

    def _translated(self, paths: list[str]) -> set[bytes]:
        """The unchanged files that have other bytes than git has."""
        variables = {"GIT_DIR": self.repository.git_dir, "GIT_WORK_TREE": self.repository.tree}
        git = Git(
            self.repository.tree, {**variables, "GIT_INDEX_FILE": f"{self.shadow.path}/index"}
        )
        answer = git("ls-files", "-z", "-s", "--", *paths)
        self._note(os.fsdecode(answer.errors))
        rows = [line.partition(b"\t") for line in answer.names]
        tracked = set(self.tracked)
        blobs = {name: row.split(b" ")[1] for row, _, name in rows if name in tracked}
        blobs = {name: blob for name, blob in blobs.items() if os.path.isfile(self._path(name))}
        names = [name for name in blobs if b"\n" not in name]
        lines = b"".join(name + b"\n" for name in names)
        answer = self.git("hash-object", "--no-filters", "--stdin-paths", stdin=lines)
        same = {
            name
            for name, blob in zip(names, answer.output.split(), strict=False)
            if blob == blobs[name]
        }
        return blobs.keys() - (set() if answer.code else same)

    def _gone(self, names: list[bytes]) -> None:
        for name in names:
            try:
                os.lstat(self._path(name))
            except (FileNotFoundError, NotADirectoryError):
                self.plan.gone.append(name)
                self.names.discard(name)
            except OSError as error:
                self._unread(name, error)

    def _unread(self, name: bytes, error: OSError) -> None:
        self.names.discard(name)
        path = os.fsdecode(self._path(name))
        self.unsaved.append(Unsaved(path, f"it cannot be read ({error.strerror})"))

    def _commits(self) -> int:
        """Bytes of all that no remote has."""
        answer = self.git("rev-list", "--disk-usage", "--objects", *UNPUSHED)
        self._note(os.fsdecode(answer.errors))
        return int(answer.line) if answer.line.isdigit() else 0

    def _staged(self) -> bool:
        """Whether the index differs from the commit."""
        if self.repository.bare:
            return False
        if not self.plan.head_commit:
            return bool(self.tracked)
        words = ("--quiet", "--cached", "--no-ext-diff", self.plan.head_commit, "--")
        return self.git("diff-index", *words).code == 1

    def _staged_blobs(self) -> list[str]:
        if self.repository.bare:
            return []
        lines = self.git("ls-files", "-z", "-s").names
        return [os.fsdecode(line.split(b" ", 2)[1]) for line in lines]

    def _sizes(self) -> None:
        plan, folders = self.plan, set[bytes]()
        for name in self.names | set(plan.unmerged):
            try:
                status = os.lstat(self._path(name))
                if stat.S_ISREG(status.st_mode) and not os.access(self._path(name), os.R_OK):
                    raise PermissionError(13, "Permission denied")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self._unread(name, error)
                continue
            is_file = stat.S_ISREG(status.st_mode)
            plan.files.append((status.st_size if not stat.S_ISDIR(status.st_mode) else 0, name))
            if is_file and stat.S_IMODE(status.st_mode) not in (0o644, 0o755):
                plan.modes.append(b"%o\t%s" % (stat.S_IMODE(status.st_mode), name))
            while b"/" in name:
                name = name.rpartition(b"/")[0]
                folders.add(name)
        plan.files.sort()
        self._odd_modes(folders)

    def _odd_modes(self, folders: set[bytes]) -> None:
        """The modes of folders and of unchanged files, which git does not keep."""
        tracked = [*self.tracked, *self.flagged]
        tracked = tracked if len(tracked) <= TRACKED else []
        for name in [*sorted(folders, reverse=True), *tracked]:
            try:
                mode = os.lstat(self._path(name)).st_mode
            except OSError:
                continue
            odd = stat.S_IMODE(mode) not in ODD_MODE
            if odd and not stat.S_ISLNK(mode) and name not in self.names:
                self.plan.modes.append(b"%o\t%s" % (stat.S_IMODE(mode), name))

    def _write_item(self) -> None:
        """The files that a restore reads beside the bundles."""
        repository = self.repository
        stashes = [f"{commit} {message}\n" for commit, message in _stashes(repository)]
        self._write("refs", "".join(f"{commit} {name}\n" for commit, name, _ in repository.refs))
        symbolic = [f"{name} {target}\n" for _, name, target in repository.refs if target]
        self._write("symbolic-refs", "".join(symbolic))
        self._write("head", f"{repository.head}\n")
        self._write("head-commit", f"{self.plan.head_commit}\n")
        self._write("format", f"{repository.format}\n")
        self._write("stashes", "".join(stashes))
        kept = [
            f"{key}\n{value}\0"
            for scope, key, value in repository.config
            if KEPT_SETTINGS.fullmatch(key)
            and (scope in ("local", "worktree") or key.startswith("user."))
        ]
        self._write("config", "".join(kept))
        self._write("modes", b"".join(mode + b"\0" for mode in self.plan.modes))
        if repository.bare:
            self._write("bare", "")
        if os.path.exists(f"{self.shadow.path}/shallow"):
            with open(f"{self.shadow.path}/shallow", "rb") as file:
                self._write("shallow", file.read())
        self._index()

    def _is_pointer(self, name: bytes) -> bool:
        blob = self.git("cat-file", "-p", f":./{os.fsdecode(name)}").output
        return bool(content.POINTER.match(blob))

    def _converted(self) -> dict[bytes, int]:
        """Unchanged files that a checkout made other bytes of than git has: git's sizes by name."""
        repository, settings = self.repository, dict(self.repository.settings)
        home = os.environ.get("HOME", "")
        places = (f"{repository.common}/info/attributes", f"{home}/.config/git/attributes")
        attributes = any(name.endswith(b".gitattributes") for name in {*self.tracked, *self.names})
        keys = {"core.autocrlf", "core.eol", "core.attributesfile"}
        if not (attributes or keys & settings.keys() or any(map(os.path.exists, places))):
            return {}
        self._write("attributes", "")
        rows = [line.partition(b"\t") for line in self.git("ls-files", "-z", "-s").names]
        blobs = [row.split(b" ")[1] for row, _, _ in rows]
        stdin = b"".join(blob + b"\n" for blob in blobs)
        answer = self.git("cat-file", "--batch-check=%(objectsize)", stdin=stdin)
        names: dict[bytes, int] = {}
        for (_, _, name), size in zip(rows, answer.output.split(b"\n"), strict=False):
            with contextlib.suppress(OSError):
                status = os.lstat(self._path(name))
                same = not stat.S_ISREG(status.st_mode) or size == b"%d" % status.st_size
                if not same and size.isdigit() and name not in self.names:
                    names[name] = int(size)
        return names

    def _index(self) -> None:
        """The index itself, if it says more than which contents are staged."""
        kept = f"{self.scratch}/index"
        source = kept if os.path.exists(kept) else f"{self.shadow.path}/index"
        if self.repository.bare or not os.path.exists(source):
            return
        with open(source, "rb") as file:
            data = file.read(8)
            # From version 3 on it knows of files that are to be added later
            own = self.plan.own_index or self.plan.unmerged or data[4:8] != b"\0\0\0\2"
            # Or the part of it in another file does
            shared = [name for name in os.listdir(self.shadow.path) if name.startswith("shared")]
            if own or shared:
                self._write("index", data + file.read())
        for name in shared:
            shutil.copyfile(f"{self.shadow.path}/{name}", f"{self.item}/{name}")

    def _write(self, name: str, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")
        with open(f"{self.item}/{name}", "wb") as file:
            file.write(data)

    def _path(self, name: bytes) -> bytes:
        return self.tree + b"/" + name


def _stashes(repository: Repository) -> list[tuple[str, str]]:
    """Commit and message of each, the oldest first."""
    stashes = []
    try:
        with open(f"{repository.common}/logs/refs/stash", "rb") as file:
            for line in file:
                words, _, message = os.fsdecode(line).rstrip("\n").partition("\t")
                commit = words.split(" ")[1:2]
                if commit and OBJECT.fullmatch(commit[0]):
                    stashes.append((commit[0], message))
    except OSError:
        return []
    return stashes


def _nul(names: list[bytes]) -> bytes:
    return b"".join(name + b"\0" for name in names)
