"""The kernel's facts about the machine in /proc (proc(5))."""

from __future__ import annotations


def uptime(proc: str) -> float:
    """Seconds since the machine started."""
    with open(f"{proc}/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])


def mount_options(proc: str, place: str) -> str:
    """The options of the last mount at a place; empty if nothing is mounted there."""
    options = ""
    with open(f"{proc}/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(" ")
            if fields[4] == place:
                options = fields[5].strip()
    return options
