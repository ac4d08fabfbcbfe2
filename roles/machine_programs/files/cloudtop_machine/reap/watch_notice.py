"""cloudtop-spot-guard: watches the metadata service for EC2's word that it takes this machine.

Run by cloudtop-spot-guard.service. It only asks (one small request every two seconds on one
connection) and starts cloudtop-reap@end.service once for a notice, cloudtop-reap@rebalance
once for a recommendation, and cloudtop-reap@whole when the time of a notice is long over and
the machine is still here. Files in /run record what it has started, so that its own restart
starts nothing twice. Imports little: it stays in memory for as long as the machine lives.

usage: cloudtop-spot-guard [CONFIGURATION]
"""

from __future__ import annotations

import json
import os
import sys
import time

from cloudtop_machine import config, proc, status_file
from cloudtop_machine.imds import SERVICE, TOKEN_SECONDS, Metadata
from cloudtop_machine.times import seconds_of, seconds_of_date, text_of

CONFIG = "/etc/cloudtop/spot-guard.conf"
# Places and lengths (in seconds) that a test's configuration moves
SETTINGS = {
    "imds": SERVICE,
    "run": "/run/cloudtop",
    "proc": "/proc",
    "interval": "2",
    "token_ttl": str(TOKEN_SECONDS),
    # EC2 was seen to take 39 s longer than it said
    "grace": "120",
}
LENGTHS = ("interval", "token_ttl", "grace")
ACTIONS = ("terminate", "stop", "hibernate")
# How many looks for a notice there are for one at recommendations, which do not hurry
LOOKS_PER_RECOMMENDATION = 5
# A notice whose time is over for longer is one that EC2 did not act upon
STALE_SECONDS = 600
# How exact a comparison with HTTP's Date is, which has whole seconds
DATE_SECONDS = 2


def say(sentence: str) -> None:
    print(sentence, flush=True)


def fields_of(body: str) -> dict[str, object]:
    """A JSON object; empty if it is none."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


class Guard:
    """The notices that were seen and the steps that were started for them.

    ``marks`` are the notices by what was started: begun, over, warned. Marks that /run did not take
    are in ``unwritten``, to be tried again: until then it is only in memory.
    """

    def __init__(self, settings: dict[str, str]) -> None:
        self.metadata = Metadata(settings["imds"], float(settings["token_ttl"]))
        self.run, self.proc = settings["run"], settings["proc"]
        self.grace = float(settings["grace"])
        self.looks = 0
        self.instance = ""
        self.sentences: dict[str, str] = {}
        self.unwritten: dict[str, str] = {}
        self.marks = {name: self._read(name) for name in ("begun", "over", "warned")}
        self.due: float | None = None
        begun = self.marks["begun"]
        if begun and begun != self.marks["over"]:
            self.due = seconds_of(begun.partition(" ")[2])

    def look(self) -> None:
        """Ask once and do what follows. Whatever the answer is, it returns."""
        for name, text in list(self.unwritten.items()):
            self._mark(name, text)
        if not self.instance:
            self.instance = self._instance()
        notice = self._ask("spot/instance-action")
        if notice is not None:
            self._notice(notice)
        if self.looks % LOOKS_PER_RECOMMENDATION == 0:
            recommendation = self._ask("events/recommendations/rebalance")
            if recommendation is not None:
                self._recommendation(recommendation)
        self.looks += 1
        if self.due is not None and self._now() > self.due + self.grace:
            say("The time of the notice is over and the machine is still here.")
            if self._start("whole"):
                self._mark("over", self.marks["begun"])
                self.due = None

    def _instance(self) -> str:
        """The instance's id, as it becomes a line of a file; empty if it is none."""
        text = self._ask("instance-id") or ""
        return text if text.isascii() and text.replace("-", "").isalnum() else ""

    def _ask(self, path: str) -> str | None:
        """The text at a path; None if there is none, or no answer that makes sense."""
        try:
            status, body = self.metadata.get(path)
        except OSError as error:
            self._tell("answer", f"The metadata service does not answer: {error}.")
            return None
        if status not in (200, 404):
            self._tell("answer", f"The metadata service answers {path} with status {status}.")
            return None
        if self.sentences.pop("answer", ""):
            say("The metadata service answers again.")
        return body if status == 200 else None

    def _notice(self, text: str) -> None:
        fields = fields_of(text)
        action, due = fields.get("action"), seconds_of(fields.get("time"))
        if action not in ACTIONS or due is None:
            self._tell(
                "notice", f"Ignored an interruption notice that cannot be read: {text!r:.200}"
            )
            return
        key = f"{action} {fields['time']}"
        if self.marks["begun"] == key:
            return
        now = self._now()
        if due < now - STALE_SECONDS or due < self._booted(now):
            self._tell("notice", f"Ignored the notice '{key}': it is an old one.")
            return
        words = f"action={action}\ndue={self._own(due, now)}\ninstance={self.instance}"
        if self.due is not None:
            # One end is under way, and there is but one; who reads the notice reads its new time
            self._tell("notice", f"EC2 moves its notice: {key}.")
            if self._write("notice", words):
                self.due = max(self.due, due)
                self._mark("begun", key)
        else:
            self._tell("notice", f"EC2 gives notice: {key}.")
            if self._write("notice", words) and self._start("end"):
                self._mark("begun", key)
                self.due = due

    def _recommendation(self, text: str) -> None:
        when = fields_of(text).get("noticeTime")
        if seconds_of(when) is None:
            self._tell("rebalance", f"Ignored a recommendation that cannot be read: {text!r:.200}")
        elif self.marks["warned"] != when:
            self._tell("rebalance", f"EC2 recommends to leave this machine (since {when}).")
            words = f"since={when}\ninstance={self.instance}"
            if self._write("rebalance", words) and self._start("rebalance"):
                self._mark("warned", str(when))

    def _now(self) -> float:
        """EC2's clock, in POSIX seconds, which the notice is by: the machine's own may be wrong."""
        date = seconds_of_date(self.metadata.date)
        if date is None:
            return time.time()
        return date + time.monotonic() - self.metadata.answered

    def _own(self, due: int, now: float) -> str:
        """A time of EC2's by the machine's own clock, which the end looks at."""
        skew = round(time.time() - now)
        return text_of(due + skew if abs(skew) > DATE_SECONDS else due)

    def _booted(self, now: float) -> float:
        try:
            return now - proc.uptime(self.proc)
        except (OSError, ValueError, IndexError):
            return 0.0

    def _start(self, what: str) -> bool:
        unit = f"cloudtop-reap@{what}.service"
        words = ["timeout", "10", "systemctl", "start", "--no-block", unit]
        try:
            code = os.waitstatus_to_exitcode(
                os.waitpid(os.posix_spawnp(words[0], words, os.environ), 0)[1]
            )
        except OSError as error:
            code = error.errno or 1
        if code:
            self._tell(what, f"{unit} could not be started ({code}); trying again.")
        return code == 0

    def _tell(self, about: str, sentence: str) -> None:
        """Say it, unless it was the last thing said of this."""
        if self.sentences.get(about) != sentence:
            self.sentences[about] = sentence
            say(sentence)

    def _mark(self, name: str, text: str) -> None:
        """Remember what was started. It is tried again until it is also in a file."""
        self.marks[name] = text
        self.unwritten.pop(name, None)
        if not self._write(name, text):
            self.unwritten[name] = text

    def _read(self, name: str) -> str:
        try:
            with open(f"{self.run}/spot-guard.{name}", encoding="utf-8") as file:
                return file.read().strip()
        except (OSError, ValueError):
            return ""

    def _write(self, name: str, text: str) -> bool:
        """Whether the file has it: all of it or nothing, as what runs at the same time reads it."""
        place = f"{self.run}/spot-guard.{name}"
        try:
            status_file.write_text(place, text)
        except OSError as error:
            self._tell(
                f"{name} file",
                f"{place} could not be written ({error.strerror}); trying again."
                f" Look with: df {self.run}",
            )
            return False
        return True


def settings_of(path: str) -> dict[str, str]:
    """The configuration's settings; the defaults if it is not there or torn, which is said."""
    try:
        settings = config.read(path, SETTINGS)
        for name in LENGTHS:
            float(settings[name])
    except (OSError, ValueError) as error:
        say(f"{path} cannot be read ({error}); it is written by: runner.py converge")
        return dict(SETTINGS)
    return settings


def main() -> int:
    settings = settings_of(sys.argv[1] if len(sys.argv) > 1 else CONFIG)
    guard = Guard(settings)
    while True:
        guard.look()
        time.sleep(float(settings["interval"]))
