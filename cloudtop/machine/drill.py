"""The drill: lose the machine on purpose, wait for the next, check everything, print the times.

It times the events that a user sees from outside (the API, sshd's first line) and those that the
new machine itself remembers of its boot; both clocks are UTC.
"""

from __future__ import annotations

import json
import secrets
import shlex
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cloudtop import paths
from cloudtop.aws.find import Resources
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import PinnedMachine
from cloudtop.machine.drill_report import Before, Check, Report, checks, times_of
from module_utils import cloudtop_rules as rules

POLL_SECONDS = 0.25
# How long a machine is left to become ready before it is asked again, and how long one that
# boots before EC2 is: on this computer all that asking takes what the machine could use
WAIT_SECONDS, LOOK_SECONDS = 20, 5
ANSWER_SECONDS = 5


@dataclass
class Drill:
    """Runs reaps one after the other.

    ``look`` asks EC2, and ``machine_of`` finds the machine to log in to in its answer; ``reap``
    takes an instance away and returns at once; ``deadline`` is in seconds for each reap; ``warned``
    is whether the machine gets a notice to save work in. Times are POSIX seconds.
    """

    look: Callable[[], Resources]
    machine_of: Callable[[Resources], PinnedMachine | None]
    reap: Callable[[str], float | None]
    volume_path: str
    array_path: str
    # Starts a stopped machine that EC2 leaves alone
    start: Callable[[str], None] | None = None
    deadline: float = 900.0
    warned: bool = True
    tell: Callable[[str], None] = print
    # Gets each mark of the timeline when it is first seen
    marked: Callable[[str], None] = field(default=lambda _mark: None)
    number: int = 0

    def run(self) -> Report:
        """One reap. Raises CloudtopError if the machine is not whole to begin with."""
        self.number += 1
        before = self._prepare()
        report = Report(self.number, before.instance)
        began = time.time()
        # A reap that has to be waited for says when it began
        began = self.reap(before.instance) or began
        self.tell(f"Reap {self.number}: {before.instance} was taken; waiting for the next.")
        watching = _Watching(self, report, before, began)
        try:
            resources = watching.until_ssh()
            after = watching.until_ready(resources)
        except _TooLateError as late:
            report.checks.append(Check(late.awaited, False, f"not within {self.deadline:.0f} s"))
            return report
        times = {**after.get("times", {}), **times_of(after.get("notice"))}
        report.seconds.update(
            {mark: round(when - began, 1) for mark, when in times.items() if when and when >= began}
        )
        report.checks.extend(checks(before, self.look(), after, warned=self.warned))
        return report

    def _prepare(self) -> Before:
        resources = self.look()
        answer = self.ask(resources, "drill_before.sh", secrets.token_hex(4))
        if resources.request is None or resources.instance is None or answer is None:
            raise CloudtopError(
                "There is no whole machine to take away: it does not answer over ssh, or its array,"
                " its volume or docker are not there.",
                "Try: python runner.py provision",
            )
        return Before(resources, resources.instance, answer)

    def ask(self, resources: Resources, script: str, *words: str) -> dict[str, Any] | None:
        """The output of one of our scripts on the machine, as JSON; None if it can't be asked."""
        machine = self.machine_of(resources)
        if machine is None:
            return None
        text = (paths.PROGRAMS / script).read_text()
        arguments = shlex.join([self.volume_path, self.array_path, *words])
        answer = machine.ask(f"bash -c {shlex.quote(text)} {script} {arguments}", 30)
        try:
            return dict(json.loads(answer)) if answer else None
        except (ValueError, RecursionError):
            return None


class _TooLateError(Exception):
    def __init__(self, awaited: str) -> None:
        super().__init__(awaited)
        self.awaited = awaited


@dataclass
class _Watching:
    """The wait for one relaunch; each mark is set when it is first seen."""

    drill: Drill
    report: Report
    before: Before
    began: float

    def until_ssh(self) -> Resources:
        """Until the next start of a machine answers on its ssh port."""
        old = self.before.machine
        while True:
            resources = self._look("a machine that answers on its ssh port")
            request, instance = resources.request, resources.instance
            active = request is not None and request.state == "active"
            if not active:
                self._mark("request open")
            same = instance is not None and instance.instance_id == old.instance_id
            if not same or (instance and instance.state in (*rules.GONE, "stopped")):
                self._mark("gone")
            state = instance.state if instance else ""
            if self.drill.start and rules.verdict(request, state) == "stopped-by-user":
                self.drill.start(old.instance_id)
            started = instance is not None and (
                instance.instance_id, instance.launch_time
            ) != (old.instance_id, old.launch_time)  # fmt: skip
            if instance is not None and started and active:
                self._mark("relaunched")
                self.report.next_instance = instance.instance_id
                machine = self.drill.machine_of(resources)
                if machine and self._answers(machine):
                    self._mark("ssh")
                    return resources

    def until_ready(self, resources: Resources) -> dict[str, Any]:
        """Until the machine says that array, volume and docker are there."""
        while True:
            self._in_time("array, volume, docker and the journal's line of it")
            ident, since = self.before.answer["id"], str(int(self.began))
            answer = self.drill.ask(resources, "drill_after.sh", ident, since, str(WAIT_SECONDS))
            if answer and answer.get("ready"):
                self._mark("ready")
                return answer
            time.sleep(POLL_SECONDS)
            if answer is None:
                # With an Elastic IP it is elsewhere once it holds the volume
                resources = self.drill.look()

    def _look(self, awaited: str) -> Resources:
        self._in_time(awaited)
        time.sleep(POLL_SECONDS)
        return self.drill.look()

    def _answers(self, machine: PinnedMachine) -> bool:
        """Whether sshd answers before it is time to look at EC2 again."""
        end = time.time() + LOOK_SECONDS
        while not _banner(machine):
            if time.time() > end:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _in_time(self, awaited: str) -> None:
        if time.time() - self.began > self.drill.deadline:
            raise _TooLateError(awaited)

    def _mark(self, mark: str) -> None:
        if mark not in self.report.seconds:
            self.report.seconds[mark] = round(time.time() - self.began, 1)
            self.drill.marked(mark)


def _banner(machine: PinnedMachine) -> bool:
    try:
        with socket.create_connection(
            (machine.address, machine.port), timeout=ANSWER_SECONDS
        ) as connection:
            connection.settimeout(ANSWER_SECONDS)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
