"""One virtual machine: its process, its monitor and its metadata service, held together."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.machines import process, qemu
from localcloud.machines.interface import MetadataSource
from localcloud.machines.metadata_server import MetadataServer
from localcloud.machines.monitor import Loop, Monitor

# Present once the guest has powered itself off
POWERED_OFF = "powered-off"
QEMU_LOG = "qemu.log"

# Seconds
LAUNCH_DEADLINE = 60.0
ADOPT_DEADLINE = 5.0
POWERDOWN_REPEAT = 5.0
# EC2 User Guide, ec2-instance-reboot: a hard reboot follows within four minutes
REBOOT_DEADLINE = 240.0


class VirtualMachine:
    """A machine that this process looks after; made for a directory, then launched or adopted."""

    def __init__(
        self, loop: Loop, directory: Path, instance_id: str, source: MetadataSource
    ) -> None:
        self._directory = directory
        self._instance_id = instance_id
        self._child: subprocess.Popen[bytes] | None = None
        self.monitor = Monitor(loop, instance_id, (directory / POWERED_OFF).touch)
        self._metadata = MetadataServer(directory, qemu.METADATA_SOCKET, instance_id, source)

    @property
    def alive(self) -> bool:
        return process.alive(self._directory, self._instance_id)

    def launch(self, command: Sequence[str]) -> None:
        """Run QEMU in the machine's directory; returns once it answers, or leaves nothing."""
        for left in (POWERED_OFF, process.PID_FILE, qemu.QMP_SOCKET):
            (self._directory / left).unlink(missing_ok=True)
        log = self._directory / QEMU_LOG
        with log.open("wb") as sink:
            # A session of its own: what ends this server does not end the machine
            child = subprocess.Popen(
                command, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
                start_new_session=True,
            )  # fmt: skip
        self._child = child
        try:
            self.monitor.connect(self._directory, lambda: child.poll() is None, LAUNCH_DEADLINE)
        except BaseException as error:
            child.kill()
            child.wait()
            self.release()
            if isinstance(error, LocalCloudError):
                raise self._explained(log, error) from error
            raise

    def adopt(self) -> None:
        """Take over a process that an earlier server launched."""
        try:
            self.monitor.connect(self._directory, lambda: self.alive, ADOPT_DEADLINE)
        except BaseException:
            self.release()
            raise

    def power_down(self, deadline: float) -> None:
        """Press the power button until the guest is down, at most ``deadline`` seconds."""
        while deadline > 0 and self.alive:
            try:
                self.monitor.execute("system_powerdown")
            except LocalCloudError:
                # It ended just now or answers no more; either way there is nothing to ask
                return
            # Pressed again and again: a guest that still boots does not hear the first time
            pause = min(deadline, POWERDOWN_REPEAT)
            deadline -= pause
            if process.wait_gone(self._directory, self._instance_id, pause):
                return

    def release(self) -> None:
        """Let go of the machine without touching it; its process goes on if it lives."""
        self.monitor.close()
        self._metadata.close()
        if self._child:
            # A dead child is waited for, so that it leaves no zombie
            self._child.poll()

    def _explained(self, log: Path, error: LocalCloudError) -> LocalCloudError:
        output = log.read_text(errors="replace").strip()
        for line in output.splitlines():
            if "host forwarding rule" in line:
                address = line.partition("'tcp:")[2].partition("-:")[0]
                return LocalCloudError(
                    f"The address {address}, which {self._instance_id} has,"
                    " is in use by another program or is not an address of this computer.",
                    f"See who has it: ss -ltnp 'sport = :{address.rpartition(':')[2]}'",
                )
        last = output.splitlines()[-1] if output else error.message
        return LocalCloudError(f"QEMU could not start {self._instance_id}: {last}", f"Log: {log}")
