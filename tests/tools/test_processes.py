"""A process is killed with all that it starts, however busy it is with starting more."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tools.faults.processes import kill_all

# Its memory makes a fork take as long as one of Ansible's
FORKS = """
import os, time
memory = [bytearray(4096) for _ in range(200 * 256)]
print("it forks", flush=True)
while True:
    if not os.fork():
        time.sleep(60)
        os._exit(0)
    time.sleep(0.02)
"""


@pytest.mark.parametrize("moment", range(8))
def test_a_fork_that_is_under_way_leaves_nobody(moment: int) -> None:
    with subprocess.Popen([sys.executable, "-c", FORKS], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1 + moment * 0.007)
        kill_all(process.pid)
        # Whoever is left has it open
        assert process.communicate(timeout=30)[0] == b""
