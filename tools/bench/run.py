"""Measures the times that a user waits, in one run; prints figures and asserts nothing.

``make bench`` works on a clone of HEAD with a rehearsal cloud of its own: cold (no image
in the cache), again (nothing to do), destroyed and made anew with the image cached; then
baked, reaped and relaunched a few times, beside a few boots of a bare machine.
Machines differ and are shared: compare the figures of one run, not of two.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from localcloud.config import from_environment
from localcloud.credentials import credentials
from localcloud.daemon.process import open_url
from localcloud.own_calls import own_call
from tools.bench import array, guard
from tools.fresh_clone import Clone, clone

# One boot differs from the next by a second or two, so the median of some counts
BOOTS = 5
NOTICE = "30"


@dataclass(frozen=True)
class Figures:
    """One timed command: wall-clock seconds, and EC2 API calls counted at the API."""

    what: str
    seconds: float
    mutating: int
    reading: int

    def __str__(self) -> str:
        return f"{self.what:<44} {self.seconds:8.1f} s {self.mutating:6} {self.reading:6}"


def calls(own: Clone) -> dict[str, int]:
    """The API's own counters since the rehearsal cloud started, by kind."""
    config = from_environment(own.environ)
    request = own_call(config.endpoint, "calls", credentials(config))
    try:
        with open_url(request) as answer:
            counts = json.load(answer)
            return {kind: counts[kind] for kind in ("mutating", "reading")}
    except OSError:
        return {"mutating": 0, "reading": 0}


def timed(what: str, argv: list[str], own: Clone) -> Figures:
    """Run a command to its end and count the API calls it made."""
    before, began = calls(own), time.monotonic()
    own.run(argv)
    seconds, after = time.monotonic() - began, calls(own)
    return Figures(
        what,
        seconds,
        after["mutating"] - before["mutating"],
        after["reading"] - before["reading"],
    )


def boot_to_ssh(endpoint_environment: dict[str, str]) -> float:
    """Seconds from RunInstances of the bare image to sshd's first line."""
    import boto3

    os.environ.update(endpoint_environment)
    ec2 = boto3.client("ec2")
    (image,) = ec2.describe_images()["Images"][:1]
    began = time.monotonic()
    instance = ec2.run_instances(
        ImageId=image["ImageId"], InstanceType="i3.4xlarge", MinCount=1, MaxCount=1
    )["Instances"][0]["InstanceId"]
    try:
        while True:
            (machine,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0][
                "Instances"
            ]
            if machine["State"]["Name"] == "running" and ssh_answers(machine["PublicIpAddress"]):
                return time.monotonic() - began
            if time.monotonic() - began > 600:
                raise SystemExit(f"{instance} did not answer on its ssh port within 600 s")
            time.sleep(0.5)
    finally:
        ec2.terminate_instances(InstanceIds=[instance])


def ssh_answers(address: str) -> bool:
    """Whether sshd says its first line at a machine's address."""
    try:
        with socket.create_connection((address, 2222), timeout=5) as connection:
            connection.settimeout(5)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def resident_mib(home: Path) -> list[int]:
    """Resident memory of each machine's process in MiB, from /proc."""
    sizes = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            status = (entry / "status").read_text()
        except OSError:
            continue
        if b"qemu-system" in command and str(home).encode() in command:
            line = next(row for row in status.splitlines() if row.startswith("VmRSS:"))
            sizes.append(int(line.split()[1]) // 1024)
    return sorted(sizes)


def idle_mib(home: Path) -> list[int]:
    """Resident memory of each machine once nobody works on it: the least seen until it has not
    fallen for five minutes, as a machine gives back what it does not use."""
    least, since = resident_mib(home), time.monotonic()
    while time.monotonic() - since < 300:
        time.sleep(15)
        if sum(now := resident_mib(home)) < sum(least):
            least, since = now, time.monotonic()
    return least


@dataclass(frozen=True)
class Relaunch:
    """Seconds from the launch of the next machine until it was usable, and until docker was."""

    usable: float
    docker: float


def relaunch(report: dict[str, Any]) -> Relaunch:
    """From the timeline of one reap, as ``rehearse --json`` prints it."""
    seconds = report["seconds"]
    began = seconds["relaunched"]
    usable = max(seconds[mark] for mark in ("ssh", "array", "volume"))
    return Relaunch(usable - began, max(usable, seconds["docker"]) - began)


def spread(seconds: list[float]) -> str:
    """The median, and the least and the most."""
    return f"{median(seconds):8.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"


def boot_rows(boots: list[float], relaunches: list[Relaunch]) -> list[str]:
    """The times of relaunches, their median beside the boot of a bare machine."""
    rows = [f"{'boot of the bare image to ssh':<44} {spread(boots)}"]
    for what, seconds in (
        ("ssh, array and volume", [each.usable for each in relaunches]),
        ("docker", [each.docker for each in relaunches]),
    ):
        ratio = median(seconds) / median(boots)
        label = f"relaunch, unattended, to {what}"
        rows.append(f"{label:<44} {spread(seconds)} {ratio:8.2f} x the bare boot")
    return rows


def exports(text: str) -> dict[str, str]:
    """The variables that ``python -m localcloud env`` prints as shell."""
    words = (shlex.split(line, comments=True) for line in text.splitlines())
    pairs = (each for line in words if line[:1] == ["export"] for each in line[1:])
    return dict(pair.split("=", 1) for pair in pairs)


def main() -> int:
    """Print the table; 0 when every command succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=BOOTS, help=f"how many reaps ({BOOTS})")
    options = parser.parse_args()
    if options.times < 1:
        parser.error(f"--times is {options.times}; a relaunch is measured once or more")
    with clone() as own:
        figures = [
            timed("make provision, nothing cached", ["make", "provision"], own),
            timed("again, nothing to do", ["make", "provision"], own),
        ]
        memory = idle_mib(own.home)
        figures += [
            timed("destroy", own.runner("destroy", "--yes"), own),
            timed("make provision, image cached", ["make", "provision"], own),
            timed("bake", own.runner("bake"), own),
            timed("change over to the image", own.runner("provision", "--yes"), own),
        ]
        often = ("--times", str(options.times), "--notice", NOTICE, "--json")
        reports = json.loads(own.read(own.runner("rehearse", *often)))
        array_rows = array.rows(own)
        # Ends with no machine left, so that each bare one boots alone, as the relaunched do
        guard_rows = guard.rows(own)
        endpoint = exports(own.read(own.localcloud("env")))
        boots = [boot_to_ssh(endpoint) for _ in range(BOOTS)]
        print(f"\n{'':<44} {'seconds':>10} {'mutat.':>6} {'read':>6}")
        print("\n".join(str(each) for each in figures))
        print("\n".join(boot_rows(boots, [relaunch(report) for report in reports])))
        print("\n".join([*array_rows, *guard_rows]))
        print(f"{'resident memory of an idle machine':<44} {memory[0] if memory else 0:8} MiB")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
