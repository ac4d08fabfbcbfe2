"""Disk files for tests: made, written and read by QEMU's own tools, booted by nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from localcloud.machines.tools import find, run

GIB = 1 << 30


def create(path: Path, gib: int) -> None:
    run(["qemu-img", "create", "-q", "-f", "qcow2", path, str(gib * GIB)])


def io(path: Path, *commands: str) -> str:
    argv = [find("qemu-io") or "qemu-io", "-f", "qcow2"]
    for command in commands:
        argv += ["-c", command]
    done = subprocess.run([*argv, str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(path: Path, text: str) -> None:
    """The text's first letter, over the first 64 KiB."""
    io(path, f"write -q -P {ord(text[0])} 0 64k")


def holds(path: Path, text: str) -> bool:
    return "verification failed" not in io(path, f"read -P {ord(text[0])} 0 64k")
