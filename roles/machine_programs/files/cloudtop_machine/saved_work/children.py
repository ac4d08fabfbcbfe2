"""Forked copies of this program, each bounded in time and as the owner of what it looks at.

A child may hang in a dead file system, and what git starts may stay behind. So each is the first
of a session and process group of its own, which is killed at the limit; all that it prints goes
to files without a name, as a pipe's end may be held by anybody; and one that cannot be killed
is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .owner import Owner

Tell = Callable[[object], None]
# Between two looks at the children, in seconds: from, to
PAUSES = (0.002, 0.05)
MOST_BYTES = 16 << 20


@dataclass
class Job:
    """A function to be run in a child: it gets ``tell``, by which it hands back values.

    ``prepare`` runs before the child becomes the owner. ``answers`` are the values as JSON keeps
    them, also of a job that was cut short; ``ended`` says that it was not. ``trouble`` is the
    exception that ended it.
    """

    work: Callable[[Tell], None]
    owner: Owner | None = None
    prepare: Callable[[], None] | None = None
    answers: list[object] = field(default_factory=list)
    ended: bool = False
    trouble: str = ""
    _pid: int = 0
    _output: int = -1

    def start(self, seconds: float) -> None:
        self._output = os.memfd_create("answers")
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            self._be_child(seconds)

    def _be_child(self, seconds: float) -> None:
        code = 1
        try:
            os.setsid()
            # Should the one that waits for it be killed
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1) + 2)
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(null, descriptor)
            os.umask(0o077)
            os.chdir("/")
            if self.prepare:
                self.prepare()
            if self.owner:
                self.owner.become()
            self.work(self._tell)
            code = 0
        except BaseException as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            self._tell({"trouble": f"{error} ({place.name}, line {place.lineno})"})
        finally:
            os._exit(code)

    def _tell(self, value: object) -> None:
        os.write(self._output, json.dumps(value).encode() + b"\n")

    def is_over(self) -> bool:
        """Whether it ended; then its answers are there."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            return False
        self.ended = os.waitstatus_to_exitcode(status) == 0
        # Processes that git left behind in the group
        self._collect()
        return True

    def kill(self) -> None:
        self._collect()
        # One in a disk wait dies later, or never
        with contextlib.suppress(OSError):
            os.waitpid(self._pid, os.WNOHANG)

    def _collect(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._pid, signal.SIGKILL)
        size = min(os.fstat(self._output).st_size, MOST_BYTES)
        lines = os.pread(self._output, size, 0).split(b"\n")
        os.close(self._output)
        # The last one is empty, or torn
        for line in lines[:-1]:
            value = json.loads(line)
            if isinstance(value, dict) and "trouble" in value and not self.ended:
                self.trouble = str(value["trouble"])
            else:
                self.answers.append(value)


def run_all(jobs: Iterable[Job], width: int, seconds: float) -> None:
    """Run them, so many at a time, for so many seconds at most; the rest is not begun."""
    deadline = time.monotonic() + seconds
    waiting, running = list(jobs)[::-1], list[Job]()
    pause, longest = PAUSES
    while waiting or running:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        while waiting and len(running) < width:
            job = waiting.pop()
            job.start(left)
            running.append(job)
            pause = PAUSES[0]
        before = len(running)
        running = [job for job in running if not job.is_over()]
        if len(running) == before:
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, longest)
    for job in running:
        job.kill()


def run(job: Job, seconds: float) -> Job:
    """One of them, for so many seconds at most."""
    run_all([job], 1, seconds)
    return job
