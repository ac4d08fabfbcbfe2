"""A Python that is warm, for the modules of all playbooks that the tests of one session run."""

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
# Seconds in which it has to be warm
DEADLINE = 60.0


@contextmanager
def python() -> Iterator[Path]:
    """The path of an interpreter that runs scripts in forks of a process that is warm."""
    # Short, as the path of a socket has at most 107 characters
    with tempfile.TemporaryDirectory(prefix="warm-") as scratch:
        folder = Path(scratch)
        interpreter = folder / "python"
        text = (HERE / "launcher.py").read_text()
        interpreter.write_text(f"#!{sys.executable} -IS\n{text}")
        interpreter.chmod(0o755)
        (folder / "interpreter").write_text(sys.executable)
        argv = [sys.executable, str(HERE / "server.py"), scratch]
        with subprocess.Popen(argv, stdin=subprocess.PIPE) as server:
            deadline = time.monotonic() + DEADLINE
            while not (folder / "socket").exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no warm Python after {DEADLINE} s: see its output above")
                time.sleep(0.05)
            yield interpreter
            # The end of its standard input is its end


def programs(launcher: int) -> list[int]:
    """The process that runs the program of a process, which may be a launcher."""
    if VARIABLE not in os.environ:
        return []
    try:
        text = (Path(os.environ[VARIABLE]).parent / "programs" / str(launcher)).read_text()
    except FileNotFoundError:
        return []
    return [int(text)] if text else []
