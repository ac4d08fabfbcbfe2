"""Every check of the project, fast ones first, machines last; one line of totals at the end.

The linters use one core each, so they run beside the first tests. Whole playbooks run beside the
machines, which leave half of the cores idle but are what takes longest: playbooks get the cores
when machines do not need them. Each shows its output at its end.
Failures are named once more just above the totals, as CI keeps little more than the end of a log.

``python -m tools.checks.run`` runs them all, ``--fast`` those that start no machine. A failed
fast check keeps the machines from being started: they take the longest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tools import warm
from tools.checks.reason import reason

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TERMINAL = sys.stdout.isatty()
SCENARIOS = ("ephemeral_raid", "workstation", "persistent_mount")
# Tests that take minutes though they start no machine, as whole playbooks run in them
FAULTS, ROLES = "tests/faults", "tests/roles"
# Those that take long are named at the end, as they are the first to be made shorter
DURATIONS = ("--durations", "12", "--durations-min", "10")
# The longest files first, in the order of tests/conftest.py
PARALLEL = ("pytest", "--dist", "loadfile", "--no-loadscope-reorder", *DURATIONS)
# Half of the time such a test waits: for a clock, a deadline or another process
FAST_WORKERS = "4"
# While there is not enough for both, they get half of what a machine does, never nothing
NICENESS = 3
# Its borders would break Ansible's lines, in which the reason of a failure stands
MOLECULE = ("molecule", "test", "--no-command-borders")
# "localhost," would be two paths to Ansible, of which the empty one is the whole work tree
NO_INVENTORY = os.devnull
# Without this each syntax check imports boto3 for the plugin that asks EC2
NO_PLUGIN = "ini"
# Characters of a failure's reason that are shown again at the end: of a test, of another check
REASON, OTHER_REASON = 300, 900
SLOW = tuple(f"--ignore={place}" for place in ("tests/machines", FAULTS, ROLES))


@dataclass(frozen=True)
class Check:
    """A command and how it is counted: pytest by its tests, all else as one.

    ``no_inventory`` keeps a linter's syntax checks from asking EC2 which machines there are, and
    has them share the start of Ansible, of which each would have one of its own.
    """

    name: str
    argv: tuple[str, ...]
    pytest: bool = False
    no_inventory: bool = False


@dataclass
class Totals:
    """The sums of all checks."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def fail(self, what: str, why: str) -> None:
        """Count a failure, with its reason."""
        self.failed += 1
        self.failures.append(f"FAILED {what}: {why}")

    def add(self, more: Totals) -> None:
        """Count what others have counted."""
        self.passed += more.passed
        self.failed += more.failed
        self.skipped += more.skipped
        self.failures += more.failures


def shell_scripts() -> list[str]:
    """The tracked files that a POSIX shell or bash runs, by their first line."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    scripts = []
    for name in filter(None, listed):
        path = ROOT / name
        if not path.is_file():
            continue
        with path.open("rb") as file:
            first = file.readline(64)
        if first.startswith((b"#!/bin/sh", b"#!/usr/bin/env bash", b"#!/bin/bash")):
            scripts.append(name)
    return scripts


def linters() -> Iterator[Check]:
    """Lint and types."""
    yield Check("ruff", ("ruff", "check", "."))
    yield Check("ruff format", ("ruff", "format", "--check", "."))
    yield Check("mypy", ("mypy",))
    # Ubuntu 22.04 has Python 3.10, and its standard library is smaller
    programs = "roles/machine_programs/files/cloudtop_machine"
    yield Check("mypy, Python 3.10", ("mypy", "--python-version", "3.10", programs))
    yield Check("yamllint", ("yamllint", "--strict", "."))
    yield Check("shellcheck", ("shellcheck", "--external-sources", *shell_scripts()))
    yield Check("pip-audit", ("python", "-m", "tools.checks.audit"))
    yield Check("ansible-lint", ("ansible-lint", "--offline", "--strict"), no_inventory=True)


def fast_tests() -> Iterator[Check]:
    """The tests that start no machine."""
    yield Check("pytest", (*PARALLEL, "-n", FAST_WORKERS, *SLOW), pytest=True)


def playbook_tests() -> Iterator[Check]:
    """Whole playbooks against EC2's API, killed and broken ones among them; this takes minutes."""
    argv = ("nice", "-n", str(NICENESS), *PARALLEL, "-n", "2", FAULTS, ROLES)
    yield Check("pytest, whole playbooks", argv, pytest=True)


def machine_checks() -> Iterator[Check]:
    """Machines, one after the other."""
    yield Check("pytest on machines", ("pytest", "-x", "tests/machines"), pytest=True)
    # Together, so that they share one machine and its packages are installed once
    scenarios = [word for name in SCENARIOS for word in ("--scenario-name", name)]
    yield Check("molecule, roles", (*MOLECULE, *scenarios))
    yield Check("molecule, the whole way", (*MOLECULE, "--scenario-name", "full"))


def run(check: Check, totals: Totals, shown: bool = True) -> bool:
    """Run one check, its output shown as it comes or else at its end; True when it passed."""
    if shown:
        print(f"\n=== {check.name}", flush=True)
    began = time.monotonic()
    with surroundings(check) as environ, tempfile.NamedTemporaryFile(suffix=".xml") as report:
        extra = [f"--junitxml={report.name}"] if check.pytest else []
        # pytest's report names what failed, so that its dots need not come through a pipe
        code, output = execute([*check.argv, *extra], environ, shown, kept=not check.pytest)
        if check.pytest and code in (0, 1):
            count_tests(Path(report.name), totals)
        elif code == 0:
            totals.passed += 1
        else:
            totals.fail(check.name, f"exit {code}: {reason(output, OTHER_REASON)}".rstrip(": "))
    verdict = "passed" if code == 0 else f"FAILED (exit {code})"
    took = time.monotonic() - began
    print(f"{'' if shown else output}=== {check.name}: {verdict} after {took:.0f} s", flush=True)
    return code == 0


@contextmanager
def surroundings(check: Check) -> Iterator[dict[str, str]]:
    """The environment of a check."""
    environ = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    if not check.no_inventory:
        yield environ
        return
    with warm.playbooks() as place:
        path = f"{place}{os.pathsep}{environ['PATH']}"
        own = {"ANSIBLE_INVENTORY": NO_INVENTORY, "ANSIBLE_INVENTORY_ENABLED": NO_PLUGIN}
        yield environ | own | {"PATH": path}


def execute(argv: list[str], environ: dict[str, str], shown: bool, kept: bool) -> tuple[int, str]:
    """Run a command and return its exit code and, unless it is only shown, its output."""
    if shown and not kept:
        return subprocess.run(argv, cwd=ROOT, env=environ, check=False).returncode, ""
    if shown:
        # As it comes, and as it were without a pipe
        environ |= {"PYTHONUNBUFFERED": "1"} | ({"ANSIBLE_FORCE_COLOR": "1"} if TERMINAL else {})
    lines = []
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if shown:
                print(line, end="", flush=True)
    return process.returncode, "".join(lines)


def run_fast(totals: Totals) -> bool:
    """Everything that starts no machine; True when all passed."""
    return run_beside(fast_tests(), linters(), totals)


def run_long(totals: Totals) -> bool:
    """Everything that takes minutes; True when all passed."""
    return run_beside(machine_checks(), playbook_tests(), totals)


def run_beside(checks: Iterator[Check], others: Iterator[Check], totals: Totals) -> bool:
    """Run the others at the same time, each shown at its end; True when all passed."""
    counted = Totals()
    with ThreadPoolExecutor(1) as beside:
        second = beside.submit(run_all, others, counted, shown=False)
        first = run_all(checks, totals)
    totals.add(counted)
    return second.result() and first


def run_all(checks: Iterator[Check], totals: Totals, shown: bool = True) -> bool:
    """Run each of them, failed ones notwithstanding; True when all passed."""
    results = [run(check, totals, shown) for check in checks]
    return all(results)


def count_tests(report: Path, totals: Totals) -> None:
    """Add what pytest wrote to its JUnit report."""
    root = ElementTree.parse(report).getroot()
    for suite in root.iter("testsuite"):
        tests, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        totals.passed += tests - skipped - failed
        totals.skipped += skipped
    for case in root.iter("testcase"):
        for bad in (*case.iter("failure"), *case.iter("error")):
            name = f"{case.get('classname')}::{case.get('name')}"
            totals.fail(name, textwrap.shorten(bad.get("message", ""), REASON))


def main() -> int:
    """0 when every check passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    few = parser.add_mutually_exclusive_group()
    few.add_argument("--fast", action="store_true", help="start no machine")
    few.add_argument("--lint", action="store_true", help="lint and types alone")
    options = parser.parse_args()
    totals = Totals()
    good = run_all(linters(), totals) if options.lint else run_fast(totals)
    if good and not (options.fast or options.lint):
        good = run_long(totals)
    elif not (options.fast or options.lint):
        print("\nNo machine was started: mend the failures above first.")
    print("\n".join(["", *totals.failures, str(totals)]), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
