"""Debian packages of a machine: which are missing, and one transaction that installs them."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.machine_files import MachineError, inside

Runner = Callable[[list[str]], "tuple[int, str, str]"]

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?\Z")
_ALTERNATIVE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)( \(>= (?P<least>\d+)\))?\Z")
_INTERRUPTED = "dpkg was interrupted"
# The stage of cloud-init that runs apt_configure
_APT_CONFIGURE = "cloud-config.service"

# Services that a package brings are started by the units of a role, once their
# configuration is there, never by the package. The refusal holds only while the process
# that installs lives, so a killed run leaves no machine on which nothing may start.
_POLICY = """#!/bin/sh
# cloudtop: made while packages are installed, without effect afterwards
kill -0 {pid} 2>/dev/null && exit 101
exit 0
"""


@dataclass(frozen=True)
class Alternative:
    """A package that will do if its version is at least ``least``, a major version; 0: any."""

    name: str
    least: int = 0

    def is_met(self, version: str | None) -> bool:
        """Whether that version of it will do; None stands for none."""
        if version is None:
            return False
        major = re.match(r"(\d+:)?(\d+)", version)
        return bool(self.least == 0 or (major and int(major[2]) >= self.least))


def alternatives(text: str) -> list[Alternative]:
    """The packages of ``a | b (>= 2)``, in order. Raises MachineError for other texts."""
    parsed = []
    for part in text.split("|"):
        match = _ALTERNATIVE.match(part.strip())
        if match is None:
            raise MachineError(
                f"{part.strip()!r} is neither the name of a Debian package nor NAME (>= NUMBER)."
            )
        parsed.append(Alternative(match["name"], int(match["least"] or 0)))
    return parsed


def installed(run: Runner) -> dict[str, str]:
    """The versions of all packages that are installed and configured, by name."""
    fields = "${Package}:${Architecture} ${db:Status-Abbrev}${Version}\\n"
    _, out, _ = run(["dpkg-query", "-W", f"-f={fields}"])
    versions: dict[str, str] = {}
    for line in out.splitlines():
        name, _, rest = line.partition(" ")
        status, _, version = rest.partition(" ")
        if status in ("ii", "hi"):
            versions |= {name: version.strip(), name.partition(":")[0]: version.strip()}
    return versions


@dataclass(frozen=True)
class Missing:
    """Packages that a machine lacks, and unmet wishes, of which any alternative will do."""

    names: list[str]
    wishes: list[list[Alternative]]


def missing(
    versions: Callable[[], Mapping[str, str]], names: list[str], wishes: list[str] | None = None
) -> Missing:
    """The packages that are not installed and configured, as ``versions`` looks up by name.

    ``wishes`` are texts for ``alternatives``, of which the archive may have none. Raises
    MachineError for a name that no Debian package can have.
    """
    for name in names:
        if not _NAME.match(name):
            raise MachineError(
                f"{name!r} is no name of a Debian package: small letters, digits, + - and . only."
            )
    wanted = [alternatives(each) for each in wishes or []]
    if not names and not wanted:
        return Missing([], [])
    have = versions()
    return Missing(
        [name for name in dict.fromkeys(names) if name not in have],
        [each for each in wanted if not any(one.is_met(have.get(one.name)) for one in each)],
    )


def available(run: Runner, wishes: list[list[Alternative]]) -> list[str]:
    """For each wish the first alternative that the archive has; nothing if it has none.

    By the package lists as they are now.
    """
    if not wishes:
        return []
    _, out, _ = run(["apt-cache", "policy", *(one.name for wish in wishes for one in wish)])
    candidates: dict[str, str] = {}
    name = ""
    for line in out.splitlines():
        if line and not line.startswith(" "):
            name = line.removesuffix(":")
        elif line.strip().startswith("Candidate: ") and "(none)" not in line:
            candidates[name] = line.partition(": ")[2].strip()
    able = [[one.name for one in wish if one.is_met(candidates.get(one.name))] for wish in wishes]
    return [names[0] for names in able if names]


def _lists_are_fresh(root: Path, seconds: int) -> bool:
    """Whether they are young, and younger than the sources: those may name other URLs now."""
    lists = inside(root, "/var/lib/apt/lists")
    if not any(lists.glob("*_Packages*")):
        return False
    apt = inside(root, "/etc/apt")
    sources = [*apt.glob("sources*"), *apt.glob("sources.list.d/*")]
    # A link may lead nowhere; where it leads has the time that counts
    changed = max((place.stat().st_mtime for place in sources if place.exists()), default=0.0)
    fetched = lists.stat().st_mtime
    return bool(fetched > changed and time.time() - fetched < seconds)


def _await_cloud_init(run: Runner, root: Path, seconds: int) -> None:
    """Wait until cloud-init has configured apt in this boot.

    ssh answers before that, and then cloud-init may rewrite apt's sources to the region's mirror
    (apt_configure), so that lists which were just fetched are of other URLs. Its last stage is
    after multi-user.target, and so after the volume, which may take long: it is not waited for.
    """
    if inside(root, "/run/cloud-init/result.json").exists():
        return
    if not inside(root, "/usr/bin/cloud-init").exists():
        return
    deadline = time.monotonic() + seconds
    while _is_to_come(run, _APT_CONFIGURE):
        if time.monotonic() >= deadline:
            raise MachineError(
                f"cloud-init has been at work for {seconds} s, and packages are installed only"
                " after it, as it may change apt's sources; look with:"
                f" systemctl status {_APT_CONFIGURE}; then run it again."
            )
        time.sleep(1)


def _is_to_come(run: Runner, unit: str) -> bool:
    """Whether a service that runs once is under way, or waits for its turn."""
    _, out, _ = run(["systemctl", "show", "--property", "ActiveState,Job", unit])
    values = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    state, job = values.get("ActiveState"), values.get("Job", "")
    return state == "activating" or (state == "inactive" and job not in ("", "0"))


def _await_lists_lock(root: Path, deadline: float) -> None:
    """Wait for another apt-get update. DPkg::Lock::Timeout does not cover this lock."""
    lock = inside(root, "/var/lib/apt/lists/lock")
    if not lock.exists():
        return
    with lock.open("r+") as stream:
        while True:
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise MachineError(
                        "Another program has been updating apt's package lists all the time"
                        f" ({lock} is locked); try again when it has ended."
                    ) from error
                time.sleep(1)


def _complaint(err: str) -> str:
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    serious = [line for line in lines if line.startswith(("E:", "dpkg: error"))]
    return " ".join((serious or lines)[-5:]) or "it said nothing"


def _apt(run: Runner, arguments: list[str], doing: str, lock_timeout: int) -> None:
    argv = [
        "apt-get",
        "--quiet=2",
        "-o",
        f"DPkg::Lock::Timeout={lock_timeout}",
        "-o",
        "Dpkg::Use-Pty=0",
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
        *arguments,
    ]
    code, _, err = run(argv)
    if code and _INTERRUPTED in err:
        code, _, err = run(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"])
        if not code:
            code, _, err = run(argv)
    if code:
        raise MachineError(f"apt-get could not {doing}: {_complaint(err)}")


def install(
    run: Runner,
    root: Path,
    lacking: Missing,
    lock_timeout: int = 600,
    fresh_seconds: int = 3600,
) -> list[str]:
    """Install what lacks in one transaction, after an update unless the lists are fresh.

    cloud-init has to have configured apt before. Returns the names; wishes that the archive has not
    are left out.

    Raises MachineError with apt's own complaint.
    """
    _await_cloud_init(run, root, lock_timeout)
    if not _lists_are_fresh(root, fresh_seconds):
        _await_lists_lock(root, time.monotonic() + lock_timeout)
        _apt(run, ["update"], "update its package lists", lock_timeout)
    names = [*lacking.names, *available(run, lacking.wishes)]
    if not names:
        return []
    policy = inside(root, "/usr/sbin/policy-rc.d")
    ours = not policy.exists() or "# cloudtop:" in policy.read_text()
    if ours:
        policy.write_text(_POLICY.format(pid=os.getpid()))
        policy.chmod(0o755)
    try:
        _apt(
            run,
            ["install", "--yes", "--fix-broken", "--no-install-recommends", *names],
            f"install {' '.join(names)}",
            lock_timeout,
        )
    finally:
        if ours:
            policy.unlink()
    return names
