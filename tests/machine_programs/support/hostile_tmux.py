"""tmux servers as a machine may have them: one that works, one that is stopped, and none at all."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TERM": "xterm", "HOME": "/", "LC_ALL": "C.UTF-8"}
# Accepts, and never answers; its input ends with the test
_MUTE = """
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print(flush=True)
kept = []
while True:
    kept.append(server.accept())
"""


def directory(tmp: Path) -> Path:
    """The directory of this user's tmux sockets."""
    place = tmp / f"tmux-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def await_true(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


class Tmux:
    """A real server with a client at a terminal."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.ask("new-session", "-d", "-s", "work")
        self.pid = int(self.ask("display-message", "-p", "#{pid}"))

    def ask(self, *words: str) -> str:
        return subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", str(self.place), *words],
            capture_output=True,
            text=True,
            check=True,
            env=ENVIRONMENT,
            timeout=30,
        ).stdout

    @contextmanager
    def client(self, screen: Path) -> Iterator[None]:
        attach = f"tmux -S {self.place} attach -t work"
        with subprocess.Popen(
            ["script", "--quiet", "--flush", "--command", attach, str(screen)],
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        ) as client:
            await_true(lambda: self.ask("list-clients"))
            yield
            self.ask("detach-client", "-a", "-s", "work")
            client.terminate()

    def ran_nothing(self, marker: Path) -> bool:
        """Whether no command has made ``marker``, once one that is begun after it has run."""
        later = marker.with_name(f"{marker.name}.later")
        self.ask("run-shell", "true")
        self.run_format(f"touch {later}", later)
        later.unlink()
        return not marker.exists()

    def run_format(self, command: str, marker: Path) -> None:
        """Have a format run a command that makes ``marker``.

        tmux ends the jobs of a client's formats when that client goes (format_lost_client), and
        the one that shows a message goes at once: so it may take several.
        """

        def shown() -> bool:
            self.ask("display-message", f"#({command})")
            return marker.exists()

        await_true(shown)

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        await_true(self.stopped)

    def stopped(self) -> bool:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


@contextmanager
def tmux(tmp: Path, name: str = "default") -> Iterator[Tmux]:
    server = Tmux(directory(tmp) / name)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def mute(tmp: Path, name: str = "mute") -> Iterator[subprocess.Popen[bytes]]:
    """A program that accepts at a socket and never answers."""
    with subprocess.Popen(
        [sys.executable, "-c", _MUTE, str(directory(tmp) / name)], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield process
        finally:
            process.kill()


@contextmanager
def full(tmp: Path, name: str = "full") -> Iterator[None]:
    """A socket at which nobody accepts, and whose queue is full, so that connecting to it waits."""
    place = str(directory(tmp) / name)
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(place)
        server.listen(0)
        while True:
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            try:
                waiting.connect(place)
            except BlockingIOError:
                break
        yield


@contextmanager
def nobody_answers(tmp: Path) -> Iterator[Tmux]:
    """A server that is stopped, and the two kinds of sockets that never answer."""
    with tmux(tmp) as server, mute(tmp) as process, full(tmp):
        server.stop()
        yield server
        # They outlived whatever was tested
        assert server.stopped()
        assert process.poll() is None
