"""Measures what a user waits for, in one run; prints figures and asserts nothing.

``make bench`` works on a clone of HEAD with a rehearsal cloud of its own: cold (no image
in the cache), again (nothing to do), destroyed and made anew with the image cached.
Machines differ and are shared: compare the figures of one run, not of two.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT = 4590


@dataclass(frozen=True)
class Figures:
    """One timed command: wall-clock seconds, and EC2 API calls counted at the API."""

    what: str
    seconds: float
    mutating: int
    reading: int

    def __str__(self) -> str:
        return f"{self.what:<44} {self.seconds:8.1f} s {self.mutating:6} {self.reading:6}"


def calls() -> dict[str, int]:
    """The API's own counters since the rehearsal cloud started, by kind."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/localcloud/calls") as answer:
            counted = json.load(answer)
            return {kind: counted[kind] for kind in ("mutating", "reading")}
    except OSError:
        return {"mutating": 0, "reading": 0}


def timed(what: str, argv: list[str], cwd: Path, environ: dict[str, str]) -> Figures:
    """Run a command to its end and count the API calls it made."""
    before, began = calls(), time.monotonic()
    subprocess.run(argv, cwd=cwd, env=environ, check=True)
    seconds, after = time.monotonic() - began, calls()
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
    made = ec2.run_instances(
        ImageId=image["ImageId"], InstanceType="i3.4xlarge", MinCount=1, MaxCount=1
    )["Instances"][0]["InstanceId"]
    try:
        while True:
            (told,) = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"]
            if told["State"]["Name"] == "running" and ssh_answers(told["PublicIpAddress"]):
                return time.monotonic() - began
            if time.monotonic() - began > 600:
                raise SystemExit(f"{made} did not answer on its ssh port within 600 s")
            time.sleep(0.5)
    finally:
        ec2.terminate_instances(InstanceIds=[made])


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
    found = []
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
            found.append(int(line.split()[1]) // 1024)
    return sorted(found)


def main() -> int:
    """Print the table; 0 when every command succeeded."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        home = Path(scratch)
        clone = home / "clone"
        environ = {
            **os.environ,
            "HOME": str(home),
            "LOCALCLOUD_PORT": str(PORT),
            "LOCALCLOUD_NETWORK": "127.79.0.0/16",
        }
        for key in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            environ.pop(key, None)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        runner = [str(clone / ".venv" / "bin" / "python"), "runner.py"]
        localcloud = [runner[0], "-m", "localcloud"]
        figures = []
        try:
            figures.append(
                timed("make provision, nothing cached", ["make", "provision"], clone, environ)
            )
            figures.append(timed("again, nothing to do", ["make", "provision"], clone, environ))
            memory = resident_mib(home)
            figures.append(timed("destroy", [*runner, "destroy", "--yes"], clone, environ))
            figures.append(
                timed("make provision, image cached", ["make", "provision"], clone, environ)
            )
            exports = subprocess.run(
                [*localcloud, "env"],
                cwd=clone,
                env=environ,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            pairs = dict(
                line.removeprefix("export ").split("=", 1)
                for line in exports.splitlines()
                if line.startswith("export ")
            )
            boot = boot_to_ssh({key: value.strip("'\"") for key, value in pairs.items()})
        finally:
            subprocess.run([*localcloud, "stop"], cwd=clone, env=environ, check=False)
        print(f"\n{'':<44} {'seconds':>10} {'mutat.':>6} {'read':>6}")
        print("\n".join(str(each) for each in figures))
        print(f"{'boot of the bare image to ssh':<44} {boot:8.1f} s")
        print(f"{'resident memory of an idle machine':<44} {memory[0] if memory else 0:8} MiB")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
