"""The ssh connections of a machine, as ss(8) shows them, and their traffic.

A connection carries channels (RFC 4254): terminals, commands, forwarded ports and sockets. Which
of them has how much traffic is nowhere counted. But sshd is a process for each connection, whose
title names its terminals, and which holds the forwarded connections itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

# The bytes of a packet's headers (Ethernet, IP, TCP)
HEADERS = 66
# In which the machine itself or its cloud answers: metadata (RFC 3927)
LINK_LOCAL = "169.254."
# The title of a process of sshd: "sshd: ubuntu@pts/0,pts/1", "sshd-session: ubuntu@notty" for a
# command, "sshd: ubuntu" without either. Before the login, and for the part that stays root, it
# ends with the part's name in brackets.
TITLE = re.compile(r"sshd(?:-[a-z]+)?: ([^\[\]]+)")
TERMINAL = re.compile(r"pts/[0-9]+")
HOLDER = re.compile(r'\("sshd[\w-]*",pid=([0-9]+)')
COUNTER = re.compile(r"\b(\w+):([0-9]+)\b")


@dataclass
class Connection:
    """One of somebody who is logged in: bytes of payload since it began, and its terminals."""

    sent: int
    received: int
    terminals: list[str]


@dataclass
class Traffic:
    """All by connection, as "PEER LOCAL". ``forwarded`` are bytes of payload that sshd carries
    between a connection of somebody's and another one; ``apart`` are bytes on the interface that
    have a rule of their own."""

    ssh: dict[str, Connection] = field(default_factory=dict)
    forwarded: dict[str, int] = field(default_factory=dict)
    apart: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Line:
    """A line of ``ss -HOtinp``: the addresses, the processes of sshd, and the counters."""

    local: str
    peer: str
    holders: tuple[str, ...]
    sent: int
    received: int
    packets: int

    @property
    def name(self) -> str:
        return f"{self.peer} {self.local}"

    @property
    def port(self) -> str:
        return self.local.rpartition(":")[2]

    @property
    def is_inside(self) -> bool:
        """Whether it goes from the machine to itself, and so over no interface."""
        local, peer = _address(self.local), _address(self.peer)
        return local == peer or local == "::1" or local.startswith("127.")


def lines(text: str) -> list[_Line]:
    """The connections in what ``ss -HOtinp state STATE`` prints."""
    rows = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 4:
            continue
        counted = {name: int(value) for name, value in COUNTER.findall(" ".join(words[4:]))}
        rows.append(
            _Line(
                words[2],
                words[3],
                tuple(sorted(set(HOLDER.findall(line)))),
                counted.get("bytes_sent", counted.get("bytes_acked", 0)),
                counted.get("bytes_received", 0),
                counted.get("segs_out", 0) + counted.get("segs_in", 0),
            )
        )
    return rows


def traffic(
    established: str, title: Callable[[str], str], listening: Callable[[], str | None]
) -> Traffic | None:
    """The traffic so far. ``title`` gives a process's title by its id, ``listening`` what ss says
    of the ports that are listened on; None if that is needed, and it fails."""
    rows, ports = Traffic(), None
    for line in lines(established):
        terminals = [each for each in map(_terminals, map(title, line.holders)) if each is not None]
        if terminals and len(line.holders) == 1:
            # Two processes hold the connection itself; root's has one, which holds all
            if ports is None and (ports := _ports_of_servers(listening(), title)) is None:
                return None
            if line.port not in ports:
                rows.forwarded[line.name] = line.sent + line.received
                continue
        is_apart = line.holders or _address(line.peer).startswith(LINK_LOCAL)
        if is_apart and not line.is_inside:
            rows.apart[line.name] = line.sent + line.received + line.packets * HEADERS
        if terminals:
            rows.ssh[line.name] = Connection(line.sent, line.received, terminals[0])
    return rows


def _ports_of_servers(text: str | None, title: Callable[[str], str]) -> set[str] | None:
    """The ports that are listened on, but for those that somebody forwards (ssh -R)."""
    if text is None:
        return None
    return {
        line.port
        for line in lines(text)
        if not any(_terminals(title(each)) is not None for each in line.holders)
    }


def _terminals(title: str) -> list[str] | None:
    """The terminals of a process of somebody who is logged in; None if it is no such process."""
    user = TITLE.fullmatch(title)
    if not user:
        return None
    names = user[1].rpartition("@")[2].split(",")
    return names if all(map(TERMINAL.fullmatch, names)) else []


def _address(text: str) -> str:
    """The address alone, without its port, and as IPv4 if it is one."""
    address = text.rpartition(":")[0].strip("[]").partition("%")[0]
    return address.removeprefix("::ffff:")
