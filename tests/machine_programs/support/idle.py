"""A machine made of files whose minutes pass when a test says so, and cloudtop-idle on it."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any
from unittest import mock

from cloudtop_machine import config
from cloudtop_machine.idle.program import SETTINGS, IdleStop

from tests.machine_programs.support import installed
from tests.machine_programs.support.volume import Volume

IDLE = installed.argv(installed.program("cloudtop-idle"))
BUSY = installed.argv(installed.program("cloudtop-busy"))
PYTHON_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(installed.PACKAGE)}
STOPPED = ["reap end", "StopInstances"]
# The report of cloudtop-reap if all was saved
WHOLE = '{"saved": {"trees": [], "paths": [], "complete": true}, "mounted": true, "hooks": []}'
OK = "<{0}Response><requestId>59dbff89</requestId>{1}</{0}Response>"
REQUEST = (
    "<spotInstanceRequestSet><item><spotInstanceRequestId>sir-1</spotInstanceRequestId>"
    "<state>{0}</state></item></spotInstanceRequestSet>"
)


class Idle(Volume):
    """Stops after 4 idle minutes, of which it warns in the last 2; nothing goes on."""

    def __init__(self, tree: Path) -> None:
        places = {"tmp": tree / "tmp", "busy": tree / "run/busy"}
        places |= {"guard": tree / "guard.conf", "reap": tree / "bin/reap"}
        super().__init__(tree, minutes=4, warning=2, action="stop", pause=0, **places)
        for place in ("tmp", "run/busy", "dev/pts", "proc/net"):
            (tree / place).mkdir()
        (tree / "guard.conf").write_text(f"persistent={shlex.quote(str(self.mount_point))}\n")
        with (tree / "proc/self/mountinfo").open("a") as file:
            file.write(f"2 1 8:2 / {self.mount_point} rw\n")
        (tree / "proc/net/route").write_text("Iface\tDestination\nens5\t00000000\nens5\t0000FEA9\n")
        self.ticks, self.bytes, self.connections = 1000.0, 5_000_000, ""
        # No concern of it: time that other machines took, and traffic with itself
        self.steal, self.loopback = 0, 0
        self.processes = 100
        # State, as in: ss -HOtinp state established
        self.stub("ss", 'cat "$TREE/connections.$3"')
        self.listens("0 128 0.0.0.0:22 0.0.0.0:*\n")
        self.stub("tmux", "exit 1")
        # Whoever tells gives nothing of its environment
        self.stub("wall", f"cat >>{shlex.quote(str(tree / 'wall'))}")
        self.reaps("")
        self.answer("StopInstances", OK.format("StopInstances", ""))
        self.answer("TerminateInstances", OK.format("TerminateInstances", ""))

    def reaps(self, script: str) -> None:
        """The steps of cloudtop-reap; its end is done afterwards."""
        done = (
            ': >"$TREE/run/idle/reap.done"\n'
            f"[ -e $TREE/run/idle/reap.report ] || echo '{WHOLE}' >$TREE/run/idle/reap.report"
        )
        self.stub("reap", f'echo "reap $1" >>"$TREE/log"\n{script}\n{done}\nexit 1')

    def look(self, seconds: float = 60) -> dict[str, Any]:
        """So many seconds later it looks; returns what the status file says then."""
        uptime = float((self.tree / "proc/uptime").read_text().split()[0]) + seconds
        (self.tree / "proc/uptime").write_text(f"{uptime:.2f} 1.00\n")
        # user nice system idle iowait irq softirq steal
        (self.tree / "proc/stat").write_text(
            f"cpu  {self.ticks:.0f} 0 0 9 0 0 0 {self.steal} 0 0\ncpu0 1 1\n"
        )
        (self.tree / "proc/net/dev").write_text(
            "Inter-|   Receive\n face |bytes\n"
            f"  ens5: {self.bytes} 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0\n"
            f"    lo: {self.loopback} 1 0 0 0 0 0 0 1000 1 0 0 0 0 0 0\n"
        )
        (self.tree / "connections.established").write_text(self.connections)
        with mock.patch.dict(os.environ, installed.environ(self.tree)):
            IdleStop(config.read(str(self.configured()), SETTINGS)).look()
        return dict(json.loads((self.tree / "run/idle.json").read_text()))

    def configured(self) -> Path:
        """The configuration with the settings as they are now."""
        place = self.tree / "idle-stop.conf"
        place.write_text(
            "".join(f"{key}={shlex.quote(str(value))}\n" for key, value in self.settings.items())
        )
        return place

    def looks(self, count: int) -> dict[str, Any]:
        status: dict[str, Any] = {}
        for _ in range(count):
            status = self.look()
        return status

    def terminal(self, number: int, read: int = 100, written: int = 100) -> None:
        """A terminal was read from and written to at these times."""
        place = self.tree / f"dev/pts/{number}"
        place.touch()
        os.utime(place, (read, written))

    def process(self, comm: str, title: str) -> int:
        """A process that runs; returns its id."""
        self.processes += 1
        place = self.tree / f"proc/{self.processes}"
        place.mkdir()
        (place / "comm").write_text(f"{comm[:15]}\n")
        (place / "cmdline").write_text(title)
        return self.processes

    def listens(self, lines: str) -> None:
        """The lines of ss for the ports that are listened on."""
        (self.tree / "connections.listening").write_text(lines)

    def connection(
        self,
        peer: str,
        sent: int,
        pid: int = 0,
        local: str = "10.0.0.5:22",
        received: int = 0,
        alone: bool = False,
    ) -> str:
        """A line of ss for a connection that has carried so many bytes.

        A process of sshd has it, and another one that is root's, if it is not ``alone``.
        """
        holders = [*([pid] if pid else []), *([pid - 1] if pid and not alone else [])]
        users = ",".join(f'("sshd",pid={each},fd=4)' for each in holders)
        return (
            f"0 0 {local} {peer} {f'users:({users})' if users else ''} timer:(keepalive,1min,0)"
            f" cubic wscale:7,7 rto:204 bytes_sent:{sent} bytes_acked:{sent}"
            f" bytes_received:{received} segs_out:9 segs_in:9 lastsnd:12\n"
        )

    @property
    def steps(self) -> list[str]:
        """The steps on the machine, and the calls of EC2, in order."""
        lines = [line.split() for line in self.log if line.split()[0] in ("reap", "curl")]
        return [" ".join(words[:2]) if words[0] == "reap" else words[1] for words in lines]

    @property
    def sentences(self) -> str:
        place = self.tree / "wall"
        return place.read_text() if place.exists() else ""
