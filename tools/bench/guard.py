"""The cost of spot_guard while nothing happens, and the time it takes to save a dirty tree."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.fresh_clone import Clone

MIB = 200
# A work tree whose files can't be compressed, all of them new
TREE = f"""
set -eu
mkdir -p /mnt/ephemeral/bench/tree
cd /mnt/ephemeral/bench/tree
git init --quiet
for number in $(seq 1 {MIB // 10}); do
    dd if=/dev/urandom of=file$number bs=1M count=10 status=none
done
"""
# Memory in bytes, and nanoseconds of CPU time before and after a minute
IDLE = """
set -eu
property() { systemctl show cloudtop-spot-guard --value --property "$1"; }
property MemoryCurrent
property CPUUsageNSec
sleep 60
property CPUUsageNSec
"""
# The tree of an earlier rehearsal may lie on the array, too
SAVED = re.compile(r"Saved: [0-9]+ git work trees, 0 other places, ([0-9]+) bytes in ([0-9]+) s\.")


@dataclass(frozen=True)
class Idle:
    """Memory in MiB, and of one CPU the part of a minute in per cent."""

    mib: float
    percent: float


def idle(text: str) -> Idle:
    """From what the script prints."""
    memory, before, after = (int(word) for word in text.split())
    return Idle(memory / 2**20, (after - before) / 60e9 * 100)


def saved(output: str) -> tuple[float, int]:
    """MiB and seconds, from what ``destroy`` says. Raises SystemExit if it was not saved."""
    match = SAVED.search(output)
    if match is None:
        raise SystemExit(f"The tree of {MIB} MiB was not saved:\n{output}")
    return int(match[1]) / 2**20, int(match[2])


def rows(own: Clone) -> list[str]:
    """The rows of the bench's table. Destroys the cloudtop, which saves work as a notice does."""
    quiet = idle(own.read(own.runner("ssh", "--", IDLE)))
    own.run(own.runner("ssh", "--", TREE))
    mib, seconds = saved(own.read(own.runner("destroy", "--yes")))
    return [
        f"{'guard, memory while idle':<44} {quiet.mib:8.1f} MiB",
        f"{'guard, CPU while idle':<44} {quiet.percent:8.2f} % of one",
        f"{f'guard, a dirty tree of {mib:.0f} MiB saved in':<44} {seconds:8} s",
    ]
