"""cloudtop-busy: the command's own exit code and signals, and a lock that ends with it."""

from __future__ import annotations

import configparser
import os
import pty
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cloudtop_machine.idle import busy

from tests.machine_programs.support import installed
from tests.machine_programs.support.idle import BUSY, PYTHON_ENVIRONMENT

# Counts its signals, and says how many of which when it has read a line
COUNTS = """
import signal, sys
seen = []
for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"):
    signal.signal(getattr(signal, name), lambda number, _: seen.append(signal.Signals(number).name))
print("ready", flush=True)
for line in sys.stdin:
    print(line.strip(), seen, flush=True)
"""


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    place = tmp_path / "busy"
    place.mkdir()
    return place


def start(
    locks: Path, *words: str, preexec_fn: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*BUSY, *words],
        env={
            "PATH": "/usr/bin:/bin",
            "CLOUDTOP_BUSY": str(locks),
            **PYTHON_ENVIRONMENT,
        },
        preexec_fn=preexec_fn,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(locks: Path, *words: str) -> tuple[int, str, str]:
    with start(locks, *words) as process:
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def listed(locks: Path) -> str:
    code, out, err = run(locks, "--list")
    assert (code, err) == (0, "")
    return out


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def say(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_commands(locks: Path, code: int) -> None:
    assert run(locks, "--", "sh", "-c", f"echo out; echo err >&2; exit {code}") == (
        code,
        "out\n",
        "err\n",
    )
    assert listed(locks) == ""


def test_words_are_handed_on_as_they_are(locks: Path) -> None:
    assert run(locks, "--", "printf", "%s|", "a b", "", "--", "$x")[1] == "a b||--|$x|"
    assert run(locks, "echo", "--list")[1] == "--list\n"


@pytest.mark.parametrize(("word", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_run_ends_as_in_a_shell(locks: Path, word: str, code: int) -> None:
    ended, _, err = run(locks, "--", word)
    assert ended == code
    assert err.startswith(f"cloudtop-busy: {word}: ")


@pytest.mark.parametrize("words", [(), ("--",), ("--help",), ("-x", "true")])
def test_without_a_command_it_says_its_usage(locks: Path, words: tuple[str, ...]) -> None:
    code, _, err = run(locks, *words)
    assert (code, err.split()[0]) == (2, "usage:")


def test_a_signal_that_ends_the_command_ends_it_too(locks: Path) -> None:
    # A test in the background of a shell knows nothing of SIGINT and SIGQUIT
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGPIPE):
        assert run(locks, "--", "sh", "-c", f"kill -{number} $$")[0] == -number


def test_signals_that_are_sent_to_it_go_to_the_command(locks: Path) -> None:
    with start(locks, "--", "/usr/bin/python3", "-c", COUNTS) as process:
        assert line(process) == "ready"
        for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"):
            process.send_signal(getattr(signal, name))
            while True:
                say(process, "?")
                if name in line(process):
                    break
        say(process, "end")
        while not (last := line(process)).startswith("end"):
            pass
        assert last == "end ['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP']"
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_key_that_interrupts_does_so_once(locks: Path) -> None:
    """The terminal sends it to both."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"CLOUDTOP_BUSY": str(locks), **PYTHON_ENVIRONMENT}
        words = [*BUSY, "--", "/usr/bin/python3", "-c", COUNTS]
        os.execv(words[0], words)
    output = b""
    os.set_blocking(terminal, True)
    while b"ready" not in output:
        output += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    while b"SIGINT" not in output:
        os.write(terminal, b"?\n")
        output += os.read(terminal, 1024)
    os.write(terminal, b"end\n")
    while b"end [" not in output or not output.endswith(b"]\r\n"):
        output += os.read(terminal, 1024)
    os.write(terminal, b"\x04")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(terminal)
    assert b"end ['SIGINT']" in output


def test_a_command_that_is_stopped_stops_it_and_goes_on_with_it(locks: Path) -> None:
    with start(locks, "--", "sh", "-c", "echo $$; read x; echo on") as process:
        command = int(line(process))
        os.kill(command, signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        process.send_signal(signal.SIGCONT)
        say(process, "x")
        assert line(process) == "on"


def test_running_commands_are_listed_and_killed_ones_are_not(locks: Path) -> None:
    with start(locks, "--", "sh", "-c", "echo ready; read x") as process:
        assert line(process) == "ready"
        (shown,) = listed(locks).splitlines()
        assert shown.split()[0] == str(process.pid)
        assert shown.endswith("sh -c 'echo ready; read x'")
        process.kill()
        process.wait()
        assert listed(locks) == ""


def test_other_files_there_are_no_locks(locks: Path) -> None:
    (locks / "1").write_text("stale")
    os.mkfifo(locks / "2")
    (locks / "3").symlink_to("/dev/zero")
    (locks / "4").mkdir()
    (locks / "five").write_text("")
    assert listed(locks) == ""


def test_without_a_place_for_locks_it_warns_and_runs(tmp_path: Path) -> None:
    code, out, err = run(tmp_path / "gone", "--", "echo", "done")
    assert (code, out) == (0, "done\n")
    assert "is not stopped as idle while this runs" in err


def test_its_process_has_its_name_however_it_is_started(locks: Path) -> None:
    """By which a look sees it, if it found no room for a lock."""
    with start(locks / "gone", "--", "sh", "-c", "echo ready; read x") as process:
        assert line(process) == "ready"
        assert Path(f"/proc/{process.pid}/comm").read_text() == f"{busy.NAME}\n"
        say(process, "x")


def test_locks_of_processes_that_are_gone_make_room_for_new_ones(locks: Path) -> None:
    gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True, check=True)
    for name in (gone.stdout.strip(), f".{gone.stdout.strip()}"):
        (locks / name).write_text("of before")
    (locks / "stay.1000").touch()
    with start(locks, "--", "sh", "-c", "echo ready; read x") as process:
        assert line(process) == "ready"
        assert {each.name for each in locks.iterdir()} == {"stay.1000", str(process.pid)}
        say(process, "x")


def test_a_lock_without_room_for_its_text_is_one(locks: Path) -> None:
    """As on a full file system: here no file may have a byte."""
    with start(
        locks, "--", "sh", "-c", "echo ready; read x", preexec_fn=lambda: _limit(0)
    ) as process:
        assert line(process) == "ready"
        assert busy.held(str(locks)) == [(process.pid, os.getuid(), "")]
        say(process, "x")


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_the_locks_have_a_small_file_system_of_their_own() -> None:
    """So that nobody can fill /run; molecule/workstation tries to."""
    source = installed.files()["/etc/systemd/system/run-cloudtop-busy.mount"]
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(source)
    mount = unit["Mount"]
    assert (mount["What"], mount["Type"], mount["Where"]) == ("tmpfs", "tmpfs", busy.BUSY)
    # systemd refuses a unit whose name is not its place
    assert source.name == f"{busy.BUSY.strip('/').replace('/', '-')}.mount"
    options = mount["Options"].split(",")
    assert {"mode=1777", "nosuid", "nodev", "noexec"} <= set(options)
    sizes = dict(option.split("=") for option in options if "=" in option)
    assert sizes["size"] == "4m"
    assert sizes["nr_inodes"] == "1k"
