"""The address of a running machine's ssh, moved without the guest noticing."""

from __future__ import annotations

import re

from localcloud.errors import LocalCloudError
from localcloud.machines.monitor import Monitor
from localcloud.machines.qemu import NETDEV

# A line of "info usernet" for a port that leads into the guest, not for what came through it
LISTENING = re.compile(r"^\s*TCP\[HOST_FORWARD\]\s+\d+\s+([\d.]+)\s+(\d+)\s", re.MULTILINE)

Place = tuple[str, int]


def move(monitor: Monitor, wanted: Place) -> None:
    """Lead this address and port, and no other, to the guest's ssh.

    Raises LocalCloudError when another program has it; the machine stays where it was.
    """
    before = listening(monitor)
    # The new way is opened before the old one is closed
    if wanted not in before:
        _say(monitor, f"hostfwd_add {NETDEV} tcp:{wanted[0]}:{wanted[1]}-:22", "")
    for address, port in before:
        if (address, port) != wanted:
            # Open connections stay open
            _say(monitor, f"hostfwd_remove {NETDEV} tcp:{address}:{port}", "removed")


def listening(monitor: Monitor) -> list[Place]:
    """Addresses and ports of this computer that lead into the guest."""
    table = str(monitor.execute("human-monitor-command", **{"command-line": "info usernet"}))
    return [(address, int(port)) for address, port in LISTENING.findall(table)]


def _say(monitor: Monitor, line: str, good: str) -> None:
    """The user network's commands have no QMP form, and report a failure in words only."""
    reply = str(monitor.execute("human-monitor-command", **{"command-line": line})).strip()
    if reply.rpartition(" ")[2] != good:
        raise LocalCloudError(f"QEMU refused '{line}': {reply.rstrip('.')}.")
