"""The end of an idle machine: work is saved as at a notice of EC2's, then EC2 is asked.

A machine whose work is not saved, or that EC2 does not end, has to stay.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable

from cloudtop_machine import config, proc, status_file, times
from cloudtop_machine.ec2 import Ec2, Trouble
from cloudtop_machine.imds import TOKEN_SECONDS, Metadata
from cloudtop_machine.reap.programs import TIME_OVER, Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Settings of the configuration, and places that a test's configuration moves. ``pause`` is in
# seconds, between two tries of a call that failed for a reason that may pass.
SETTINGS = {
    "action": "stop",
    "endpoint": "",
    "pause": "10",
    "guard": "/etc/cloudtop/spot-guard.conf",
    "reap": "/usr/local/sbin/cloudtop-reap",
}
# Seconds that saving may take, that its program has beyond them, and for the way back
SAVE, MORE, BACK = 180, 60, 400
# How often EC2 is asked for the same at most, and the seconds in which it is asked again
TRIES, ASKING = 3, 120
LOOK = "look with: journalctl -u cloudtop-idle"
# States of a request that EC2 launches no other machine for
CLOSED = ("cancelled", "closed", "failed")


class Stays(Exception):
    """The machine has to stay; the sentence says why."""


class End:
    """``say`` gets each line for the journal. ``settings`` has ``run``, ``proc``, ``imds``, too."""

    def __init__(self, settings: dict[str, str], say: Callable[[str], None]) -> None:
        self.settings, self.say = settings, say
        # A place of its own: the guard must not take this for a notice that it has seen
        self.place = f"{settings['run']}/idle"
        self.metadata = Metadata(settings["imds"], TOKEN_SECONDS)
        self.ec2 = Ec2(settings["endpoint"], self.metadata, say)
        self.until = 0.0

    @property
    def has_stopped(self) -> bool:
        """Whether an end has begun to stop what the machine needs."""
        return os.path.exists(f"{self.place}/reap.stopped")

    def save(self) -> None:
        """Save the work, stop docker and unmount the volume. Raises Stays."""
        instance = self._instance()
        self._need_volume()
        os.makedirs(self.place, exist_ok=True)
        # The list of what an end has stopped stays until it is started again
        for name in ("done", "report"):
            status_file.remove(f"{self.place}/reap.{name}")
        due = times.text_of(time.time() + SAVE)
        action = self.settings["action"]
        lines = (f"action={action}", f"due={due}", f"instance={instance}", "why=idle")
        status_file.write_text(f"{self.place}/spot-guard.notice", "\n".join(lines))
        guard = f". {shlex.quote(self.settings['guard'])}\nrun={shlex.quote(self.place)}"
        status_file.write_text(f"{self.place}/conf", guard)
        # Its exit code says nothing: it tries each step whatever became of those before
        self._reap("end", SAVE + MORE)
        if not os.path.exists(f"{self.place}/reap.done"):
            raise Stays(f"Work could not be saved; {LOOK}")
        trouble = unsaved(self._report())
        if trouble:
            raise Stays(trouble)

    def ask(self) -> None:
        """Ask EC2 to stop or end the machine. Raises Stays."""
        self.until = time.monotonic() + ASKING
        instance, action = self._instance(), self.settings["action"]
        if action == "stop":
            self._ask("StopInstances", "stop this machine", f"InstanceId.1={instance}")
        elif action == "terminate":
            # In the other order EC2 would launch another machine
            what = f"end this machine, whose request {self._cancel(instance)} is cancelled"
            self._ask("TerminateInstances", what, f"InstanceId.1={instance}")
        else:
            raise Stays(f"The action is '{action}'; it has to be stop or terminate.")

    def take_back(self) -> None:
        """Mount and start again what the end has stopped."""
        if os.path.exists(f"{self.place}/conf"):
            self._reap("whole", BACK)

    def _instance(self) -> str:
        try:
            instance = self.metadata.text("instance-id")
        except OSError:
            instance = ""
        if not instance:
            raise Stays("The metadata service does not answer, so the machine's own id is missing.")
        return instance

    def _need_volume(self) -> None:
        """Raises Stays if the volume is not there to save to."""
        try:
            place = config.read(self.settings["guard"], {"persistent": ""})["persistent"]
        except OSError:
            place = ""
        if not place or not proc.mount_options(self.settings["proc"], place):
            raise Stays(
                f"The volume is not mounted at {place or 'its place'}, so no work could be saved."
            )

    def _reap(self, mode: str, seconds: int) -> None:
        """Run cloudtop-reap, and kill it with its process group after so many seconds."""
        program = Program([self.settings["reap"], mode, f"{self.place}/conf"], seconds)
        code = program.wait()
        for line in program.text().splitlines():
            self.say(line)
        if code == TIME_OVER:
            self.say(f"cloudtop-reap {mode} did not end within {seconds} s.")

    def _report(self) -> object:
        try:
            with open(f"{self.place}/reap.report", encoding="utf-8") as file:
                report: object = json.load(file)
        except (OSError, ValueError):
            return None
        return report

    def _cancel(self, instance: str) -> str:
        """Cancel the machine's request; returns its id. Raises Stays."""
        shown = self._ask(
            "DescribeSpotInstanceRequests",
            "show the request of this machine",
            "Filter.1.Name=instance-id",
            f"Filter.1.Value.1={instance}",
        )
        request = shown.findtext("spotInstanceRequestSet/item/spotInstanceRequestId")
        if not request:
            raise Stays(
                f"EC2 shows no spot request of {instance}, so none can be cancelled and EC2 might"
                " launch another machine."
            )
        if _state(shown) not in CLOSED:
            answer = self._ask(
                "CancelSpotInstanceRequests",
                f"cancel the request {request}",
                f"SpotInstanceRequestId.1={request}",
            )
            if _state(answer) != "cancelled":
                raise Stays(f"EC2 did not cancel the request {request}: the machine is not ended.")
        return request

    def _ask(self, action: str, what: str, *parameters: str) -> Element:
        """EC2's answer, asked again if the trouble may pass. Raises Stays."""
        for left in reversed(range(TRIES)):
            try:
                return self.ec2.ask(action, *parameters)
            except Trouble as trouble:
                if not left or not trouble.passes or time.monotonic() > self.until:
                    raise Stays(refusal(what, trouble)) from None
            time.sleep(float(self.settings["pause"]))
        raise AssertionError("the last try returns or raises")


def _state(answer: Element) -> str:
    return answer.findtext("spotInstanceRequestSet/item/state") or ""


def unsaved(report: object) -> str:
    """Why a machine with this report of cloudtop-reap has to stay; empty if all was saved.

    At a notice of EC2's that cannot be helped; here nobody is in a hurry.
    """
    if not isinstance(report, dict):
        return f"Not all work was saved: there is no report of it; {LOOK}"
    saved, hooks = report.get("saved"), report.get("hooks")
    if not isinstance(saved, dict) or report.get("mounted") is not True:
        return f"Not all work was saved: the volume did not take it; {LOOK}"
    if saved.get("complete") is not True:
        places = saved.get("not_saved")
        first = places[0] if isinstance(places, list) and places else None
        if not isinstance(first, dict) or not first.get("path"):
            return f"Not all work was saved; {LOOK}"
        return (
            f"Not all of {first['path']} was saved: {first.get('why')}."
            " Save it by hand, or raise cloudtop_saved_tree_mib."
        )
    if hooks != []:
        hook = hooks[0] if isinstance(hooks, list) else "the report names no hooks."
        return f"Not all work was saved: {hook} For more, {LOOK}"
    return ""


def refusal(what: str, trouble: Trouble) -> str:
    """The sentence for a call that EC2 refused; ``what`` is a verb and its object."""
    if trouble.code == "UnauthorizedOperation":
        return (
            f"This machine may not {what}: run on your computer: python runner.py provision."
            f" EC2 says: {trouble.text}"
        )
    if trouble.code == "UnsupportedOperation":
        return f"EC2 does not {what}: {trouble.text} Set cloudtop_idle_action to terminate."
    return f"EC2 did not {what} ({trouble.code}: {trouble.text})."
