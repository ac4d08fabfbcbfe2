"""cloudtop-idle: stops this machine when nobody has worked on it for a while.

cloudtop-idle.timer runs it every minute: each time it compares what it sees with what it saw
before. Any activity begins the count anew; so does a reboot, and a gap between two looks, as
after a hibernation. Before the end it warns everyone, saves work as at a notice of EC2's,
and looks once more whether somebody is there.

usage: cloudtop-idle           says how long nobody has worked here
       cloudtop-idle --stay    begins the count anew
       cloudtop-idle --look [CONFIGURATION]    (its service)
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace

from cloudtop_machine import config, lock, status_file, tell
from cloudtop_machine.idle import activity, busy, end, look
from cloudtop_machine.idle.decide import Count, Decision, Limits, Seen, Stage, Step, decide
from cloudtop_machine.idle.ssh import Connection
from cloudtop_machine.imds import SERVICE

CONFIG = "/etc/cloudtop/idle-stop.conf"
# Settings of the configuration, and places that a test's configuration moves
SETTINGS = {
    **end.SETTINGS,
    "minutes": "0",
    "warning": "5",
    "cpus": "0.3",
    "network_kib": "1024",
    "ssh_kib": "4",
    "imds": SERVICE,
    "proc": "/proc",
    "dev": "/dev",
    "tmp": "/tmp",
    "run": "/run/cloudtop",
    "busy": busy.BUSY,
    "motd": "/run/motd.d",
}
NEVER = "This machine is not stopped when it is idle; see cloudtop_idle_stop_minutes."
NUMBERS = ("minutes", "warning", "pause", "cpus", "network_kib", "ssh_kib")
WORDS = {"stop": "stops", "terminate": "is terminated and its request cancelled"}


def say(sentence: str) -> None:
    # Its unit keeps from the journal what is less than a notice
    print(f"<5>{tell.plain(sentence)}", flush=True)


class IdleStop:
    """The count so far, and what follows from a look. ``trouble`` is how the last end failed."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings, self.run = settings, settings["run"]
        self.action = settings["action"]
        self.ends = WORDS.get(self.action, "ends")
        self.minutes = int(float(settings["minutes"]))
        self.limits = Limits(self.minutes * 60.0, float(settings["warning"]) * 60.0)
        self.rates = activity.Rates(
            *(float(settings[name]) for name in ("cpus", "network_kib", "ssh_kib"))
        )
        self.end = end.End(settings, say)
        self.count, self.trouble = Count(), ""
        self.before: look.Look | None = None
        self._read()

    def look(self) -> None:
        """Look, decide, and do what follows."""
        now = look.take(self.settings)
        elapsed, signs = None, list[str]()
        if self.before:
            activity.keep_silent(self.before, now)
            elapsed = now.uptime - self.before.uptime
            signs = activity.between(self.before, now, self.rates)
        seen = Seen(now.uptime, elapsed, tuple(signs), self._noticed())
        was_warned = self.count.stage is Stage.WARNED
        decision = decide(self.count, seen, self.limits)
        self.before, self.count = now, decision.count
        if decision.step is Step.ACTIVE and was_warned:
            self._tell(f"This machine stays: {decision.why}.")
        self._act(decision)
        self._write()

    def _act(self, decision: Decision) -> None:
        idle = f"idle {self.count.idle / 60:.0f} min of {self.minutes}"
        if decision.step is Step.BEGIN:
            self._status("active", "the count has begun")
        elif decision.step is Step.ACTIVE:
            self._status("active", f"active: {decision.why}")
        elif decision.step is Step.LEAVE:
            self._status("ending", "EC2 takes the machine at this moment")
        elif decision.step is Step.COUNT:
            self._status(self.count.stage.value or "idle", idle)
        elif decision.step is Step.WARN:
            self._warn()
            self._status("warned", idle)
        elif decision.step is Step.SAVE:
            self._status("ending", idle)
            self._end()
        elif decision.step is Step.FAIL:
            self._stay(decision.why, "failed")

    def _warn(self) -> None:
        left = (self.limits.idle - self.limits.warns_at) / 60
        self._tell(
            f"Nobody has worked on this machine for {self.minutes - left:.0f} min: in {left:.0f}"
            f" min it {self.ends}. Any key in a terminal keeps it, or: cloudtop-idle --stay"
        )

    def _end(self) -> None:
        # Whatever kills this, the next look takes back what it has stopped
        self._write()
        try:
            self.end.save()
            decision = self._look_again()
            if decision.step is Step.RETURN:
                self._stay(decision.why, "active")
                return
            self.end.ask()
        except end.Stays as why:
            self._stay(str(why), "failed")
            return
        say(f"EC2 was asked: this machine {self.ends}.")
        self.count = decision.count

    def _look_again(self) -> Decision:
        """Whether somebody came while it saved."""
        assert self.before
        now = look.take(self.settings)
        activity.keep_silent(self.before, now)
        signs = activity.people(self.before, now, self.rates)
        seen = Seen(now.uptime, now.uptime - self.before.uptime, tuple(signs))
        return decide(replace(self.count, stage=Stage.SAVED), seen, self.limits)

    def _stay(self, why: str, state: str) -> None:
        """Take the end back; the count begins anew."""
        self.end.take_back()
        self.count = Count()
        self.trouble = "" if state == "active" else tell.plain(why)
        self._tell(f"This machine stays: {why}")
        self._status(state, f"{state}: {why}" if state == "active" else "")

    def _noticed(self) -> bool:
        """Whether EC2 takes the machine at this moment."""
        return self._file("spot-guard.begun") != self._file("spot-guard.over")

    def _tell(self, sentence: str) -> None:
        say(sentence)
        tell.everyone(sentence, self.settings["tmp"])

    def _status(self, state: str, message: str) -> None:
        """For programs in a file, and what went wrong for people at their next login."""
        when = f"after {self.minutes} idle minutes" if state in ("active", "failed") else "then"
        parts = [message, f"{when} it {self.ends}"]
        if self.trouble:
            parts.append(f"the last time it did not: {self.trouble}")
        status = {
            "state": state,
            "message": tell.plain("; ".join(filter(None, parts))),
            "idle_seconds": int(self.count.idle),
            "minutes": self.minutes,
            "action": self.action,
        }
        status_file.write(f"{self.run}/idle.json", status)
        motd = f"{self.settings['motd']}/cloudtop-idle"
        if self.trouble:
            notice = f"This machine was idle and was not stopped: {tell.plain(self.trouble)}"
            status_file.write_text(motd, f"\n*** {notice}\n")
        else:
            status_file.remove(motd)

    def _file(self, name: str) -> str:
        try:
            with open(f"{self.run}/{name}", encoding="utf-8") as file:
                return file.read().strip()
        except (OSError, ValueError):
            return ""

    def _read(self) -> None:
        """The count as the last look left it; from the start if that is none."""
        try:
            kept = json.loads(self._file("idle.state"))
            before, count = kept["before"], kept["count"]
            connections = {name: Connection(**each) for name, each in before.pop("ssh").items()}
            self.before = look.Look(**before, ssh=connections)
            stage = Stage(count["stage"])
            self.count = Count(float(count["idle"]), stage, float(count["asked"]))
            self.trouble = str(kept["trouble"])
        except (ValueError, KeyError, TypeError, AttributeError):
            # An earlier version's, or a torn one: but an end that has begun is taken back
            self.before = None
            self.count = Count(stage=Stage.ENDING) if self.end.has_stopped else Count()

    def _write(self) -> None:
        assert self.before
        kept = {
            "before": asdict(self.before),
            "count": asdict(self.count),
            "trouble": self.trouble,
        }
        status_file.write(f"{self.run}/idle.state", kept)


def stay() -> int:
    """Begin the count anew, by a file of this user's."""
    directory = os.environ.get("CLOUDTOP_BUSY", busy.BUSY)
    place = f"{directory}/stay.{os.getuid()}"
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        os.utime(handle)
        os.close(handle)
    except OSError as error:
        why = f"{place} could not be touched: {error.strerror}."
        print(f"{why} Any key in a terminal keeps the machine, too.", file=sys.stderr)
        return 1
    print("This machine stays; the count begins anew within a minute.")
    return 0


def show() -> int:
    """Say what the last look found."""
    try:
        with open(f"{SETTINGS['run']}/idle.json", encoding="utf-8") as file:
            print(tell.plain(json.load(file)["message"]))
    except (OSError, ValueError, KeyError):
        print(NEVER)
    return 0


def look_once(path: str) -> int:
    """One look, as the service has it."""
    try:
        settings = config.read(path, SETTINGS)
        for name in NUMBERS:
            float(settings[name])
    except (OSError, ValueError) as error:
        why = f"{path} cannot be read ({error}); it is written by: runner.py converge"
        print(why, file=sys.stderr)
        return 1
    if not float(settings["minutes"]) >= 1:
        print(NEVER)
        return 0
    if not lock.take(f"{settings['run']}/idle.lock"):
        print("Another look is under way.", file=sys.stderr)
        return 1
    IdleStop(settings).look()
    return 0


def main() -> int:
    words = sys.argv[1:]
    if words == ["--stay"]:
        return stay()
    if words[:1] == ["--look"] and len(words) < 3:
        return look_once([*words, CONFIG][1])
    if not words:
        return show()
    print("usage: cloudtop-idle [--stay]", file=sys.stderr)
    return 2
