"""A machine that has its notice, and the commands by which it is made ready for the end."""

from __future__ import annotations

from pathlib import Path

from tests.machine_programs.support.saved import Machine

STOPPED = [
    "systemctl is-active --quiet docker.service",
    "systemctl stop docker.socket docker.service",
]


class Reaped(Machine):
    """Its volume is mounted; unmounting it is a line that goes."""

    def __init__(self, tree: Path) -> None:
        super().__init__(tree)
        self.stub("sleep", "")
        self.stub(
            "umount",
            'echo "umount $*" >>"$TREE/log"; echo "1 0 8:1 / / rw" >"$TREE/proc/self/mountinfo"',
        )
        self.notice()

    def hook(self, name: str, script: str, mode: int = 0o755) -> None:
        place = self.hooks / name
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(mode)

    @property
    def steps(self) -> list[str]:
        """The programs that ran, in order, without the syncs of file systems."""
        return [line for line in self.log if not line.startswith("sync -f ")]

    @property
    def all_steps(self) -> list[str]:
        """The programs that have to run whatever happens."""
        return [*STOPPED, f"umount {self.volume}"]
