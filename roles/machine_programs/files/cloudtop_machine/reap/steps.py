"""The common part of the steps of an end, of the way back and of a warning."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from functools import partial

from cloudtop_machine import times
from cloudtop_machine.reap.mounted import Mounted
from cloudtop_machine.reap.notice import Notice
from cloudtop_machine.reap.programs import Program, Steps
from cloudtop_machine.reap_journal.store import Entry, Store
from cloudtop_machine.saved_work.children import Job, Tell, run
from cloudtop_machine.volume_directory import NotRoots

# Settings of the configuration, and places that a test's configuration moves. Lengths are in
# seconds: ``margin`` is kept free before the machine goes, ``least`` is the shortest end, as EC2
# may be as slow as the notice was; ``docker_timeout`` and ``tell_timeout`` (Python's start
# included) are limits.
SETTINGS = {
    "persistent": "",
    "unmount": "yes",
    "hook_timeout": "20",
    "margin": "3",
    "least": "15",
    "docker_timeout": "15",
    "tell_timeout": "20",
    "run": "/run/cloudtop",
    "proc": "/proc",
    "tmp": "/tmp",
    "lib": "/usr/local/lib/cloudtop",
    "hooks": "/etc/cloudtop/reap.d",
    "journal_config": "/etc/cloudtop/persistent-mount.conf",
    "array_config": "/etc/cloudtop/ephemeral-raid.conf",
}
LENGTHS = ("hook_timeout", "margin", "least", "docker_timeout", "tell_timeout")
JOURNAL_SECONDS = 10
# How long a step of an earlier, killed end is waited for
STEP_SECONDS = 10


def say(text: str, errors: bool = False) -> None:
    """Lines of printable ASCII: they may hold what users and processes wrote.

    Whoever listens may be gone, as a laptop whose ssh has ended: that costs no step.
    """
    line = "".join(each if " " <= each <= "~" or each == "\n" else _harmless(each) for each in text)
    if line.strip():
        with suppress(OSError):
            print(line.rstrip("\n"), file=sys.stderr if errors else sys.stdout, flush=True)


def _harmless(character: str) -> str:
    return "?" if character > "\x9f" else ""


def lengths_checked(settings: dict[str, str]) -> dict[str, str]:
    """The settings; a length that is no number is the default's, as the end has to go on."""
    checked = dict(settings)
    for name in LENGTHS:
        if not settings[name].replace(".", "", 1).isdecimal():
            say(f"{name} is '{settings[name]}', which is no number of seconds: {SETTINGS[name]}.")
            checked[name] = SETTINGS[name]
    return checked


class Reap:
    """This machine with its notice. Whatever a step meets, the next one is tried."""

    def __init__(self, settings: dict[str, str], notice: Notice) -> None:
        self.settings, self.notice = settings, notice
        self.run, self.persistent = settings["run"], settings["persistent"]
        self.volume = Mounted(settings["proc"], self.persistent)
        self.steps = Steps(f"{self.run}/reap.step")
        self.telling: Program | None = None

    def tell(self, sentence: str) -> None:
        """Everyone at a terminal and in tmux, beside whatever comes next."""
        say(sentence)
        self.await_telling()
        tell = f"{self.settings['lib']}/cloudtop_machine/tell.py"
        words = ["python3", "-IS", tell, "--tmp", self.settings["tmp"], sentence]
        null = os.open(os.devnull, os.O_WRONLY)
        self.telling = Program(words, float(self.settings["tell_timeout"]), output=null)
        os.close(null)

    def await_telling(self) -> None:
        """The last message goes out before the machine or the service ends."""
        if self.telling is not None:
            self.telling.wait()
        self.telling = None

    def await_steps(self) -> None:
        if not self.steps.over(STEP_SECONDS):
            say("A step of an earlier end still goes on.")

    def step(self, seconds: float, *words: str) -> bool:
        """Whether the program succeeded in so many seconds. Its output is logged."""
        program = self.steps.run(max(1.0, seconds), *words)
        say(program.text())
        return program.code == 0

    def stopped(self, line: str) -> None:
        """Note what the way back has to start again, beside what an earlier end has stopped."""
        try:
            with open(f"{self.run}/reap.stopped", "a", encoding="ascii") as file:
                file.write(f"{line}\n")
        except OSError as error:
            say(f"{self.run}/reap.stopped could not be written: {error.strerror}.")

    def journal(self, event: str, why: str = "", saved: object = None) -> None:
        """One line in the journal of reaps, on the disk when this returns."""
        notice = self.notice
        values = {
            "event": event,
            "time": times.text_of(time.time()),
            "instance": notice.instance,
            "action": notice.action,
            "due": notice.due,
            "since": notice.since,
            "why": why or notice.why,
            "saved": saved,
        }
        entry = {key: value for key, value in values.items() if value not in ("", None)}
        if not self.volume.options:
            trouble = f"{self.persistent} is not mounted."
        else:
            # Beside this program, as the disk may hang
            job = run(Job(partial(_append, self.persistent, entry)), JOURNAL_SECONDS)
            trouble = str(job.answers[0]) if job.answers else ""
            if not job.ended:
                trouble = job.trouble or f"the disk did not take it in {JOURNAL_SECONDS} s."
        if trouble:
            say(f"The journal of reaps has no line of this: {trouble}")


def _append(persistent: str, entry: Entry, tell: Tell) -> None:
    os.umask(0o022)
    try:
        Store.on(persistent, os.geteuid()).append(entry)
    except NotRoots as refusal:
        tell(str(refusal))
    except OSError as error:
        tell(f"{error.strerror}. Look with: df {persistent}")
