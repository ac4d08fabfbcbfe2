"""A program that runs on the machine and talks with this computer over ssh, in lines."""

from __future__ import annotations

import base64
import json
import queue
import shlex
import subprocess
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from cloudtop.login.pinned_machine import PinnedMachine

# Seconds between two signs of life
BEAT = 3.0
ANSWER_KEY = "farewell"
# A login shell need not be a POSIX one, so nothing of the program is left for it to read
LOADER = (
    "import base64, zlib; SOURCE = zlib.decompress(base64.b64decode('{}')).decode(); "
    "exec(compile(SOURCE, 'cloudtop', 'exec'))"
)


def command(program: Path, words: Sequence[str]) -> str:
    """The command line that runs a Python program as root on the machine."""
    packed = base64.b64encode(zlib.compress(program.read_bytes(), 9)).decode()
    text = LOADER.format(packed)
    return shlex.join(["sudo", "-n", "/usr/bin/python3", "-ISc", text, *words])


class Conversation:
    """One run of a program on the machine; it hears of this computer every few seconds.

    Lines that it prints are JSON objects that begin with ANSWER_KEY; what a login prints before
    them is skipped, also on the same line. A signal of this terminal does not reach ssh, so that
    the last words are heard.
    """

    def __init__(
        self, machine: PinnedMachine, program: Path, words: Sequence[str], connect: int
    ) -> None:
        self._process = subprocess.Popen(
            machine.arguments([command(program, words)], connect),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._input: IO[str] = self._process.stdin
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._over = threading.Event()
        self._writing = threading.Lock()
        self._complaints: deque[str] = deque(maxlen=20)
        self._reader = _started(self._read_complaints, self._process.stderr)
        _started(self._listen, self._process.stdout)
        _started(self._beat)

    def __enter__(self) -> Conversation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, whatever the program does."""
        self.hang_up()
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()

    def say(self, line: str) -> None:
        """Send a line. One that cannot be sent is not answered, either."""
        try:
            with self._writing:
                self._input.write(f"{line}\n")
                self._input.flush()
        except (OSError, ValueError):
            self._over.set()

    def hang_up(self) -> None:
        """Let the program know that nothing more will come; it may still answer."""
        self._over.set()
        try:
            with self._writing:
                self._input.close()
        except OSError:
            return

    def answer(self, kinds: Sequence[str], seconds: float) -> dict[str, Any] | None:
        """The next answer of these kinds; None if none comes in so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                return None
            if line is None:
                # For whoever asks next
                self._lines.put(None)
                return None
            if line[ANSWER_KEY] in kinds:
                return line
        return None

    def trouble(self) -> str:
        """The last thing that ssh or the program complained of, without its full stop."""
        if self._process.poll() is not None:
            self._reader.join(1)
        return self._complaints[-1].rstrip(".") if self._complaints else ""

    def _read_complaints(self, errors: IO[str]) -> None:
        self._complaints.extend(line.strip() for line in errors if line.strip())

    def _listen(self, output: IO[str]) -> None:
        for line in output:
            _, begun, rest = line.partition(f'{{"{ANSWER_KEY}"')
            try:
                answer = json.loads(begun + rest)
            except (ValueError, RecursionError):
                continue
            if isinstance(answer, dict) and ANSWER_KEY in answer:
                self._lines.put(answer)
        self._lines.put(None)

    def _beat(self) -> None:
        while not self._over.wait(BEAT):
            self.say("")


def _started(work: Callable[..., None], *given: Any) -> threading.Thread:
    thread = threading.Thread(target=work, args=given, daemon=True)
    thread.start()
    return thread
