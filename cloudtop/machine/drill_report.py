"""The report of a drill: each thing that has to be as it was, and the timeline."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from cloudtop.aws.find import Machine, Resources
from cloudtop.foreign import plain

# In the order in which they happen to a machine that is terminated with a notice
MARKS = (
    *("notice", "saved", "request open", "gone", "relaunched"),
    *("ssh", "array", "volume", "docker", "ready"),
)


@dataclass(frozen=True)
class Check:
    """One thing that has to be as it was: its name, whether it is, and its value."""

    name: str
    good: bool
    seen: str


@dataclass
class Report:
    """One reap: seconds since it was asked for, by mark, and all checks."""

    reap: int
    instance: str
    next_instance: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return bool(self.checks) and all(check.good for check in self.checks)

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "good": self.good}


@dataclass(frozen=True)
class Before:
    """EC2's resources before the reap, the machine among them, and its answer (a JSON object)."""

    resources: Resources
    machine: Machine
    answer: dict[str, Any]

    @property
    def instance(self) -> str:
        return self.machine.instance_id


def checks(
    before: Before, resources: Resources, after: dict[str, Any], *, warned: bool = True
) -> list[Check]:
    """Everything that has to be as it was before the reap.

    An answer of the machine proves its host key, too: ssh runs with the pinned one.
    """
    old, new = before.resources, resources
    was = before.answer

    def same(name: str, one: object, other: object) -> Check:
        return Check(name, bool(one) and one == other, f"{other}" if one == other else
                     f"{one} before, {other} after")  # fmt: skip

    attached = new.volume.instance_ids if new.volume else []
    instance = new.instance.instance_id if new.instance else None
    return [
        same("one request", *(each.request and each.request.spot_instance_request_id
                              for each in (old, new))),
        same("one volume", *(each.volume and each.volume.volume_id for each in (old, new))),
        Check("one attachment", attached == [instance], ", ".join(attached) or "none"),
        same("bytes on the volume", was["bytes"], after.get("bytes")),
        same("ssh host key", was["host_key"], after.get("host_key")),
        same("array", was["array"], after.get("array")),
        Check("array is blank", not after.get("old_array"), str(after.get("old_array") or "yes")),
        Check("docker on the array", bool(after.get("docker")), str(after.get("docker"))),
        same("dotfiles", was["dotfiles"], after.get("dotfiles")),
        journal(after.get("back"), instance),
        # Without a notice nobody could save what was not on the volume
        *([same("saved work", was["saved_work"], after.get("saved_work"))] if warned else []),
    ]  # fmt: skip


def render(report: Report) -> str:
    """The timeline and what is missing, for people."""
    lines = [f"Reap {report.reap}: {report.instance} -> {report.next_instance or 'nothing'}"]
    lines += [
        f"  {report.seconds[mark]:8.1f} s  {mark}" for mark in MARKS if mark in report.seconds
    ]
    lines += [
        f"  {'ok' if check.good else 'MISSING':<8} {check.name}: {check.seen}"
        for check in report.checks
    ]
    return "\n".join(map(plain, lines))


def journal(back: Any, instance: str | None) -> Check:
    """The journal on the volume tells of the coming back of this very instance."""
    entry = back or {}
    seen = f"{entry.get('previous')} -> {entry.get('instance')}, away {entry.get('away_seconds')} s"
    return Check("journal", bool(instance) and entry.get("instance") == instance, seen)


def times_of(notice: Any) -> dict[str, float]:
    """When the old machine heard of its end, and when its work was safe, from its own line in
    the journal: POSIX seconds, to the second."""
    if not notice:
        return {}
    written = datetime.fromisoformat(notice["time"]).timestamp()
    took = (notice.get("saved") or {}).get("seconds", 0)
    return {"notice": written - took, "saved": written}
