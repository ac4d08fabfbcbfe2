"""The activity on a machine: one look at it, and the differences between two.

Nothing here relies on the clock, which may jump: what a person does is seen by times that are
other than at the look before, and rates are by the seconds of uptime.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cloudtop_machine import tell
from cloudtop_machine.idle import busy

# Ticks of /proc/stat in a second, and the bytes of a packet's headers (Ethernet, IP, TCP)
TICKS = os.sysconf("SC_CLK_TCK")
HEADERS = 66
# The CPUs' times in /proc/stat, without idle, and steal, which is other people's (proc(5)).
# A wait for a disk is the work of somebody who waits for it.
BUSY_TIMES = (0, 1, 2, 4, 5, 6)
# A session of tmux: the time of the last input to it, and its number
SESSION = re.compile(r"(\d{1,20}) (\$\d{1,10})")
# In which the machine itself or its cloud answers: metadata (RFC 3927)
LINK_LOCAL = "169.254."


@dataclass
class Look:
    """All that is seen at once.

    ``marks`` are times of input, which differ after some; ``locks`` and ``present`` are sentences
    of what is activity as long as it is there. ``cpu`` is in seconds, ``interface`` in bytes, as
    ``ssh`` (sessions without a terminal) and ``apart`` (connections with a rule of their own)
    are by connection. A mark that begins as one of ``silent`` could not be looked at.
    """

    uptime: float
    marks: dict[str, str] = field(default_factory=dict)
    locks: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    cpu: float = 0.0
    interface: int = 0
    ssh: dict[str, int] = field(default_factory=dict)
    apart: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)


def take(settings: dict[str, str]) -> Look:
    """Look at everything. Whatever can't be looked at counts as activity, but for tmux servers."""
    now = Look(uptime(settings["proc"]))
    _terminals(now, settings["dev"])
    _tmux(now, settings["tmp"])
    _stays(now, settings["busy"])
    _locks(now, settings["busy"])
    _containers(now, settings["proc"])
    now.cpu = _cpu(settings["proc"])
    now.interface = _interface(settings["proc"])
    _connections(now, settings["proc"])
    return now


def keep_silent(before: Look, now: Look) -> None:
    """A tmux server that does not answer is stopped, or is none, and has had no input meanwhile.

    Its marks stay, so that its next answer counts as input only if there was some.
    """
    for name, when in before.marks.items():
        if name.startswith(tuple(now.silent)):
            now.marks.setdefault(name, when)


def between(before: Look, now: Look, settings: dict[str, str]) -> list[str]:
    """Everybody's activity between two looks, a sentence each; empty for nothing."""
    seconds = max(now.uptime - before.uptime, 1.0)
    signs = touched(before, now) + now.present
    cpus = (now.cpu - before.cpu) / seconds
    if cpus > float(settings["cpus"]):
        signs.append(f"{cpus:.2f} CPUs were in use")
    for name, total in now.ssh.items():
        rate = _more(before.ssh, name, total) * 60 / seconds
        if rate > float(settings["ssh_kib"]) * 1024:
            signs.append(f"{rate / 1024:.0f} KiB a minute of ssh from {name.partition(' ')[0]}")
    own = sum(_more(before.apart, name, total) for name, total in now.apart.items())
    rate = (now.interface - before.interface - own) * 60 / seconds
    if rate > float(settings["network_kib"]) * 1024:
        signs.append(f"{rate / 1024:.0f} KiB a minute of network traffic")
    return signs


def touched(before: Look, now: Look) -> list[str]:
    """Input and locks, a sentence each: a moment is enough to see these."""
    marks = [name for name, when in now.marks.items() if before.marks.get(name) != when]
    signs = [f"there was input at {name}" for name in marks] + now.locks
    return [tell.plain(sentence) for sentence in signs]


def uptime(proc: str) -> float:
    return float(Path(proc, "uptime").read_text().split()[0])


def _more(before: dict[str, int], name: str, total: int) -> int:
    """How much a counter has grown; one that is new, or began again, began at 0."""
    was = before.get(name, 0)
    return total - was if total >= was else total


def _terminals(now: Look, dev: str) -> None:
    """Reading from a terminal sets its time of access, as w(1) has it; writing to it does not."""
    for place in Path(dev, "pts").glob("[0-9]*"):
        try:
            now.marks[f"pts/{place.name}"] = str(place.stat().st_atime_ns)
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


def _locks(now: Look, directory: str) -> None:
    for process, _, command in busy.held(directory):
        now.locks.append(f"cloudtop-busy holds a lock ({process}: {command})")


def _containers(now: Look, proc: str) -> None:
    """A container that runs has a shim, though docker itself may not answer."""
    shims = 0
    for place in Path(proc).glob("[0-9]*/comm"):
        try:
            shims += place.read_bytes().startswith(b"containerd-shim")
        except OSError:
            continue
    if shims:
        now.present.append(f"{shims} container{'s run' if shims > 1 else ' runs'}")


def _cpu(proc: str) -> float:
    times = Path(proc, "stat").read_text().partition("\n")[0].split()[1:]
    return sum(int(times[which]) for which in BUSY_TIMES) / TICKS


def _interface(proc: str) -> int:
    """Bytes received and sent by the interfaces that lead outside (a default route)."""
    routes = [line.split() for line in Path(proc, "net/route").read_text().splitlines()[1:]]
    outside = {route[0] for route in routes if len(route) > 1 and route[1] == "00000000"}
    total = 0
    for line in Path(proc, "net/dev").read_text().splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() in outside:
            numbers = rest.split()
            total += int(numbers[0]) + int(numbers[8])
    return total


def _connections(now: Look, proc: str) -> None:
    """A session without a terminal (a command, scp, VS Code) is at work while it has traffic; one
    with a terminal is by its input."""
    answer = _answer(["ss", "-HOtinp", "state", "established"])
    if answer is None:
        now.present.append("the connections could not be looked at")
        return
    for line in answer.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        local, peer = words[2], words[3]
        name = f"{peer} {local}"
        counted = {key: int(value) for key, value in re.findall(r"(\w+):(\d+)\b", line)}
        payload = counted.get("bytes_sent", counted.get("bytes_acked", 0))
        payload += counted.get("bytes_received", 0)
        packets = counted.get("segs_out", 0) + counted.get("segs_in", 0)
        titles = [_title(proc, pid) for pid in re.findall(r'\("sshd[\w-]*",pid=(\d+)', line)]
        if titles or peer.lstrip("[").removeprefix("::ffff:").startswith(LINK_LOCAL):
            now.apart[name] = payload + packets * HEADERS
        # "sshd: ubuntu@notty"; before the login there is no @
        if any("@" in title for title in titles) and not any("@pts/" in title for title in titles):
            now.ssh[name] = payload


def _title(proc: str, pid: str) -> str:
    try:
        return Path(proc, pid, "cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _answer(words: list[str]) -> str | None:
    """The output of a program; None if it can't be run, fails or hangs."""
    program = tell.Program(words, environment=dict(os.environ)).run(10)
    return program.text if program.code == 0 else None
