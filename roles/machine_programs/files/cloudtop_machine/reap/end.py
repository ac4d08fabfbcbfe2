"""The end: saves work, runs the programs in reap.d, stops docker and unmounts the volume."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from functools import partial

from cloudtop_machine import status_file
from cloudtop_machine.reap.notice import WHY, Notice
from cloudtop_machine.reap.programs import GRACE, Program, hook
from cloudtop_machine.reap.steps import Reap, say
from cloudtop_machine.saved_work.children import Job, Tell, run
from cloudtop_machine.volume_directory import NotRoots, VolumeDirectory

# Shares of the time: for saving by its own clock, for what saving cannot end, such as a dead file
# system, and for the hooks
SAVE_SHARE, SAVE_LIMIT, HOOKS_SHARE = 0.65, 0.75, 0.8
# Seconds: for EC2 to say why, for what looks at the volume once
WHY_SECONDS, LOOK_SECONDS = 20, 5
# Containers that just ended, and what looks in every minute, let go in a moment
UNMOUNT_PAUSES = (1, 1, 0)


class End(Reap):
    """One end. ``began`` and ``ends`` are in POSIX seconds, as the notice is."""

    def __init__(self, settings: dict[str, str], notice: Notice, path: str) -> None:
        super().__init__(settings, notice)
        self.path = path
        self.began = self.ends = time.time()
        self.directory = self.outcome = self.held = ""
        self.saved: dict[str, object] | None = None
        self.failures: list[str] = []
        self.state, self.mounted = "kept", False
        self.asking: Program | None = None

    def end(self) -> None:
        if self._done() == self.notice.key:
            say(f"The end for '{self.notice.key}' was done already.")
            return
        self.await_steps()
        self.began = time.time()
        self.mounted = self.volume.is_writable
        self._tried(partial(status_file.remove, f"{self.run}/reap.report"))
        due = self.notice.seconds or int(self.began)
        least = float(self.settings["least"])
        self.ends = max(due - float(self.settings["margin"]), self.began + least)
        self.tell(
            f"{self.notice.ends_it} ({self.notice.action}) at {self.notice.clock},"
            f" in {max(0, due - self.began):.0f} s. Work is saved to"
            f" {self.persistent}/.cloudtop/saved, then docker stops and {self.persistent} is"
            " unmounted."
        )
        for step in (self.ask_why, self.save, self.run_hooks, self.note):
            self._tried(step)
        self.sync((self.ends - time.time()) / 2)
        if os.path.exists(f"{self.run}/reap.off"):
            self._call_off()
            return
        self.stopped("")
        for step in (self.stop_docker, self.unmount):
            self._tried(step)
        self.sync(self.ends - time.time())
        self._tried(self.report)
        self._tried(partial(status_file.write_text, f"{self.run}/reap.done", self.notice.key))
        self.tell(f"Saved: {_summary(self.saved)}. {self.outcome}".strip())

    def _tried(self, step: Callable[[], object]) -> None:
        """An error of one step is said, and costs no other."""
        try:
            step()
        except Exception as error:
            name = getattr(step, "__name__", "A step")
            say(f"{name} failed: {type(error).__name__}: {error}", errors=True)

    def _done(self) -> str:
        try:
            with open(f"{self.run}/reap.done", encoding="utf-8", errors="replace") as file:
                return file.read().rstrip("\n")
        except OSError:
            return ""

    def _call_off(self) -> None:
        """An owner's end that nobody wants any more, which cloudtop says: nothing is stopped."""
        self.journal("whole")
        self._tried(self.report)
        self.tell(
            "The end of this machine was called off:"
            f" docker and {self.persistent} stay as they are."
        )

    # --- Work --------------------------------------------------------------------------

    def ask_why(self) -> None:
        """Beside the saving, as EC2 may be slow to answer or not answer at all."""
        if self.notice.why:
            return
        place = f"{self.run}/reap.why"
        status_file.remove(place)
        output = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        words = ["cloudtop-reap-journal", self.settings["journal_config"], "why"]
        errors = os.open(os.devnull, os.O_WRONLY)
        self.asking = Program(words, WHY_SECONDS, output=output, errors=errors)
        os.close(output)
        os.close(errors)

    def _why(self) -> str:
        """EC2's reason, as far as it has been read."""
        if self.asking is None:
            return ""
        try:
            with open(f"{self.run}/reap.why", encoding="ascii", errors="replace") as file:
                text = file.readline(100).strip()
        except OSError:
            return ""
        return text if WHY.fullmatch(text) else ""

    def save(self) -> None:
        if not self.volume.options:
            say(f"{self.persistent} is not mounted: nothing can be saved.")
            return
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.began))
        name = f"{stamp}-{self.notice.instance}"
        job = run(Job(partial(_make_directory, self.persistent, name)), LOOK_SECONDS)
        answer = job.answers[0] if job.answers else None
        if not job.ended or not isinstance(answer, list):
            say(f"Nothing can be saved: {answer or job.trouble or 'the volume hangs'}")
            return
        self.directory = f"{self.persistent}/.cloudtop/saved/{answer[0]}"
        seconds = self.ends - self.began
        words = ["/usr/bin/python3", "-IS", f"{self.settings['lib']}/save-work", "all", self.path]
        words += [self.directory, f"{self.began + seconds * SAVE_SHARE:.0f}"]
        errors = os.memfd_create("errors")
        # It keeps its time itself
        saving = Program(words, max(1.0, seconds * SAVE_LIMIT), errors=errors)
        if saving.wait():
            say("Saving work was cut short.")
        say(os.pread(errors, 65536, 0).decode(errors="replace"), errors=True)
        os.close(errors)
        self.saved = _object(saving.output)
        if self.saved is not None:
            self.saved["seconds"] = int(time.time() - self.began)

    def run_hooks(self) -> None:
        """The programs in reap.d, in order of their names."""
        end = self.began + (self.ends - self.began) * HOOKS_SHARE
        directory = self.settings["hooks"]
        names = sorted(map(os.fsencode, os.listdir(directory))) if os.path.isdir(directory) else []
        for place in (f"{directory}/{os.fsdecode(name)}" for name in names):
            if place.rpartition("/")[2].startswith(".") or not os.path.isfile(place):
                continue
            if not os.access(place, os.X_OK):
                continue
            left = min(end - time.time(), float(self.settings["hook_timeout"]))
            if left <= 0:
                self._failed(f"There is no time left for {place}.")
                continue
            say(f"Running {place}.")
            self._run_hook(place, left)

    def _run_hook(self, place: str, seconds: float) -> None:
        """A service that it starts may go on, but what did not end in time is killed."""
        environment = {
            **os.environ,
            "CLOUDTOP_REAP_TIME": self.notice.due,
            "CLOUDTOP_REAP_ACTION": self.notice.action,
            "CLOUDTOP_SAVED_DIR": self.directory,
        }
        program = hook(place, seconds, environment)
        code = program.wait(GRACE)
        say(program.text())
        if code:
            self._failed(f"{place} ended with {code}.")

    def _failed(self, sentence: str) -> None:
        """A hook's work may be lost, so the report has it."""
        say(sentence)
        self.failures.append(sentence)

    def note(self) -> None:
        """The line of the journal; an empty directory for saved work is not kept."""
        self.journal("notice", self._why(), self.saved)
        if self.asking is not None:
            self.asking.kill()
        if self.directory:
            run(Job(partial(_remove_empty, self.directory)), LOOK_SECONDS)

    def sync(self, seconds: float) -> None:
        """The disks that stay. The array goes, and writing it could take all of the time.

        A disk that hangs must not hang the rest: this is left then, not killed.
        """
        places = [self.persistent] if self.volume.options else []
        if self.notice.action != "terminate":
            places.append("/")
        if not places:
            return
        null = os.open(os.devnull, os.O_WRONLY)
        syncing = Program(["sync", "-f", *places], max(1.0, seconds), output=null)
        os.close(null)
        if not syncing.ended_in_time():
            say(f"{' and '.join(places)} is not synced yet.")

    # --- Docker and the volume ---------------------------------------------------------

    def stop_docker(self) -> None:
        if not self.step(5, "systemctl", "is-active", "--quiet", "docker.service"):
            return
        self.stopped("docker")
        left = max(1.0, min(self.ends - time.time() - 2, float(self.settings["docker_timeout"])))
        # Its socket would start it again
        if not self.step(left, "systemctl", "stop", "docker.socket", "docker.service"):
            say(f"docker did not stop within {left:.0f} s.")

    def unmount(self) -> None:
        if self.settings["unmount"] != "yes" or not self.volume.options:
            return
        self.stopped("volume")
        place = self.persistent
        for pause in UNMOUNT_PAUSES:
            if self.step(self.ends - time.time(), "umount", place):
                self.state, self.outcome = "unmounted", f"{place} is unmounted."
                return
            time.sleep(pause)
        # Nothing of the user's is killed: two minutes of work may still be worth a lot
        self.held = self.volume.holders()
        holder = self.held or "a program"
        if self.step(self.ends - time.time(), "mount", "-o", "remount,ro", place):
            self.state = "read-only"
            self.outcome = (
                f"{place} is read-only now; it is held by {holder} and could not be unmounted."
            )
        else:
            self.sync(2)
            self.state = "mounted"
            self.outcome = f"{place} is still mounted; it is held by {holder}."

    def report(self) -> None:
        """Write the saved and the lost for whoever asked for this end; whole or not there."""
        status_file.write(
            f"{self.run}/reap.report",
            {
                "saved": self.saved,
                "mounted": self.mounted,
                "hooks": self.failures,
                "volume": self.state,
                "held": self.held,
                "seconds": int(time.time() - self.began),
            },
        )


def _make_directory(persistent: str, name: str, tell: Tell) -> None:
    """Tells a list of its name, or why there is none.

    Its owners write into it by its path, as themselves. Two saves may begin within one second: the
    later one has a number, by which it comes later in a list of names, too.
    """
    os.umask(0o022)
    names = [name, *(f"{name}.{number}" for number in range(2, 10))]
    try:
        saved = VolumeDirectory.top(persistent, os.geteuid()).inside("saved")
        for each in names:
            with contextlib.suppress(FileExistsError):
                os.mkdir(each, dir_fd=saved.handle)
                tell([each])
                return
        tell(f"{persistent}/.cloudtop/saved/{name}: all its names are taken.")
    except NotRoots as refusal:
        tell(str(refusal))
    except OSError as error:
        tell(f"{persistent}/.cloudtop/saved/{name}: {error.strerror}.")


def _remove_empty(directory: str, tell: Tell) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(directory)


def _object(handle: int) -> dict[str, object] | None:
    """The JSON object in a file; None if there is none, or a torn one."""
    with os.fdopen(handle, "rb") as file:
        file.seek(0)
        try:
            value = json.loads(file.read())
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def _summary(saved: dict[str, object] | None) -> str:
    if saved is None:
        return "nothing"
    trees, paths = (saved.get(key) for key in ("trees", "paths"))
    counts = [len(each) if isinstance(each, list) else 0 for each in (trees, paths)]
    return (
        f"{counts[0]} git work trees, {counts[1]} other places,"
        f" {saved.get('bytes', 0)} bytes in {saved.get('seconds', 0)} s"
    )
