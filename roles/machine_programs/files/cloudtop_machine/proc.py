"""The kernel's facts about the machine in /proc (proc(5))."""

from __future__ import annotations


def uptime(proc: str) -> float:
    """Seconds since the machine started."""
    with open(f"{proc}/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])


def mount_options(proc: str, place: str) -> str:
    """The options of the last mount at a place; empty if nothing is mounted there.

    They begin with "ro" also if only the file system is read-only, as after an error.
    """
    options = ""
    # Names of mount points are bytes, of which the kernel escapes blanks and newlines alone
    with open(f"{proc}/self/mountinfo", "rb") as file:
        text = file.read().decode(errors="surrogateescape")
    for line in text.split("\n"):
        fields = line.split(" ")
        if len(fields) > 5 and fields[4] == place:
            options = fields[5]
            if "ro" in fields[-1].split(","):
                options = ",".join(["ro", *options.split(",")[1:]])
    return options


def mount_place(proc: str, number: str) -> str:
    """The first mount of the block device with that number ("259:1"); empty if there is none."""
    with open(f"{proc}/self/mountinfo", "rb") as file:
        text = file.read().decode(errors="surrogateescape")
    for line in text.split("\n"):
        fields = line.split(" ")
        if len(fields) > 5 and fields[2] == number:
            return fields[4]
    return ""
