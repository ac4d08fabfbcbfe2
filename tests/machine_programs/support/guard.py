"""cloudtop-spot-guard as a process of its own, with a systemctl that keeps book."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.machine_programs.support import installed
from tests.machine_programs.support.imds import NOTICE, Imds, ec2_time


class Guard:
    """Runs between ``with``; each of its starts of a unit is a line of ``started``."""

    def __init__(self, tree: Path, imds: Imds) -> None:
        self.tree, self.imds = tree, imds
        self.settings: dict[str, object] = {
            "imds": imds.url,
            "run": tree / "run",
            "proc": tree / "proc",
            "interval": 0.02,
            "grace": 3600,
        }
        (tree / "bin").mkdir(exist_ok=True)
        (tree / "proc").mkdir(exist_ok=True)
        (tree / "proc/uptime").write_text("5000.10 9000.00\n")
        self.systemctl('echo "$*" >>"$TREE/started"')

    def systemctl(self, script: str) -> None:
        place = self.tree / "bin/systemctl"
        fresh = place.with_suffix(".new")
        fresh.write_text(f"#!/bin/sh\n{script}\n")
        fresh.chmod(0o755)
        fresh.rename(place)

    def __enter__(self) -> Guard:
        config = self.tree / "guard.conf"
        config.write_text("".join(f"{key}='{value}'\n" for key, value in self.settings.items()))
        self.output = (self.tree / "output").open("a+")
        self.process = subprocess.Popen(
            [*installed.argv(installed.program("cloudtop-spot-guard")), str(config)],
            env=installed.environ(self.tree),
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self.process.poll() is None, self.text
        self.process.kill()
        self.process.wait()
        self.output.close()

    def looks(self, count: int = 3) -> None:
        """Until it has looked for a notice and dealt with it so many times."""
        self.imds.await_gets(NOTICE, count + 1)

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait for it while the process lives; half a minute is more than it takes."""
        deadline = time.monotonic() + 30
        while not happened():
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            os.sched_yield()

    def notice(self, action: object = "terminate", seconds: float = 120) -> str:
        """EC2 gives notice; returns its time."""
        when = ec2_time(seconds)
        self.imds.answers[NOTICE] = (200, json.dumps({"action": action, "time": when}))
        return when

    @property
    def started(self) -> list[str]:
        """The units that it started, by what stands behind their @."""
        place = self.tree / "started"
        lines = place.read_text().splitlines() if place.exists() else []
        assert all(line.startswith("start --no-block cloudtop-reap@") for line in lines)
        return [line.rpartition("@")[2].removesuffix(".service") for line in lines]

    @property
    def text(self) -> str:
        return (self.tree / "output").read_text()

    @property
    def resident_kib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1])

    @property
    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208
