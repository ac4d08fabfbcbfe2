"""Before machines are ended on purpose: their unsaved work goes to the volume, as at a reap.

No machine whose work could not all be saved is ended unless its owner says so, and one that was
made ready for its end and is not ended is taken back.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from cloudtop.aws import client as aws
from cloudtop.aws import find as ec2
from cloudtop.aws.find import Machine, Volume
from cloudtop.command import Context, run_playbooks
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import KEY_REFUSED, PinnedMachine
from cloudtop.machine.conversation import ANSWER_KEY, Conversation
from cloudtop.paths import PROGRAMS
from module_utils import cloudtop_rules as rules

PROGRAM = PROGRAMS / "end.py"
REACH = "reach.yml"
# How long saving may take, and how long a machine may take to answer at all
SECONDS, CONNECT_SECONDS = 180, 10
# How long ssh and the program's start may take on a busy machine
ANSWER_SECONDS = 60
# From the owner's last yes until the machine must have ended, or it takes the end back. A playbook
# takes a minute or two to come to the end of the machine, more if EC2 throttles its calls, and
# EC2 shuts a machine down within two minutes.
HELD_SECONDS = 600
# How long this computer waits for a machine that takes its end back
BACK_SECONDS = 10
LOSE_WORK = "--lose-work"
DONE = {"terminate": "ended", "stop": "stopped"}
# OpenSSH's words when another address in the security group would not help
OWN_TROUBLES = (KEY_REFUSED.rstrip("."), "ubuntu@", "command-line", "sudo:")


class NotSaved(CloudtopError):
    """The machine goes on, as its work could not all be saved and nobody gave that up."""


@dataclass(frozen=True)
class Place:
    """A git work tree or another place; ``files`` and ``bytes`` are what was saved of it."""

    path: str
    complete: bool
    trouble: str
    files: int
    bytes: int


@dataclass(frozen=True)
class SavedWork:
    """A machine's report on saved work.

    ``trouble`` is why there is no report, or empty; ``mounted`` is whether the
    volume was there to be written to; ``incomplete`` are further sentences about what is not saved.
    ``volume`` is what became of it (unmounted, read-only, mounted, or kept if it is never
    unmounted), ``held`` the programs that held it.
    """

    machine: str
    reached: bool = False
    guard: bool = False
    mounted: bool = False
    trees: tuple[Place, ...] = ()
    paths: tuple[Place, ...] = ()
    incomplete: tuple[str, ...] = ()
    volume: str = ""
    held: str = ""
    bytes: int = 0
    seconds: int = 0
    trouble: str = ""

    @property
    def whole(self) -> bool:
        return not self.missing

    @property
    def missing(self) -> list[str]:
        """The unsaved places and why, a sentence each."""
        if self.trouble:
            return [self.trouble]
        if not self.mounted:
            return [f"The volume is not mounted for writing on {self.machine}: nothing was saved."]
        places = [each for each in (*self.trees, *self.paths) if not each.complete]
        return [
            *(f"Not all of {each.path} was saved: {each.trouble or 'why, it did not say'}."
              for each in places),
            *self.incomplete,
            *([f"The volume is still mounted: {self.held or 'a program'} writes to it."]
              if self.volume == "mounted" else []),
        ]  # fmt: skip

    def __str__(self) -> str:
        if self.trouble or not self.mounted:
            return "\n".join(self.missing)
        ends = {
            "unmounted": "The volume is unmounted.",
            "read-only": f"The volume is read-only now; it is held by {self.held or 'a program'}.",
            "mounted": f"The volume is still mounted; it is held by {self.held or 'a program'}.",
        }
        saved = (
            f"Saved: {len(self.trees)} git work trees, {len(self.paths)} other places,"
            f" {self.bytes} bytes in {self.seconds} s. {ends.get(self.volume, '')}"
        )
        return "\n".join([saved.rstrip(), *self.missing])


def saved_work(machine: str, answer: Mapping[str, Any] | None) -> SavedWork:
    """From the machine's report: what its program says, with cloudtop-reap's report in it.

    Nothing of the report's form is relied on: an odd one counts as nothing saved.
    """
    try:
        return _saved_work(machine, answer)
    except (AttributeError, KeyError, TypeError, ValueError):
        return SavedWork(
            machine, reached=True, guard=True, trouble=f"The report of {machine} cannot be read."
        )


def _saved_work(machine: str, answer: Mapping[str, Any] | None) -> SavedWork:
    if answer is None:
        return SavedWork(
            machine, reached=True, trouble=f"{machine} did not say in time what was saved."
        )
    if not answer.get("guard"):
        trouble = f"No guard that could save work is installed on {machine}: nothing was saved."
        return SavedWork(machine, reached=True, trouble=trouble)
    report = answer.get("report")
    if not isinstance(report, dict):
        why = answer.get("trouble") or "its guard left no report"
        trouble = (
            f"{machine} does not say what was saved ({why}); a guard of an earlier version is"
            " renewed by: python runner.py converge"
        )
        return SavedWork(machine, reached=True, guard=True, trouble=trouble)
    saved = report.get("saved") or {}
    trees, paths = (tuple(map(_place, saved.get(kind, ()))) for kind in ("trees", "paths"))
    named = {each.path for each in (*trees, *paths) if not each.complete}
    incomplete = [
        f"Not all of {each['path']} was saved: {each['why']}."
        for each in saved.get("not_saved", ())
        if each["path"] not in named
    ]
    if not saved and report.get("mounted"):
        incomplete.append(f"The guard of {machine} failed: nothing was saved.")
    elif saved.get("complete") is False and not (incomplete or named):
        incomplete.append("Not all places were looked at.")
    incomplete += map(str, report.get("hooks", ()))
    return SavedWork(
        machine,
        reached=True,
        guard=True,
        mounted=bool(report.get("mounted")),
        trees=trees,
        paths=paths,
        incomplete=tuple(incomplete),
        volume=str(report.get("volume", "")),
        held=str(report.get("held", "")),
        bytes=int(saved.get("bytes", 0)),
        seconds=int(report.get("seconds", 0)),
    )


def _place(item: Mapping[str, Any]) -> Place:
    return Place(
        str(item.get("path", "")),
        item.get("complete") is True,
        str(item.get("trouble", "")),
        int(item.get("files", 0)),
        int(item.get("bytes", 0)),
    )


def machines(context: Context) -> list[Machine]:
    """The machines that the removal of a cloudtop's request ends: all that are its own.

    Beside the live request's there may be one whose request has ended.
    """
    client, name, owner = aws.client(), context.settings.name, context.settings.owner
    tags = ec2.tag_filters(name, owner)
    ids = [each.spot_instance_request_id for each in ec2.requests(client, tags)]
    seen = ec2.machines(client, tags)
    seen += ec2.machines(client, ec2.of_requests(ids)) if ids else []
    known = {each.instance_id: each for each in seen}
    return [each for each in known.values() if each.state not in rules.GONE]


@contextmanager
def ending(
    context: Context,
    doomed: Sequence[Machine | None],
    volume: Volume | None,
    action: str = "terminate",
) -> Iterator[None]:
    """Have machines save their work and unmount the volume; what they are ended by comes inside.

    ``action`` is what comes then, terminate or stop. One that does not run has nothing that could
    be saved. Raises NotSaved if not all was saved and the owner does not give the rest up; then,
    and if what is inside fails, the machines are taken back.
    """
    with ExitStack() as stack:
        for farewell in _farewells(context, doomed, volume, action):
            stack.enter_context(farewell.held())
        yield


def check(context: Context, doomed: Sequence[Machine | None], volume: Volume | None) -> None:
    """Refuse as ``ending`` would if a machine can't save anything, before something costs money."""
    for farewell in _farewells(context, doomed, volume, "terminate"):
        farewell.check()


def _farewells(
    context: Context, doomed: Sequence[Machine | None], volume: Volume | None, action: str
) -> list[_Farewell]:
    if context.dry:
        return []
    running = [each for each in doomed if each and each.state == "running"]
    return [_Farewell(context, each, volume, action) for each in running]


@dataclass(frozen=True)
class _Farewell:
    """One machine's part of it."""

    context: Context
    instance: Machine
    volume: Volume | None
    action: str

    @property
    def machine(self) -> str:
        return self.instance.instance_id

    @contextmanager
    def held(self) -> Iterator[None]:
        """The machine is ready for its end for as long as this lasts."""
        call = self._call("end", str(SECONDS), self.action)
        if isinstance(call, SavedWork):
            print(call)
            self._agree(call)
            yield
            return
        with call:
            holds = self._save(call)
        try:
            yield
        except BaseException:
            if holds and self._runs():
                print(self._take_back(), flush=True)
            raise

    def check(self) -> None:
        """Raise NotSaved if the machine can't save anything and nobody gives that up."""
        call = self._call("look")
        if not isinstance(call, SavedWork):
            with call:
                call = saved_work(self.machine, call.answer(["report"], 2 * SECONDS))
        if not call.whole:
            print(call)
            self._agree(call)

    def _call(self, *words: str) -> Conversation | SavedWork:
        """Call the machine; if it is silent, open port 22 to today's address and try again."""
        machine = self._login()
        if machine is None:
            return self._unreached("has no public address")
        if not machine.is_pinned:
            return self._unreached("was never converged, so its ssh host key is not pinned")
        call = _opened(machine, *words)
        if isinstance(call, str) and not call.startswith(OWN_TROUBLES):
            print(f"{self.machine} does not answer ({call}). Opening port 22 to your address.")
            try:
                run_playbooks(self.context, [REACH])
            except CloudtopError as failed:
                print(f"The port could not be opened: {failed.message}")
            call = _opened(machine, *words)
        if isinstance(call, str):
            return self._unreached(f"does not answer ({call})")
        return call

    def _login(self) -> PinnedMachine | None:
        return self.context.machine_of(self.instance, self.volume)

    def _unreached(self, why: str) -> SavedWork:
        return SavedWork(self.machine, trouble=f"{self.machine} {why}: nothing was saved.")

    def _save(self, call: Conversation) -> bool:
        """See what was saved, and that this is enough; whether the machine holds its end then."""
        answer: dict[str, Any] | None = None
        try:
            answer = call.answer(["report"], 2 * SECONDS)
            saved = saved_work(self.machine, answer)
            print(saved, flush=True)
            self._agree(saved)
            call.say(f"go {HELD_SECONDS}")
            held = call.answer(["held", "back"], 2 * BACK_SECONDS)
            holds = answer is None or bool(answer.get("holds"))
            if holds and (held is None or held[ANSWER_KEY] != "held"):
                raise NotSaved(
                    f"{self.machine} has not heard of this computer for a while, so it goes on:"
                    " nothing was ended.",
                    "Run the same command again",
                )
        except BaseException:
            if answer is None or answer.get("holds"):
                call.hang_up()
                print(self._went_on(call.answer(["back"], BACK_SECONDS)), flush=True)
            raise
        return holds

    def _agree(self, saved: SavedWork) -> None:
        """Ask once more if not all was saved. Raises NotSaved for a no."""
        if saved.whole:
            return
        options, done = self.context.options, DONE[self.action]
        if getattr(options, "lose_work", False):
            print(f"{self.machine} is {done} all the same, as {LOSE_WORK} says.")
            return
        if not options.yes and sys.stdin.isatty():
            question = f"Is {self.machine} to be {done} all the same? Everything unsaved is lost."
            if input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}:
                return
        raise NotSaved(
            f"{self.machine} was not {done}, as not all of its work could be saved:"
            f" {' '.join(saved.missing)}",
            f"Save it by hand, or give it up: the same command with {LOSE_WORK}",
        )

    def _runs(self) -> bool:
        """Whether the machine is still there; so, too, if EC2 can't be asked."""
        try:
            seen = ec2.machines(aws.client(), ec2.of_ids([self.machine]))
        except CloudtopError:
            return True
        return any(each.state == "running" for each in seen)

    def _take_back(self) -> str:
        """Have the machine mount the volume and start docker again; says what became of it."""
        machine = self._login()
        assert machine is not None
        with Conversation(machine, PROGRAM, ["back"], BACK_SECONDS) as call:
            return self._went_on(call.answer(["back"], BACK_SECONDS))

    def _went_on(self, answer: Mapping[str, Any] | None) -> str:
        if answer is None:
            return (
                f"{self.machine} still runs and could not be asked to go on. By itself it mounts"
                f" the volume and starts docker again within {HELD_SECONDS // 60} minutes."
            )
        if not answer.get("mounted"):
            return (
                f"{self.machine} goes on, but its volume is not mounted. Look at it, or mount it"
                " with: python runner.py converge"
            )
        return f"{self.machine} goes on: its volume is mounted, and docker runs if it ran before."


def _opened(machine: PinnedMachine, *words: str) -> Conversation | str:
    """The machine's program once it answers, or why it does not."""
    call = Conversation(machine, PROGRAM, words, CONNECT_SECONDS)
    try:
        if call.answer(["reached"], ANSWER_SECONDS):
            return call
        trouble = call.trouble()
    except BaseException:
        call.close()
        raise
    call.close()
    return trouble or f"nothing within {ANSWER_SECONDS} s"
