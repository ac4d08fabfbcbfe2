"""Saves the work on the array, all of it or what time and room allow, and prints a report as JSON.

Run by cloudtop-reap. An owner's work is read and written as that owner, so that nobody's
repository gets root to do something.

usage: save-work all CONFIGURATION DIRECTORY ENDS
ENDS is in POSIX seconds. DIRECTORY gets one directory for each tree and path (an item).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial

from cloudtop_machine import config
from cloudtop_machine.volume_directory import NotRoots, VolumeDirectory

from . import old_saves, places, save_tree
from .children import Job, Tell, run, run_all
from .find_trees import NAMED, Search, mount_points
from .owner import Owner, look_up
from .remotes import this_machine
from .report import MIB, NO_TIME, Report, Saved, Unsaved, plain

SETTINGS = {
    "ephemeral": "",
    "persistent": "",
    "user": "",
    "folders": "",
    "excluded": "",
    "paths": "",
    "tree_cap_mib": "500",
    "total_cap_mib": "2048",
    "depth": "64",
    "trees": "1000",
    # How many saves a volume holds, and how much they are in all
    "saves": "20",
    "saves_mib": "8192",
    # Places that a test's configuration moves
    "run": "/run/cloudtop",
    "proc": "/proc",
    "etc": "/etc",
    "cpus": "0",
}
# Kept free on the volume, in bytes
RESERVE = 64 * MIB
USAGE = 2


@dataclass
class Task:
    """One tree or path: what is said of it, and what is still to be done."""

    saved: Saved
    owner: Owner
    is_bare: bool = False
    bytes: int = 0
    base: int = 0
    cap: int = 0
    planned: bool = False


@dataclass
class Save:
    """One end of a machine. ``ends`` is in seconds of the monotonic clock.

    Root works in ``kept``, ``saves`` and ``scratch_directory`` by their handles: their names are in
    directories of users'. Owners work by the names, as themselves.
    """

    settings: dict[str, str]
    directory: str
    ends: float
    report: Report = field(init=False)
    scratch: str = ""
    scratch_directory: VolumeDirectory = field(init=False)
    saves: VolumeDirectory = field(init=False)
    kept: VolumeDirectory = field(init=False)
    total: int = 0
    names: set[str] = field(default_factory=set)
    owners: dict[int, Owner] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.report = Report(self.directory)
        self.cpus = int(self.settings["cpus"]) or len(os.sched_getaffinity(0))
        self.excluded = _lines(self.settings["excluded"])
        self.paths = _lines(self.settings["paths"])
        top = VolumeDirectory.top(self.settings["persistent"], os.geteuid(), make=False)
        self.saves = top.inside("saved", make=False)
        self.kept = self.saves.inside(os.path.basename(self.directory), make=False)

    def left(self) -> float:
        return self.ends - time.monotonic()

    def half(self, most: float) -> float:
        return max(1.0, min(most, self.left() / 2))

    def run(self) -> Report:
        array = self.settings["ephemeral"]
        if self.left() <= 0:
            self.report.unsaved.append(Unsaved(array, "there was no time to look at it"))
            return self.report
        self._make_scratch()
        try:
            room = self._free(self.directory) - RESERVE
            self.total = max(0, min(int(self.settings["total_cap_mib"]) * MIB, room))
            self._find()
            self._plan()
            self._deal()
            self._work()
            self._save_paths()
            # Commits that only this machine has are on the disk before those that others have too
            codes = run(Job(partial(places.sync, self.directory)), max(0.0, self.left())).answers
            # No answer in time is none: unmounting writes the rest
            if any(codes):
                self.report.unsaved.append(
                    Unsaved(self.directory, "the disk did not take all that was written")
                )
            self._bases()
        finally:
            run(Job(partial(places.tidy, array, self.kept.path)), 10)
        self._finish()
        return self.report

    # --- Places ------------------------------------------------------------------------

    def _make_scratch(self) -> None:
        """Its name cannot be guessed, so that nobody can be there first."""
        array = self.settings["ephemeral"]
        place = f"{array}/{places.SCRATCH}{os.urandom(16).hex()}"
        job = run(Job(partial(places.make_on_array, array, place)), 5)
        if job.ended:
            above, self.scratch = VolumeDirectory.of(array, os.geteuid()), place
        else:
            # The array is (nearly) full, or broken: its work is put together on the volume
            above, self.scratch = self.kept, f"{self.directory}/.scratch"
        name = os.path.basename(self.scratch)
        self.scratch_directory = above.inside(name, make=not job.ended, mode=0o711)
        os.fchmod(self.scratch_directory.handle, 0o711)

    def _free(self, place: str) -> int:
        job = run(Job(lambda tell: tell(places.free_bytes(place))), 5)
        return int(str(job.answers[0])) if job.answers else 1 << 40

    def _find(self) -> None:
        array = self.settings["ephemeral"]
        seconds = self.half(20)
        folders = _lines(self.settings["folders"]) or [array]
        search = Search(
            folders=folders,
            excluded=self.excluded,
            mounts=mount_points(self.settings["proc"]),
            depth=int(self.settings["depth"]),
            trees=int(self.settings["trees"]),
            deadline=time.monotonic() + seconds * 0.9,
            saved_paths=self.paths,
            scratch=self.scratch,
        )
        job = run(Job(search.run), seconds)
        if not job.answers or job.answers[-1] != {"over": True}:
            why = job.trouble or "not all folders were looked at: there was no time for it"
            self.report.unsaved.append(Unsaved(array, why))
        self._limits(job, folders)
        for answer in job.answers:
            if isinstance(answer, dict):
                self._seen(answer)

    def _seen(self, answer: dict[str, object]) -> None:
        place = str(answer.get("tree") or answer.get("bare") or "")
        if place:
            owner = self._owner(int(str(answer["uid"])))
            self._add(Task(Saved(place, self._item_name(place)), owner, "bare" in answer))
        elif "unseen" in answer:
            self.report.unsaved.append(Unsaved(str(answer["unseen"]), str(answer["why"])))
        elif "more" in answer:
            why = f"{answer['more']} more folders were not looked at"
            self.report.unsaved.append(Unsaved(self.settings["ephemeral"], why))
        if str(answer.get("why", "")).endswith("work trees were looked at before it"):
            trees = self.settings["trees"]
            sentence = f"There are {trees} git work trees or more; the first {trees} are looked at."
            if sentence not in self.report.limits:
                self.report.limits.append(sentence)

    def _limits(self, job: Job, folders: list[str]) -> None:
        limits, seen = self.report.limits, dict[str, list[str]]()
        for answer in job.answers:
            if isinstance(answer, dict):
                for kind in ("mount", "outside"):
                    if kind in answer:
                        seen.setdefault(kind, []).append(str(answer[kind]))
        limits.append(f"Only folders below {_joined(folders)} are searched.")
        if self.excluded:
            limits.append(f"Not searched: {_joined(self.excluded)}.")
        if "mount" in seen:
            limits.append(f"Other file systems are not searched: {_joined(seen['mount'])}.")
        if "outside" in seen:
            limits.append(
                f"Files outside git work trees are not saved, as in {_joined(seen['outside'])}."
                " Name them in cloudtop_saved_paths."
            )

    # --- Contents ----------------------------------------------------------------------

    def _owner(self, uid: int) -> Owner:
        if uid not in self.owners:
            self.owners[uid] = look_up(uid, self.settings["etc"])
        return self.owners[uid]

    def _item_name(self, place: str) -> str:
        name = place.rpartition("/")[2]
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name):
            name = "tree"
        numbered = (f"{name}.{number}" if number > 1 else name for number in range(1, 1 << 20))
        item = next(each for each in numbered if each not in self.names)
        self.names.add(item)
        return item

    def _add(self, task: Task) -> None:
        self.tasks.append(task)
        self.report.items.append(task.saved)

    def _forget(self, task: Task) -> None:
        self.report.items.remove(task.saved)
        for place in self._handles(task):
            places.remove(place)

    def _places(self, task: Task) -> tuple[str, str]:
        return f"{self.directory}/{task.saved.item}", f"{self.scratch}/{task.saved.item}"

    def _handles(self, task: Task) -> tuple[str, str]:
        """The same places for root."""
        item = task.saved.item
        return f"{self.kept.path}/{item}", f"{self.scratch_directory.path}/{item}"

    def _job(self, task: Task, work: Callable[[Tell], None], make: bool = False) -> Job:
        prepare = partial(places.give, self._handles(task), task.owner) if make else None
        return Job(work, task.owner, prepare)

    def _run(self, jobs: dict[str, Job], seconds: float) -> None:
        # Two more than there are CPUs, for those that may hang
        run_all(jobs.values(), self.cpus + 2, max(0.0, seconds))

    def _plan(self) -> None:
        settings, jobs = self.settings, dict[str, Job]()
        for task in self.tasks:
            item, scratch = self._places(task)
            machine = this_machine(
                settings["persistent"], settings["proc"], settings["etc"], task.owner.home
            )
            work = partial(save_tree.plan, task.saved.path, task.is_bare, item, scratch, machine)
            jobs[task.saved.item] = self._job(task, partial(_call, work), make=True)
        # A tree that hangs must not take the others' time
        self._run(jobs, (self.left() + 1) / 2)
        for task in list(self.tasks):
            self._planned(task, jobs[task.saved.item])

    def _planned(self, task: Task, job: Job) -> None:
        answer = job.answers[-1] if job.answers else None
        if not isinstance(answer, dict):
            task.saved.trouble = job.trouble or NO_TIME
            return
        task.saved.unsaved = _unsaved(answer)
        if "unreadable" in answer:
            task.saved.trouble = str(answer["unreadable"])
        elif "clean" in answer and not task.saved.unsaved:
            self._forget(task)
        elif "clean" in answer:
            first = task.saved.unsaved[0]
            task.saved.trouble = f"{first.path}: {first.why}"
        else:
            task.bytes, task.base = int(answer["bytes"]), int(answer["base"])
            task.planned = True

    def _deal(self) -> None:
        """The least first: what is likely to be done in time is done."""
        tree_cap = int(self.settings["tree_cap_mib"]) * MIB
        for task in sorted(self.tasks, key=lambda task: task.bytes):
            if task.planned:
                task.cap = min(tree_cap, self.total)
                self.total -= min(task.bytes, task.cap)

    def _work(self) -> None:
        jobs = {}
        for task in sorted(self.tasks, key=lambda task: task.bytes):
            if task.planned:
                item, scratch = self._places(task)
                work = partial(_save, task.saved.path, item, scratch, self.cpus, task.cap)
                jobs[task.saved.item] = self._job(task, work)
        self._run(jobs, self.left())
        for task in self.tasks:
            if task.planned:
                _result(task.saved, jobs[task.saved.item])

    def _save_paths(self) -> None:
        cap = min(int(self.settings["tree_cap_mib"]) * MIB, self.total)
        jobs = {}
        seen = run(Job(partial(places.owners_of, self.paths)), self.half(5)).answers
        for place, uid in zip(self.paths, [*seen, *[None] * len(self.paths)], strict=False):
            if uid == "absent":
                print(f"There is no {plain(place)} to be saved.", file=sys.stderr)
                continue
            if not isinstance(uid, int):
                why = "it cannot be read" if uid else "it was not looked at in time"
                self.report.unsaved.append(Unsaved(place, why))
                continue
            task = Task(Saved(place, self._item_name(place), is_path=True), self._owner(uid))
            self._add(task)
            work = partial(save_tree.save_path, place, self._places(task)[0], cap)
            jobs[task.saved.item] = self._job(task, partial(_call, work), make=True)
        self._run(jobs, self.left())
        for task in self.tasks:
            if task.saved.is_path:
                _result(task.saved, jobs[task.saved.item])
                self.total -= task.saved.bytes

    def _bases(self) -> None:
        """So that a restore needs no network, as far as there is room."""
        jobs = {}
        for task in sorted(self.tasks, key=lambda task: task.base):
            item, scratch = self._places(task)
            if 0 < task.base <= int(self.settings["tree_cap_mib"]) * MIB:
                self.total -= task.base
                if self.total > 0 and os.path.exists(f"{item}/1.bundle"):
                    work = partial(save_tree.save_base, task.saved.path, item, scratch)
                    jobs[task.saved.item] = self._job(task, partial(_quietly, work))
        self._run(jobs, self.left())

    # --- Afterwards --------------------------------------------------------------------

    def _finish(self) -> None:
        if not self.report.items and self.report.complete:
            return
        boot = places.boot_id(self.settings["proc"])
        self._write(self.kept, "report.json", {**self.report.as_dict(), "boot": boot})
        number = int(self.settings["saves"]), int(self.settings["saves_mib"]) * MIB
        newest = f"{self.saves.path}/{os.path.basename(self.directory)}"
        job = run(Job(partial(old_saves.bound, newest, boot, *number)), self.half(10))
        self.report.limits += [str(each) for each in job.answers]
        if self.report.items:
            self._hint()

    def _write(self, directory: VolumeDirectory, name: str, value: object, uid: int = 0) -> None:
        """A text as it is, other values as JSON. A full volume costs no more than this file."""
        text = value if isinstance(value, str) else f"{json.dumps(value, indent=1)}\n"
        try:
            directory.replace(name, text.encode(errors="replace"), uid or None)
        except OSError as error:
            why = f"it could not be written: {error.strerror}"
            self.report.unsaved.append(Unsaved(f"{directory.place}/{name}", why))

    def _hint(self) -> None:
        """For the login: its shell prints this file if it is there."""
        moment = datetime.now(timezone.utc).strftime("%Y-%m-%d at %H:%M UTC")
        text = (
            f"\nWork of {len(self.report.items)} place(s) was saved on {moment}, before EC2 took"
            " the machine, and is not back yet.\n"
        )
        if not self.report.complete:
            text += "Not all of it was saved.\n"
        self._write(self.saves, "hint", f"{text}See: cloudtop-restore\n\n", self._user())

    def _user(self) -> int:
        user = self.settings["user"]
        if user.isdigit():
            return int(user)
        with contextlib.suppress(OSError), open(f"{self.settings['etc']}/passwd") as file:
            for line in file:
                words = line.split(":")
                if words[0] == user:
                    return int(words[2])
        return 0


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


def _joined(paths: list[str]) -> str:
    return ", ".join(plain(each, 200) for each in paths[:NAMED])


def _call(work: Callable[..., None], tell: Tell) -> None:
    work(tell=tell)


def _quietly(work: Callable[[], None], tell: Tell) -> None:
    work()


def _save(tree: str, item: str, scratch: str, cpus: int, cap: int, tell: Tell) -> None:
    save_tree.Saver(tree, item, scratch, cpus).run(cap, tell)


def _result(saved: Saved, job: Job) -> None:
    answer = job.answers[-1] if job.answers else None
    if not isinstance(answer, dict):
        saved.trouble = job.trouble or NO_TIME
        return
    commit = answer["commit"]
    saved.commit = str(commit) if commit else None
    saved.files, saved.bytes = int(answer["files"]), int(answer["bytes"])
    saved.complete, saved.trouble = answer["complete"] is True, str(answer["trouble"])
    saved.unsaved = _unsaved(answer)


def _unsaved(answer: dict[str, object]) -> list[Unsaved]:
    rows = answer.get("unsaved")
    return [Unsaved(str(row[0]), str(row[1])) for row in rows] if isinstance(rows, list) else []


def main() -> int:
    words = sys.argv[1:]
    if len(words) != 4 or words[0] != "all" or not re.fullmatch(r"-?[0-9]+", words[3]):
        print("usage: save-work all CONFIGURATION DIRECTORY ENDS", file=sys.stderr)
        return USAGE
    settings = config.read(words[1], SETTINGS)
    # The clock may be set meanwhile
    ends = time.monotonic() + int(words[3]) - time.time()
    try:
        report = Save(settings, words[2].rstrip("/"), ends).run()
    except NotRoots as refusal:
        print(refusal, file=sys.stderr)
        return 1
    for sentence in [*report.limits, *report.sentences()]:
        print(sentence, file=sys.stderr)
    print(json.dumps(report.as_dict(), separators=(",", ":")))
    return 0
