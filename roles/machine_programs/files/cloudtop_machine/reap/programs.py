"""Foreign programs, bounded in time: what hangs is killed at its limit, and then left.

A program may leave another behind that holds whatever it was given, for ever. So its output goes
to memory, as a pipe would be waited for, and it is the first of a session of its own, which is
killed as a whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

MOST_BYTES = 65536
# Exit codes, as timeout(1) and a shell have them
TIME_OVER, NOT_STARTED = 124, 127
# Between the request to end and the kill, in seconds
GRACE = 2.0
# For what a program printed just before its end, in seconds
LAST_WORD = 0.5


class Program:
    """One that runs. ``code`` is None until it has ended; ``output`` is a handle that it closes."""

    def __init__(
        self,
        words: Sequence[str],
        seconds: float,
        environment: dict[str, str] | None = None,
        output: int | None = None,
        errors: int | None = None,
        held: int | None = None,
    ) -> None:
        self.code: int | None = None
        self.ends = time.monotonic() + seconds
        self.output = os.memfd_create("output") if output is None else output
        self.process: subprocess.Popen[bytes] | None = None
        try:
            self.process = self._start(words, environment, errors, held)
        except OSError as error:
            self.code = NOT_STARTED
            with contextlib.suppress(OSError):
                os.write(self.output, f"{words[0]}: {error.strerror}\n".encode())

    def _start(
        self,
        words: Sequence[str],
        environment: dict[str, str] | None,
        errors: int | None,
        held: int | None,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT if errors is None else errors,
            env=environment,
            start_new_session=True,
            pass_fds=() if held is None else (held,),
        )

    def wait(self, grace: float = 0.0) -> int:
        """Until it ends, or its time is over; with ``grace`` it is asked to end first."""
        if self.process is None or self.code is not None:
            return self.code or 0
        try:
            self.code = self.process.wait(max(0.0, self.ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.code = TIME_OVER
            if grace:
                self._signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(grace)
            self._signal(signal.SIGKILL)
            # One in a disk wait dies later, or never
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.5)
        return self.code

    def ended_in_time(self) -> bool:
        """Wait as long, and leave it if it has not ended."""
        if self.process is not None and self.code is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.code = self.process.wait(max(0.0, self.ends - time.monotonic()))
        return self.code is not None

    def kill(self) -> None:
        self.ends = 0.0
        self.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, number)

    def text(self) -> str:
        """The first of what it printed; afterwards it is closed."""
        data = os.pread(self.output, MOST_BYTES, 0)
        os.close(self.output)
        return data.decode(errors="replace")


class Hook(Program):
    """A program of anybody's: however much it prints, the first of it is kept."""

    def __init__(self, words: Sequence[str], seconds: float, environment: dict[str, str]) -> None:
        ours, theirs = os.pipe()
        super().__init__(words, seconds, environment, output=theirs)
        os.close(theirs)
        self.first = bytearray()
        # A service that it leaves behind may hold its output for ever
        self.reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self.reader.start()

    def _read(self, handle: int) -> None:
        while data := os.read(handle, MOST_BYTES):
            self.first.extend(data[: MOST_BYTES - len(self.first)])

    def text(self) -> str:
        self.reader.join(LAST_WORD)
        return bytes(self.first).decode(errors="replace")


def hook(place: str, seconds: float, environment: dict[str, str]) -> Hook:
    """Starts it; a script without a first line is the shell's, as in execvp(3)."""
    try:
        with open(place, "rb") as file:
            start = file.read(512)
    except OSError:
        start = b"#!"
    is_shells = not start.startswith(b"#!") and b"\0" not in start
    return Hook(["/bin/sh", place] if is_shells else [place], seconds, environment)


class Steps:
    """Programs that change the machine. They go on if this one is killed, and hold a lock then.

    A step that a killed end has begun, such as an unmount, must not happen after the volume is
    back.
    """

    def __init__(self, place: str) -> None:
        self.place = place

    def run(self, seconds: float, *words: str) -> Program:
        """Its ``code`` is there when this returns."""
        lock = self._open()
        if lock is not None:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            program = Program(words, seconds, held=lock)
        finally:
            if lock is not None:
                os.close(lock)
        program.wait()
        return program

    def over(self, seconds: float) -> bool:
        """Whether no step is under way any more, or none after so many seconds."""
        lock = self._open()
        if lock is None:
            return True
        end = time.monotonic() + seconds
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as error:
                    if error.errno != errno.EWOULDBLOCK or time.monotonic() >= end:
                        return False
                    time.sleep(0.1)
                else:
                    return True
        finally:
            os.close(lock)

    def _open(self) -> int | None:
        """None on a /run that takes no more files: the step is done all the same."""
        try:
            return os.open(self.place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
