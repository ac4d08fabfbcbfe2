"""Whose process it is: nothing is signalled that is not proven to be the machine's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.machines import kvm, process

INSTANCE = "i-0aa"
SLEEP = "import time; print(flush=True); time.sleep(60)"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / INSTANCE
    path.mkdir()
    return path


def spawn(cwd: Path, name: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", SLEEP, f"guest={name}"], cwd=cwd, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    (cwd / process.PID_FILE).write_text(f"{child.pid}\n")
    return child


@pytest.fixture
def machine(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    child = spawn(directory, INSTANCE)
    yield child
    child.kill()
    child.communicate()


@pytest.fixture
def stranger(directory: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has got the pid that the machine's file names."""
    child = spawn(tmp_path, INSTANCE)
    (tmp_path / process.PID_FILE).rename(directory / process.PID_FILE)
    yield child
    child.kill()
    child.communicate()


def test_machine_is_alive_until_killed(directory: Path, machine: subprocess.Popen[bytes]) -> None:
    assert process.alive(directory, INSTANCE)
    assert not process.wait_gone(directory, INSTANCE, 0.05)
    process.kill(directory, INSTANCE)
    assert process.wait_gone(directory, INSTANCE, 0.05)
    assert not process.alive(directory, INSTANCE)
    assert machine.wait() == -9


def test_stranger_is_never_killed(directory: Path, stranger: subprocess.Popen[bytes]) -> None:
    assert not process.alive(directory, INSTANCE)
    process.kill(directory, INSTANCE)
    assert stranger.poll() is None


def test_another_machines_process_is_no_match(
    directory: Path, machine: subprocess.Popen[bytes]
) -> None:
    assert not process.alive(directory, "i-0bb")
    process.kill(directory, "i-0bb")
    assert machine.poll() is None


@pytest.mark.parametrize("text", ["", "x", "-5", "99999999"])
def test_useless_pid_file_is_no_machine(directory: Path, text: str) -> None:
    (directory / process.PID_FILE).write_text(text)
    assert not process.alive(directory, INSTANCE)
    process.kill(directory, INSTANCE)


def test_kvm_is_believed_only_when_a_kernel_is_seen_to_boot() -> None:
    hangs = [sys.executable, "-c", "import time; print('Probing EDD', flush=True); time.sleep(60)"]
    works = [sys.executable, "-c", "print('VFS: Unable to mount root fs', flush=True)"]
    assert not kvm.boots(hangs, 0.5)
    assert not kvm.boots([sys.executable, "-c", ""], 5)
    assert kvm.boots(works, 5)


def test_without_the_device_there_is_no_kvm(tmp_path: Path) -> None:
    assert not kvm.usable(tmp_path / "kvm")
