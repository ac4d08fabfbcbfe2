"""The way back if the machine stays, and the warning that EC2 may take it."""

from __future__ import annotations

import os

from cloudtop_machine.reap.steps import Reap, say

# Mounting may wait for EC2; the unit has a limit, too
SECONDS = 600


class Whole(Reap):
    """Undoes an end; the units that it stopped are in ``reap.stopped``."""

    def whole(self) -> bool:
        """Mount and start it again; whether all of it is back."""
        self.await_steps()
        stopped = self._stopped()
        if stopped is None:
            say("Nothing was stopped.")
            return True
        self.tell(
            f"{self.notice.announcement} for {self.notice.clock} and the machine is still here:"
            f" {self.persistent} and docker come back."
        )
        if "volume" in stopped and not self._mount():
            # Docker stays off and this stays to be done: the next end or start tries again
            self.tell(
                f"{self.persistent} could not be mounted again;"
                " look with: systemctl status cloudtop-persistent-mount"
            )
            return False
        if "docker" in stopped:
            self.step(SECONDS, "systemctl", "start", "docker.socket", "docker.service")
        os.remove(f"{self.run}/reap.stopped")
        self.journal("whole")
        return True

    def _stopped(self) -> list[str] | None:
        """None if no end has stopped anything."""
        try:
            with open(f"{self.run}/reap.stopped", encoding="ascii", errors="replace") as file:
                return file.read().split()
        except FileNotFoundError:
            return None

    def _mount(self) -> bool:
        if not self.volume.options:
            unit = "cloudtop-persistent-mount.service"
            return self.step(SECONDS, "systemctl", "reload-or-restart", unit)
        if self.volume.is_read_only:
            return self.step(SECONDS, "mount", "-o", "remount,rw", self.persistent)
        return True

    def rebalance(self) -> None:
        """EC2 recommends to leave: nothing is stopped."""
        self.tell(
            "EC2 says that it may soon take this machine away. All that is on the array and in"
            " memory is lost then: save your work."
        )
        self.journal("rebalance")
