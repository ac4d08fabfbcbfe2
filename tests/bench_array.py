"""How much faster two striped disks are than one, where each is held to the same speed.

Disks of emulated machines are files in the host's memory and have no speed of their own, so
the machine's kernel throttles each (cgroup v2, io.max) and what is compared is the striping.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.clone import Clone

# What systemd takes for M: a million bytes a second
RATE = 100
# One direct write and one direct read of a file: on the persistent volume, which is one
# disk, and on the array, each disk throttled alike. Prints seconds.
SCRIPT = r"""
set -eu
mib=800 limits=
for disk in /dev/nvme*n1; do
    limits="$limits -p IOReadBandwidthMax=$disk\ RATEM -p IOWriteBandwidthMax=$disk\ RATEM"
done
timed() {
    before=$(date +%s.%N)
    eval "sudo systemd-run --quiet --wait --collect $limits $*" >/dev/null 2>&1
    date +%s.%N | awk -v b="$before" '{ printf "%.3f", $1 - b }'
}
sudo true
for place in /home/ubuntu/persistent /mnt/ephemeral; do
    file=$place/.throughput
    nothing=$(timed true)
    write=$(timed dd if=/dev/zero of=$file bs=4M count=$((mib / 4)) oflag=direct conv=fsync)
    read=$(timed dd if=$file of=/dev/null bs=4M iflag=direct)
    sudo rm -f $file
    printf '{"place": "%s", "mib": %d, "nothing": %s, "write": %s, "read": %s}\n' \
        $place $mib $nothing $write $read
done
""".replace("RATE", str(RATE))


@dataclass(frozen=True)
class Throughput:
    """MiB a second of one place."""

    write: float
    read: float


def throughput(line: str) -> Throughput:
    """From one line of what the script prints: its seconds, less those of doing nothing."""
    told = json.loads(line)
    write, read = (told["mib"] / (told[way] - told["nothing"]) for way in ("write", "read"))
    return Throughput(write, read)


def rows(own: Clone) -> list[str]:
    """The two rows of the bench's table."""
    lines = own.read(own.runner("ssh", "--", SCRIPT)).splitlines()
    one, array = (throughput(line) for line in lines if line.startswith("{"))
    return [
        f"{f'array of two disks, {what}, each at {RATE} MB/s':<44} {two:8.0f} MiB/s"
        f" {two / single:6.2f} x one disk"
        for what, two, single in (
            ("written", array.write, one.write),
            ("read", array.read, one.read),
        )
    ]
