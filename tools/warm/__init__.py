"""A Python that is warm, for what is started many times over by tests and linters."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The variable of the environment that names the interpreter to the tests' playbooks
VARIABLE = "ANSIBLE_WARM_PYTHON"
HERE = Path(__file__).parent
PLAYBOOK = "ansible-playbook"
# Those of the servers that this process has started
FOLDERS: list[Path] = []
# Seconds in which it has to be warm
DEADLINE = 60.0


@contextmanager
def python(kind: str = "modules", terminal: bool = False) -> Iterator[Path]:
    """The path of an interpreter that runs scripts in forks of a process that is warm.

    ``kind`` is what it has imported: see WARM in server.py. Its standard output
    is a ``terminal``, or it has none.
    """
    # Short, as the path of a socket has at most 107 characters
    with tempfile.TemporaryDirectory(prefix="warm-") as scratch:
        folder = Path(scratch)
        interpreter = folder / "python"
        text = (HERE / "launcher.py").read_text()
        interpreter.write_text(f"#!{sys.executable} -IS\n{text}")
        interpreter.chmod(0o755)
        (folder / "interpreter").write_text(sys.executable)
        argv = [sys.executable, str(HERE / "server.py"), scratch, kind]
        with (
            standard_output(terminal) as output,
            subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output) as server,
        ):
            deadline = time.monotonic() + DEADLINE
            while not (folder / "socket").exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no warm Python after {DEADLINE} s: see its output above")
                time.sleep(0.05)
            FOLDERS.append(folder)
            try:
                yield interpreter
            finally:
                FOLDERS.remove(folder)
            # The end of its standard input is its end


@contextmanager
def standard_output(terminal: bool) -> Iterator[int]:
    """One to which nothing is written; it is only looked at."""
    if not terminal:
        yield subprocess.DEVNULL
        return
    other_end, output = os.openpty()
    try:
        yield output
    finally:
        os.close(output)
        os.close(other_end)


@contextmanager
def playbooks(terminal: bool = False) -> Iterator[Path]:
    """A directory with an ansible-playbook that is warm, to come first in PATH.

    Every run has to have the working directory of the first, and its environment but for what
    Ansible's configuration has nothing of (FREE in server.py): one that has not starts the real
    program, in its own time. So does one that has no ``terminal``, or has one and shall not.
    """
    with (
        python("playbooks", terminal) as interpreter,
        tempfile.TemporaryDirectory(prefix="warm-") as place,
    ):
        program = Path(sys.executable).with_name(PLAYBOOK)
        _, _, text = program.read_text().partition("\n")
        own = Path(place) / PLAYBOOK
        own.write_text(f"#!{interpreter}\n{text}")
        own.chmod(0o755)
        yield own.parent


def programs(launcher: int) -> list[int]:
    """The process that runs the program of a process, which may be a launcher."""
    running = []
    for folder in FOLDERS:
        # Most processes are no launcher, and a launcher may end meanwhile
        with suppress(FileNotFoundError):
            running.append((folder / "programs" / str(launcher)).read_text())
    return [int(text) for text in running if text]
