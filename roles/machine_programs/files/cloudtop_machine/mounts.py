"""What is mounted, as the kernel lists it in /proc/self/mountinfo (proc(5))."""

from __future__ import annotations


def options_at(proc: str, place: str) -> str:
    """The options of the last mount at a place; empty if nothing is mounted there."""
    options = ""
    with open(f"{proc}/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split(" ")
            if fields[4] == place:
                options = fields[5].strip()
    return options
