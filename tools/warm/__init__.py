"""A Python that is warm, for what is started many times over by tests and linters."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The variable of the environment that names the interpreter to the tests' playbooks
VARIABLE = "ANSIBLE_WARM_PYTHON"
HERE = Path(__file__).parent
PLAYBOOK = "ansible-playbook"
# Seconds in which it has to be warm
DEADLINE = 60.0


@contextmanager
def python(kind: str = "modules") -> Iterator[Path]:
    """The path of an interpreter that runs scripts in forks of a process that is warm.

    ``kind`` is what it has imported: see WARM in server.py.
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
        with subprocess.Popen(argv, stdin=subprocess.PIPE) as server:
            deadline = time.monotonic() + DEADLINE
            while not (folder / "socket").exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no warm Python after {DEADLINE} s: see its output above")
                time.sleep(0.05)
            yield interpreter
            # The end of its standard input is its end


@contextmanager
def playbooks() -> Iterator[Path]:
    """A directory with an ansible-playbook that is warm, to come first in PATH.

    Every run has to have the environment and the working directory of the first: one that has
    not starts the real program, in its own time.
    """
    with python("playbooks") as interpreter, tempfile.TemporaryDirectory(prefix="warm-") as place:
        program = Path(sys.executable).with_name(PLAYBOOK)
        _, _, text = program.read_text().partition("\n")
        own = Path(place) / PLAYBOOK
        own.write_text(f"#!{interpreter}\n{text}")
        own.chmod(0o755)
        yield own.parent


def programs(launcher: int) -> list[int]:
    """The process that runs the program of a process, which may be a launcher."""
    if VARIABLE not in os.environ:
        return []
    try:
        text = (Path(os.environ[VARIABLE]).parent / "programs" / str(launcher)).read_text()
    except FileNotFoundError:
        return []
    return [int(text)] if text else []
