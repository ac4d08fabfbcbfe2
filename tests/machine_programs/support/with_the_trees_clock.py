"""Runs a program whose pauses are those of the ``sleep`` in PATH, in which a test's time passes."""

from __future__ import annotations

import os
import runpy
import sys
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex) -> None:
    """A pause that fails ends the program, as it does in a shell."""
    process = os.posix_spawnp("sleep", ["sleep", f"{float(seconds):g}"], os.environ)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if code:
        sys.exit(code)


if __name__ == "__main__":
    time.sleep = sleep
    del sys.argv[0], sys.path[0]
    runpy.run_path(sys.argv[0], run_name="__main__")
