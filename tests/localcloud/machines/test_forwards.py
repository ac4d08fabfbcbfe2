"""The commands that move a machine's address; the fake QEMU answers as net/slirp.c does."""

from __future__ import annotations

from typing import Any, cast

import pytest

from localcloud.errors import LocalCloudError
from localcloud.machines import forwards
from localcloud.machines.monitor import Monitor

OLD, NEW = ("127.77.1.2", 2222), ("127.77.3.4", 2222)
HEAD = """Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
"""
CONNECTED = "  TCP[ESTABLISHED]    21      127.77.1.2  2222   169.254.10.10    22     0     0\r\n"
LISTENING = "  TCP[HOST_FORWARD]   14 {:>15} {:>5}   169.254.10.10    22     0     0\r\n"


class Qemu:
    """The user network's part of the human monitor. ``taken`` is had by another program."""

    def __init__(self, *places: forwards.Place) -> None:
        self.places = list(places)
        self.taken: forwards.Place | None = None
        self.lines: list[str] = []

    def execute(self, command: str, **arguments: Any) -> str:
        assert command == "human-monitor-command"
        line = arguments["command-line"]
        self.lines.append(line)
        verb, _, rest = line.partition(" net0 tcp:")
        if verb == "info usernet":
            return HEAD + "".join(LISTENING.format(*place) for place in self.places) + CONNECTED
        address, port = rest.removesuffix("-:22").split(":")
        place = (address, int(port))
        if verb == "hostfwd_add":
            if place == self.taken:
                return f"could not set up host forwarding rule 'tcp:{rest}'\r\n"
            self.places.append(place)
            return ""
        assert verb == "hostfwd_remove"
        if place not in self.places:
            return f"host forwarding rule for tcp:{rest} not found\r\n"
        self.places.remove(place)
        return f"host forwarding rule for tcp:{rest} removed\r\n"


def move(qemu: Qemu, place: forwards.Place) -> None:
    forwards.move(cast(Monitor, qemu), place)


def test_the_new_way_is_opened_before_the_old_one_is_closed() -> None:
    qemu = Qemu(OLD)
    move(qemu, NEW)
    assert qemu.places == [NEW]
    assert qemu.lines == [
        "info usernet",
        "hostfwd_add net0 tcp:127.77.3.4:2222-:22",
        "hostfwd_remove net0 tcp:127.77.1.2:2222",
    ]


def test_nothing_is_done_where_it_is_so_already() -> None:
    qemu = Qemu(NEW)
    move(qemu, NEW)
    assert qemu.lines == ["info usernet"]


def test_a_move_that_a_killed_server_left_half_done_is_finished() -> None:
    qemu = Qemu(OLD, NEW)
    move(qemu, NEW)
    assert qemu.places == [NEW]


def test_a_machine_stays_where_it_was_when_the_address_is_not_free() -> None:
    qemu = Qemu(OLD)
    qemu.taken = NEW
    with pytest.raises(LocalCloudError, match=r"could not set up .*127\.77\.3\.4"):
        move(qemu, NEW)
    assert qemu.places == [OLD]
