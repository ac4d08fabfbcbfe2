"""A machine made of directories that its owner ends: the program that is sent, and a systemd."""

from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.machine_programs.support import installed
from tests.machine_programs.support.load import ROOT
from tests.machine_programs.support.reaped import Reaped
from tests.machine_programs.support.saved import IDENTITY

PROGRAM = ROOT / "cloudtop/machine/programs/end.py"
PYTHON = "/usr/bin/python3"
REAP = shlex.join(installed.argv(installed.program("cloudtop-reap")))
# Far more than anything here takes
DEADLINE = 60.0


class Departing(Reaped):
    """Mounting, docker and transient units work; the units' processes are written down."""

    def __init__(self, tree: Path) -> None:
        super().__init__(tree)
        (tree / "run/spot-guard.notice").unlink()
        reap = tree / "bin/cloudtop-reap"
        self.stub(
            "cloudtop-reap",
            f'echo "$$ $1" >>"$TREE/reaps"\nexec {REAP} "$@"',
        )
        (tree / "instance-id").write_text("i-0abc\n")
        self.settings |= {"reap": reap, "instance_file": tree / "instance-id", "silence": 30}
        # As systemd: no child of whoever asks, and started again where it fails
        self.stub(
            "systemd-run",
            'while case "${1-}" in --*) ;; *) false ;; esac; do shift; done\n'
            'setsid sh -c \'until "$@"; do echo again >>"$TREE/log"; done\' unit "$@" \\\n'
            '    >>"$TREE/journal" 2>&1 </dev/null &',
        )
        self.stub(
            "systemctl",
            'echo "systemctl $*" >>"$TREE/log"\ncase "$*" in\n'
            f'    *persistent-mount*) echo "2 1 8:2 / {self.volume} rw" \\\n'
            '        >>"$TREE/proc/self/mountinfo" ;;\n'
            "    show*) echo inactive ;;\nesac",
        )

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.tree / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        modules = {"PYTHONPATH": str(installed.PACKAGE)}
        return {"PATH": path, "TREE": str(self.tree), "HOME": str(self.home), **modules, **IDENTITY}

    @property
    def is_mounted(self) -> bool:
        return str(self.volume) in (self.tree / "proc/self/mountinfo").read_text()

    def warnings(self) -> str:
        place = self.tree / "wall"
        return place.read_text() if place.exists() else ""

    def call(self, *words: str) -> Call:
        return Call([PYTHON, "-IS", str(PROGRAM), *words, str(self.config())], self.environment)

    def keepers(self) -> list[int]:
        """Processes that keep an end of this machine."""
        mine = [b"keep", os.fsencode(self.tree / "spot-guard.conf")]
        return [pid for pid, words in _processes() if words[-2:] == mine and words[0] != b"sh"]


def _processes() -> list[tuple[int, list[bytes]]]:
    processes = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")[:-1]
        except OSError:
            continue
        if words:
            processes.append((int(place.name), words))
    return processes


class Call:
    """A run of the program, as the laptop at its other end has it."""

    def __init__(self, argv: list[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            argv, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(line)

    def hears(self, kind: str) -> dict[str, Any]:
        """The next answer of that kind."""
        while True:
            answer = json.loads(self.lines.get(timeout=DEADLINE))
            if answer["farewell"] == kind:
                return dict(answer)

    def report(self) -> dict[str, Any]:
        """The report of the saving; gives signs of life until it is there."""
        while True:
            self.says("")
            try:
                line = self.lines.get(timeout=0.3)
            except queue.Empty:
                continue
            if '"report"' in line:
                return dict(json.loads(line))

    def says(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hangs_up(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE)


def until(what: str, check: Callable[[], object]) -> None:
    """Wait for it. Raises AssertionError where it does not come true."""
    end = time.monotonic() + DEADLINE
    while not check():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)
