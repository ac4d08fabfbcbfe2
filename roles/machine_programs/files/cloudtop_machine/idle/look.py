"""One look at a machine: all that may be activity, or becomes it by comparison with another."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cloudtop_machine import proc, tell
from cloudtop_machine.idle import busy, ssh
from cloudtop_machine.idle.ssh import Connection

# Ticks of /proc/stat in a second
TICKS = os.sysconf("SC_CLK_TCK")
# The CPUs' times in /proc/stat, without idle, and steal, which is other people's (proc(5)).
# A wait for a disk is the work of somebody who waits for it.
BUSY_TIMES = (0, 1, 2, 4, 5, 6)
# A session of tmux: the time of the last input to it, and its number
SESSION = re.compile(r"(\d{1,20}) (\$\d{1,10})")
# Seconds for ss(8), which asks the kernel alone
ANSWER = 10


@dataclass
class Look:
    """All that is seen at once.

    ``marks`` are times of input and ``written`` those of output by terminal, which differ after
    some; ``locks`` and ``present`` are sentences of what is activity as long as it is there.
    ``cpu`` is in seconds, ``interface`` in bytes; the rest are ssh.Traffic's. A mark that begins
    as one of ``silent`` could not be looked at.
    """

    uptime: float
    marks: dict[str, str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    locks: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    cpu: float = 0.0
    interface: int = 0
    ssh: dict[str, Connection] = field(default_factory=dict)
    forwarded: dict[str, int] = field(default_factory=dict)
    apart: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)


def take(settings: dict[str, str]) -> Look:
    """Look at everything. Whatever can't be looked at counts as activity, but for tmux servers."""
    now = Look(proc.uptime(settings["proc"]))
    names = _names(settings["proc"])
    _terminals(now, settings["dev"])
    _tmux(now, settings["tmp"])
    _stays(now, settings["busy"])
    _commands(now, settings["busy"], names)
    _containers(now, names)
    now.cpu = _cpu(settings["proc"])
    now.interface = _interface(settings["proc"])
    _connections(now, settings["proc"])
    return now


def _terminals(now: Look, dev: str) -> None:
    """Reading from a terminal sets its time of access, as w(1) has it; writing sets the other."""
    for place in Path(dev, "pts").glob("[0-9]*"):
        try:
            status = place.stat()
            now.marks[f"pts/{place.name}"] = str(status.st_atime_ns)
            now.written[f"pts/{place.name}"] = str(status.st_mtime_ns)
        except OSError:
            continue


def _tmux(now: Look, tmp: str) -> None:
    words = ("list-sessions", "-F", "#{session_activity} #{session_id}")
    for server, answer in tell.ask_servers(tmp, *words).items():
        name = f"tmux {server.name} "
        if answer is None:
            now.silent.append(name)
        for line in (answer or "").splitlines():
            session = SESSION.fullmatch(line)
            if session:
                now.marks[name + session[2]] = session[1]


def _stays(now: Look, directory: str) -> None:
    for place in Path(directory).glob("stay.*"):
        try:
            now.marks[f"cloudtop-idle --{place.name}"] = str(place.lstat().st_mtime_ns)
        except OSError:
            continue


def _names(folder: str) -> dict[int, str]:
    """The processes that run, by id (comm in proc(5))."""
    names = {}
    for place in Path(folder).glob("[0-9]*/comm"):
        try:
            names[int(place.parent.name)] = place.read_text(errors="replace").rstrip("\n")
        except (OSError, ValueError):
            continue
    return names


def _commands(now: Look, directory: str, names: dict[int, str]) -> None:
    """Commands of cloudtop-busy, by their locks. One that found no room for a lock runs, too."""
    locks = busy.held(directory)
    for process, _, command in locks:
        now.locks.append(f"cloudtop-busy holds a lock ({process}: {command})")
    for process in {each for each, name in names.items() if name == busy.NAME}:
        if process not in {each for each, _, _ in locks}:
            now.locks.append(f"cloudtop-busy runs without a lock ({process})")


def _containers(now: Look, names: dict[int, str]) -> None:
    """A container that runs has a shim, though docker itself may not answer."""
    shims = sum(name.startswith("containerd-shim") for name in names.values())
    if shims:
        now.present.append(f"{shims} container{'s run' if shims > 1 else ' runs'}")


def _cpu(folder: str) -> float:
    times = Path(folder, "stat").read_text().partition("\n")[0].split()[1:]
    return sum(int(times[which]) for which in BUSY_TIMES) / TICKS


def _interface(folder: str) -> int:
    """Bytes received and sent by the interfaces that lead outside (a default route)."""
    routes = [line.split() for line in Path(folder, "net/route").read_text().splitlines()[1:]]
    outside = {route[0] for route in routes if len(route) > 1 and route[1] == "00000000"}
    total = 0
    for line in Path(folder, "net/dev").read_text().splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() in outside:
            numbers = rest.split()
            total += int(numbers[0]) + int(numbers[8])
    return total


def _connections(now: Look, folder: str) -> None:
    traffic = None
    established = _ss("established")
    if established is not None:
        traffic = ssh.traffic(
            established, lambda pid: _title(folder, pid), lambda: _ss("listening")
        )
    if traffic is None:
        now.present.append("the connections could not be looked at")
    else:
        now.ssh, now.forwarded, now.apart = traffic.ssh, traffic.forwarded, traffic.apart


def _title(folder: str, pid: str) -> str:
    """The name that a process gives itself. sshd writes it over its arguments; NULs may follow."""
    try:
        return Path(folder, pid, "cmdline").read_text(errors="replace").rstrip("\0")
    except OSError:
        return ""


def _ss(state: str) -> str | None:
    """The TCP connections in a state; None if they can't be seen.

    It asks the kernel alone, and there may be more of them than fit into an answer of a
    program that is not trusted.
    """
    words = ["ss", "-HOtinp", "state", state]
    try:
        done = subprocess.run(words, capture_output=True, timeout=ANSWER, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
