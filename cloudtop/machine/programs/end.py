#!/usr/bin/python3 -IS
"""The machine's part when its owner ends it: saves work, and takes the end back if nobody goes on.

Sent over ssh by cloudtop/machine/save_work.py, so it is not installed; run as root. It prints
JSON, a line each. A lease in /run says how long the end is wanted. While the laptop decides, each
byte that it sends renews the lease; when it goes on, it gets a longer one. When the lease has run
out and the machine is still here, the machine mounts the volume and starts docker again.

usage: end.py end SECONDS ACTION [CONFIGURATION]   saves work, unmounts, waits for `go SECONDS`
       end.py back [CONFIGURATION]                 takes an end back
       end.py look [CONFIGURATION]                 says whether work could be saved
       end.py keep CONFIGURATION                   by systemd: does the end, keeps the lease
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CONFIGURATION = "/etc/cloudtop/spot-guard.conf"
# Places and lengths (in seconds) that a test's configuration moves
SETTINGS = {
    "persistent": "",
    "run": "/run/cloudtop",
    "proc": "/proc",
    "reap": "/usr/local/sbin/cloudtop-reap",
    "instance_file": "/var/lib/cloud/data/instance-id",
    # How long the laptop may be silent while it decides: a network may be gone for a moment
    "silence": "30",
    # And how long it may take to decide: meanwhile docker is stopped and the volume unmounted
    "decision": "300",
}
UNIT = "cloudtop-farewell"
WHY = {"stop": "instance-stopped-by-user", "terminate": "instance-terminated-by-user"}
# How long an end or its taking back may take beyond the time that saving has
MARGIN = 60


def say(kind: str, **fields: Any) -> None:
    """One line for the laptop, which may be gone."""
    with suppress(OSError):
        print(json.dumps({"farewell": kind, **fields}), flush=True)


def now() -> float:
    """Seconds since the boot, however the clock is set and however long the machine slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wait_for(what: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in so many seconds."""
    end = now() + seconds
    while not what():
        if now() > end:
            return False
        time.sleep(0.2)
    return True


class Farewell:
    """One end of the machine: its files below /run, and what is done with them."""

    def __init__(self, configuration: str) -> None:
        self.configuration = configuration
        self.settings = dict(SETTINGS)
        if Path(configuration).exists():
            words = shlex.split(Path(configuration).read_text(encoding="utf-8"), comments=True)
            pairs = (word.partition("=") for word in words)
            self.settings.update({key: value for key, _, value in pairs if key in SETTINGS})
        self.base = Path(self.settings["run"])
        # A place of its own: the guard must not take this for a notice that it has seen
        self.run = self.base / "farewell"

    def read(self, name: str) -> str:
        try:
            return (self.run / name).read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def write(self, name: str, text: str) -> None:
        """All of it or nothing: what runs at the same time reads it."""
        new = self.run / f"{name}.new"
        new.write_text(f"{text}\n", encoding="utf-8")
        new.replace(self.run / name)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold a lock that goes with this process."""
        with (self.run / name).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def renewed(self, token: str, seconds: float) -> bool:
        """Renew the lease. False if it has run out, or is another's by now."""
        with self.locked("lease.lock"):
            if not self._alive(token):
                return False
            self.write("lease", f"{token} {now() + seconds}")
            return True

    def ran_out(self) -> bool:
        """Whether nobody wants the end any more; then nobody can renew it, either."""
        with self.locked("lease.lock"):
            if self._alive(""):
                return False
            (self.run / "lease").unlink(missing_ok=True)
            return True

    def drop(self, token: str = "") -> None:
        """End the lease, if it is this one's."""
        with self.locked("lease.lock"):
            if self._alive(token):
                (self.run / "lease").unlink()

    def _alive(self, token: str) -> bool:
        holder, _, end = self.read("lease").partition(" ")
        return bool(end) and float(end) > now() and token in ("", holder)

    @property
    def mounted(self) -> bool:
        # Names of mount points are bytes, of which the kernel escapes blanks and newlines alone
        data = (Path(self.settings["proc"]) / "self/mountinfo").read_bytes()
        text = data.decode(errors="surrogateescape")
        mounts = [line.split(" ") for line in text.split("\n")]
        place = self.settings["persistent"]
        options = [each[5].split(",") for each in mounts if len(each) > 5 and each[4] == place]
        return bool(options) and "rw" in options[-1]

    def kept(self) -> bool:
        """Whether a process keeps this end at the moment."""
        with (self.run / "keep.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def reap(self, mode: str, configuration: Path) -> int:
        # Standard output is for answers
        words = [self.settings["reap"], mode, str(configuration)]
        return subprocess.run(words, stdout=sys.stderr.fileno(), check=False).returncode

    def take_back(self) -> None:
        """Mount and start again what an earlier end has stopped, an idle machine's too."""
        self.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.drop()
        if (self.run / "conf").exists():
            wait_for(lambda: not self.kept(), float(self.read("seconds") or 0) + MARGIN)
        for place in (self.run, self.base / "idle"):
            if (place / "reap.stopped").exists() and not _idle_works(place):
                self.reap("whole", place / "conf")

    def end(self, seconds: int, action: str) -> None:
        """Save the work, say what became of it, and wait for the laptop's word."""
        if not self.guarded():
            return
        token = secrets.token_hex(8)
        self.prepare(token, seconds, action)
        started = subprocess.run(self.unit(token), capture_output=True, text=True, check=False)
        if started.returncode:
            self.drop(token)
            say("report", guard=True, trouble=started.stderr.strip()[-300:])
            return
        self.listen(token)

    def look(self) -> None:
        """Say whether work could be saved, without saving any."""
        if self.guarded():
            nothing = {"trees": [], "paths": [], "bytes": 0}
            say("report", guard=True, report={"mounted": self.mounted, "saved": nothing})

    def guarded(self) -> bool:
        """Whether there is a guard; then what an earlier end has stopped is started again."""
        say("reached")
        if not os.access(self.settings["reap"], os.X_OK):
            say("report", guard=False)
            return False
        self.take_back()
        return True

    def prepare(self, token: str, seconds: int, action: str) -> None:
        # The list of what an end has stopped stays until it is started again
        for name in ("done", "report", "off"):
            (self.run / f"reap.{name}").unlink(missing_ok=True)
        for name in ("begun", "ended", "lease"):
            (self.run / name).unlink(missing_ok=True)
        instance = Path(self.settings["instance_file"]).read_text(encoding="utf-8").strip()
        due = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        lines = (f"action={action}", f"due={due}", f"instance={instance}", f"why={WHY[action]}")
        self.write("spot-guard.notice", "\n".join(lines))
        self.write("conf", f". {shlex.quote(self.configuration)}\nrun={shlex.quote(str(self.run))}")
        self.write("seconds", str(seconds))
        self.write("program", _own_text())
        self.write("lease", f"{token} {now() + float(self.settings['silence'])}")

    def unit(self, token: str) -> list[str]:
        """Not a child of the login, which may end first, and started again if it is killed."""
        wanted = (
            *("Restart=on-failure", "RestartSec=1", "StartLimitIntervalSec=0"),
            *("CPUWeight=1000", "OOMScoreAdjust=-500"),
        )
        properties = [f"--property={each}" for each in wanted]
        program = [sys.executable, "-IS", str(self.run / "program")]
        return [
            *("systemd-run", "--quiet", "--collect", f"--unit={UNIT}-{token}", *properties),
            *(*program, "keep", self.configuration),
        ]

    def listen(self, token: str) -> None:
        """Renew the lease for each byte of the laptop's, until it goes on, is gone or is silent."""
        seconds = self.word(token, float(self.settings["silence"]))
        if seconds and self.renewed(token, seconds):
            say("held", seconds=seconds)
            return
        self.drop(token)
        self.back()

    def word(self, token: str, silence: float) -> float:
        """For how many seconds the laptop wants the end held; 0 if it does not go on."""
        text, heard, ends = "", now(), 0.0
        while now() < heard + silence and (not ends or now() < ends):
            if select.select([0], [], [], 0.3)[0]:
                more = os.read(0, 1024).decode(errors="replace")
                if not more or not self.renewed(token, silence):
                    return 0
                text, heard = text + more, now()
            *lines, text = text.split("\n")
            for line in lines:
                if line.startswith("go "):
                    return float(line[3:])
            if not ends and self.read("ended"):
                ends = now() + float(self.settings["decision"])
                say("report", guard=True, holds=True, report=_json(self.read("reap.report")))
        return 0

    def back(self) -> None:
        """Take the end back, or wait until the keeper has; says whether the volume is there."""
        self.take_back()
        say("back", mounted=self.mounted)

    def keep(self) -> None:
        """The unit: the end itself, then the lease; when that runs out, the way back."""
        with self.locked("keep.lock"):
            if self.read("begun") and not self.read("ended"):
                # Killed in the middle. The list of what it has stopped is still there.
                self.write("ended", "killed")
            if not self.read("ended") and not self.ran_out():
                self.write("begun", "yes")
                self.write("ended", str(self.ended()))
            while not self.ran_out():
                time.sleep(0.5)
            self.reap("whole", self.run / "conf")

    def ended(self) -> int:
        """Do the end; one that nobody wants any more stops nothing after the saving."""
        ending = subprocess.Popen([self.settings["reap"], "end", str(self.run / "conf")])
        while ending.poll() is None:
            if not (self.run / "reap.off").exists() and self.ran_out():
                self.write("reap.off", "yes")
            time.sleep(0.3)
        return ending.returncode


def _idle_works(place: Path) -> bool:
    """Whether this is the place of an idle machine that is just about to end itself."""
    if place.name != "idle":
        return False
    words = ["systemctl", "show", "--property=ActiveState", "--value", "cloudtop-idle.service"]
    state = subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    return state in ("active", "activating", "deactivating")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _own_text() -> str:
    """This program, for the unit: read from its file, or from what the laptop sent."""
    return str(globals().get("SOURCE") or Path(__file__).read_text(encoding="utf-8"))


def main(words: list[str]) -> int:
    mode, rest = words[0] if words else "", words[1:]
    if mode == "end" and len(rest) in (2, 3) and rest[1] in WHY:
        Farewell(rest[2] if rest[2:] else CONFIGURATION).end(int(rest[0]), rest[1])
    elif mode in ("back", "keep", "look") and len(rest) < 2:
        farewell = Farewell(rest[0] if rest else CONFIGURATION)
        {"back": farewell.back, "keep": farewell.keep, "look": farewell.look}[mode]()
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
