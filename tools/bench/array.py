"""How much faster two striped disks are than one, if each is held to the same speed.

Disks of emulated machines are files in the host's memory and have no speed of their own, so
the machine's kernel throttles each (cgroup v2, io.max) and what is compared is the striping.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from tools.fresh_clone import Clone

# Megabytes a second, which systemd counts as millions of bytes
RATE = 100
# One direct write and one direct read of a file: on the persistent volume, which is one
# disk, and on the array, each disk throttled alike. Prints seconds by dd's own clock: to start
# a throttled program takes an emulated machine as long as 20 MiB, and never twice the same.
SCRIPT = r"""
set -eu
mib=1200 limits=
for disk in /dev/nvme*n1; do
    limits="$limits -p IOReadBandwidthMax=$disk\ RATEM -p IOWriteBandwidthMax=$disk\ RATEM"
done
# dd's last line: "1258291200 bytes (1.3 GB, 1.2 GiB) copied, 12.6 s, 100 MB/s"
timed() {
    eval "sudo systemd-run --quiet --wait --collect --pipe -E LC_ALL=C $limits $*" 2>&1 |
        sed -n 's/.* copied, \([0-9.]*\) s, .*/\1/p'
}
for place in /home/ubuntu/persistent /mnt/ephemeral; do
    file=$place/.throughput
    write=$(timed dd if=/dev/zero of=$file bs=4M count=$((mib / 4)) oflag=direct conv=fsync)
    read=$(timed dd if=$file of=/dev/null bs=4M iflag=direct)
    sudo rm -f $file
    printf '{"place": "%s", "mib": %d, "write": %s, "read": %s}\n' $place $mib $write $read
done
""".replace("RATE", str(RATE))


@dataclass(frozen=True)
class Throughput:
    """MiB a second of one place."""

    write: float
    read: float


def throughput(line: str) -> Throughput:
    """From one line of what the script prints."""
    figures = json.loads(line)
    return Throughput(figures["mib"] / figures["write"], figures["mib"] / figures["read"])


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
