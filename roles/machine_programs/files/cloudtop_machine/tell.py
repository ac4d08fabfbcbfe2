#!/usr/bin/python3 -IS
"""Tells everyone who is on this machine, at terminals and in tmux, and waits for nobody.

A sentence may hold what users, processes, tags or the metadata service wrote: the text of a
lock, a file's name, a process's name. Nothing of it is interpreted: ``plain`` is what a
terminal, a log or a file may show, ``tmux_text`` is what tmux may get. Shell programs run this
one beside their work, Python programs import it.

A tmux client does what its server says: it runs the commands that the server names, and hands
over its environment and its standard files. So each runs as its server's owner, with nothing
of root's, and none is waited for longer than a moment: a server that is stopped, or a program
that only poses as one, never answers.

usage: tell.py [--tmp DIRECTORY] SENTENCE
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

# In characters; nobody reads a longer line of a status bar
LONGEST = 600
# In seconds: for a server to name its clients, and then to show the sentence; for wall
ANSWER = 3.0
# In milliseconds: how long tmux shows it
SHOWN = 15000
# At most so many sockets in all; of each user, so that nobody's crowd out another's; and names
# of a user's directory that are looked at
SOCKETS, SOCKETS_OF_USER, NAMES = 32, 8, 256
CLIENTS = 32
MOST_BYTES = 65536
# Between two looks whether a program has ended, in seconds: from, to
PAUSES = (0.02, 0.2)
# A client needs no group, and a user's number may be the number of a group such as docker
NOGROUP = 65534
CLIENT_NAME = re.compile(r"[A-Za-z0-9/._-]{1,64}")


def plain(text: str, longest: int = LONGEST) -> str:
    """One line of printable ASCII: no control characters, thus no escape sequences.

    A terminal that is not in UTF-8 reads bytes of other letters as control characters.
    """
    line = " ".join(text[: 8 * longest].split())
    line = "".join(
        each if " " <= each <= "~" else "?" if each > "\x9f" else "" for each in line
    ).strip()
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def tmux_text(text: str) -> str:
    """Plain text that tmux shows as it is, although it expects a format.

    tmux passes it through strftime(3), then expands ``#``; a ``;`` at the end of a word ends
    the command. Only tmux 3.4 and later has an option for literal text.
    """
    line = plain(text).replace("%", "%%").replace("#", "##")
    return f"{line} " if line.endswith(";") else line


@dataclass
class Program:
    """A program in a session of its own: what it is given, and what became of it.

    Without an ``environment`` it gets nothing of this process's. ``text`` is what it printed,
    with ``errors`` its standard error, too; ``code`` is None if it had to be killed.
    """

    words: Sequence[str]
    uid: int | None = None
    stdin: str = ""
    environment: dict[str, str] | None = None
    errors: bool = False
    code: int | None = None
    _answer: bytearray = field(default_factory=bytearray)
    _process: subprocess.Popen[bytes] | None = None
    _output: int = -1

    @property
    def text(self) -> str:
        return self._answer.decode(errors="replace")

    def run(self, seconds: float) -> Program:
        """Run it for so many seconds at most, then kill its process group."""
        deadline = time.monotonic() + seconds
        pause, longest = PAUSES
        self._start()
        while not self._ended() and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 1.2, longest)
        if self._process is not None:
            # A process that can't be killed is left: nothing here waits for it
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        os.close(self._output)
        return self

    def _start(self) -> None:
        other = self.uid is not None and self.uid != os.geteuid()
        self._output, output = os.pipe()
        os.set_blocking(self._output, False)
        stdin, end = os.pipe()
        # It fits into the pipe, so that it needs no reader
        os.write(end, self.stdin.encode()[: MOST_BYTES // 2])
        os.close(end)
        try:
            self._process = subprocess.Popen(
                self.words,
                stdin=stdin,
                stdout=output,
                stderr=output if self.errors else subprocess.DEVNULL,
                env=bare_environment() if self.environment is None else self.environment,
                cwd="/",
                start_new_session=True,
                user=self.uid if other else None,
                group=NOGROUP if other else None,
                extra_groups=[] if other else None,
            )
        except (OSError, subprocess.SubprocessError):
            self.code = 127
        finally:
            os.close(stdin)
            os.close(output)

    def _ended(self) -> bool:
        if self.code is None and self._process is not None:
            self.code = self._process.poll()
            self._read()
        return self.code is not None

    def _read(self) -> None:
        """Take what is there. Whoever holds the pipe may never end, so its end is no sign."""
        with contextlib.suppress(BlockingIOError):
            while len(self._answer) < MOST_BYTES:
                block = os.read(self._output, 4096)
                if not block:
                    return
                self._answer += block


def bare_environment() -> dict[str, str]:
    """A tmux client sends its whole environment to its server."""
    path = os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    return {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/", "TERM": "dumb"}


@dataclass(frozen=True)
class Server:
    """The socket of a tmux server, and the user it belongs to."""

    path: str
    uid: int

    @property
    def name(self) -> str:
        return f"{self.uid}/{plain(Path(self.path).name, 80)}"

    def ask(self, *words: str) -> str | None:
        """The output of a tmux client of it; None if it fails or does not answer."""
        client = Program(("tmux", "-S", self.path, *words), self.uid).run(ANSWER)
        return client.text if client.code == 0 else None

    def show(self, sentence: str) -> None:
        """Show it to every client, which only it can name."""
        names = (self.ask("list-clients", "-F", "#{client_name}") or "").splitlines()
        words: list[str] = []
        for name in filter(CLIENT_NAME.fullmatch, names[:CLIENTS]):
            words += [*([";"] if words else []), "display-message", "-d", str(SHOWN)]
            words += ["-c", name, "--", tmux_text(sentence)]
        if words:
            self.ask(*words)


def servers(tmp: str) -> list[Server]:
    """The sockets in the directories that tmux makes, those last used first.

    Anybody may make such a directory, a link or a socket there; tmux itself takes none that is
    not its user's.
    """
    users = []
    try:
        with os.scandir(tmp) as entries:
            for entry in entries:
                digits = entry.name.removeprefix("tmux-")
                if digits != entry.name and re.fullmatch("0|[1-9][0-9]{0,9}", digits):
                    users.append((int(digits), entry.path))
    except OSError:
        return []
    # The numbers that a user may deal out in a namespace are large ones
    sockets = [_sockets(place, uid) for uid, place in sorted(users)]
    dealt = itertools.chain.from_iterable(itertools.zip_longest(*sockets))
    return list(itertools.islice(filter(None, dealt), SOCKETS))


def _sockets(place: str, uid: int) -> list[Server]:
    sockets = []
    try:
        status = os.lstat(place)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid:
            return []
        with os.scandir(place) as entries:
            for entry in itertools.islice(entries, NAMES):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISSOCK(status.st_mode) and status.st_uid == uid:
                    sockets.append((status.st_ctime, entry.path))
    except OSError:
        pass
    return [Server(path, uid) for _, path in sorted(sockets, reverse=True)[:SOCKETS_OF_USER]]


def ask_servers(tmp: str, *words: str) -> dict[Server, str | None]:
    """The answer of each server, asked side by side; None if it does not answer."""
    asked = servers(tmp)
    with ThreadPoolExecutor(SOCKETS) as pool:
        return dict(zip(asked, pool.map(lambda server: server.ask(*words), asked), strict=True))


def everyone(sentence: str, tmp: str = "/tmp") -> None:
    """Tell everyone, within twice the time for an answer."""
    with ThreadPoolExecutor(SOCKETS + 1) as pool:
        pool.submit(Program(("wall",), stdin=f"{plain(sentence)}\n").run, 2 * ANSWER)
        for server in servers(tmp):
            pool.submit(server.show, sentence)


def main(words: list[str]) -> int:
    tmp = "/tmp"
    if words[:1] == ["--tmp"] and len(words) > 1:
        tmp, words = words[1], words[2:]
    if len(words) != 1:
        print("usage: tell.py [--tmp DIRECTORY] SENTENCE", file=sys.stderr)
        return 2
    everyone(words[0], tmp)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
