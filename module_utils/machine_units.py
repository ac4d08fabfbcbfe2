"""systemd units of a machine: how they are, and the least that makes them as wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.machine_files import MachineError

Runner = Callable[[list[str]], "tuple[int, str, str]"]

_PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload"
_ENABLED = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")
_JOURNAL_LINES = 20


@dataclass(frozen=True)
class Unit:
    """One wanted unit. ``enabled`` and ``state`` are None if they do not matter.

    A change of a path in ``restart_on`` restarts the unit, one in ``reload_on``
    reloads it, if it runs, whichever run changed the file; a unit that is not active is
    started in either case. One that runs while its ``mount`` (a path, or empty) is not mounted
    is restarted, so that it does not pass for running should it fail.
    """

    name: str
    enabled: bool | None = None
    state: str | None = None
    restart_on: tuple[str, ...] = ()
    reload_on: tuple[str, ...] = ()
    mount: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it runs with."""
        return (*self.restart_on, *self.reload_on)


@dataclass(frozen=True)
class Seen:
    """One unit as systemd shows it."""

    load: str
    active: str
    file_state: str
    needs_daemon_reload: bool


@dataclass(frozen=True)
class Step:
    """One call of systemctl: ``verb`` and the unit, and the words for what it did."""

    verb: str
    name: str
    sentence: str


def look(run: Runner, names: Iterable[str]) -> dict[str, Seen]:
    """Every unit of ``names`` as it is now, by the name it was asked for.

    Raises MachineError when systemd does not answer.
    """
    wanted = list(names)
    if not wanted:
        return {}
    code, out, err = run(["systemctl", "show", "--property", _PROPERTIES, *wanted])
    blocks = [block for block in out.strip().split("\n\n") if block]
    if code or len(blocks) != len(wanted):
        raise MachineError(
            f"systemd did not show {', '.join(wanted)}: {err.strip() or 'no answer'}"
        )
    seen = {}
    for name, block in zip(wanted, blocks, strict=True):
        values = dict(line.split("=", 1) for line in block.splitlines())
        seen[name] = Seen(
            load=values.get("LoadState", ""),
            active=values.get("ActiveState", ""),
            file_state=values.get("UnitFileState", ""),
            needs_daemon_reload=values.get("NeedDaemonReload") == "yes",
        )
    return seen


def mount_points(mountinfo: str) -> set[str]:
    """The mount points in the text of /proc/self/mountinfo (proc(5))."""
    return {line.split()[4] for line in mountinfo.splitlines()}


def plan(
    units: list[Unit],
    seen: dict[str, Seen],
    stale: dict[str, set[str]],
    mounts: set[str],
    check: bool = False,
) -> list[Any]:
    """The steps that make ``units`` true, in the order given.

    ``stale`` are by unit the files that changed since it was last restarted or reloaded for
    them, ``mounts`` the mount points there are. A unit that systemd does not know is an error,
    save in check mode, if its file or package is still to come.
    """
    steps = []
    for unit in units:
        now = seen[unit.name]
        if now.load != "loaded" and not check and unit.state != "stopped":
            raise MachineError(
                f"systemd has no unit {unit.name} (it says {now.load or 'nothing'});"
                f" ask it with: systemctl status {unit.name}"
            )
        enabled = now.file_state in _ENABLED
        if unit.enabled is True and not enabled:
            steps.append(Step("enable", unit.name, f"enabled {unit.name}"))
        if unit.enabled is False and now.file_state in ("enabled", "enabled-runtime"):
            steps.append(Step("disable", unit.name, f"disabled {unit.name}"))
        steps += _activity(unit, now, stale[unit.name], mounts)
    return steps


def _activity(unit: Unit, now: Seen, stale: set[str], mounts: set[str]) -> list[Any]:
    active = now.active in ("active", "reloading", "activating")
    if unit.state == "stopped":
        return [Step("stop", unit.name, f"stopped {unit.name}")] if active else []
    if not active:
        return [Step("start", unit.name, f"started {unit.name}")] if unit.state else []
    lacking = unit.mount and unit.mount not in mounts and now.active == "active"
    if stale.intersection(unit.restart_on) or lacking:
        return [Step("restart", unit.name, f"restarted {unit.name}")]
    if stale.intersection(unit.reload_on):
        return [Step("reload", unit.name, f"reloaded {unit.name}")]
    if now.active == "activating":
        # A start under way, of this boot: starting again waits for its end and its verdict
        return [Step("start", unit.name, "")]
    return []


def daemon_reload(run: Runner) -> None:
    """Let systemd read its unit files again. Raises MachineError."""
    code, _, err = run(["systemctl", "daemon-reload"])
    if code:
        raise MachineError(f"systemd could not read its unit files again: {err.strip()}")


def take(run: Runner, step: Step) -> None:
    """Take one step. Raises MachineError with the unit's last lines in the journal."""
    began = int(time.time())
    code, _, err = run(["systemctl", step.verb, step.name])
    if not code:
        return
    # Its words of this time only, not those of an earlier run
    last = [f"--lines={_JOURNAL_LINES}", f"--since=@{began}", f"--unit={step.name}"]
    _, journal, _ = run(["journalctl", "--no-pager", "--output=cat", *last])
    raise MachineError(
        f"systemctl {step.verb} {step.name} failed: {(journal or err).strip()}\n"
        f"See more with: journalctl -u {step.name}"
    )
