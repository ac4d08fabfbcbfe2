"""``make clients``: moto's own tests and other people's clients, unchanged, against the rehearsal
cloud. It ends with 0 if every failure has its reason in the list, and every journey was good.

Words are names of clients (``awscli``), or of moto's tests, as pytest takes them
(``tests/test_ec2/test_tags.py``); without any all are run. The cache keeps what is fetched.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tools.clients import moto_tests, others

# So many of moto's tests passed when all of them ran last
LEAST = 1279


def place() -> Path:
    """The cache, by the XDG base directory rules."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cloudtop" / "clients"


def main(words: list[str]) -> int:
    cache = place()
    cache.mkdir(parents=True, exist_ok=True)
    tests = [word for word in words if word.startswith("tests/")]
    names = [word for word in words if word not in tests]
    known = {client.name for client in others.CLIENTS}
    if unknown := [name for name in names if name not in known]:
        print(f"There is no client {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
        return 2
    good = True
    if tests or not names:
        good = _moto(cache, tests) and good
    if names or not tests:
        good = _others(cache, names) and good
    return 0 if good else 1


def _moto(cache: Path, tests: list[str]) -> bool:
    outcome, reasons = moto_tests.run(cache, tests), moto_tests.reasons()
    unexplained, stale = outcome.unexplained(reasons), outcome.stale(reasons)
    for name in unexplained:
        print(f"FAILED {name}: {outcome.failed[name].splitlines()[0][:300]}")
    for pattern in stale:
        print(f"STALE: no failure needs the reason of {pattern}; drop it from the list")
    passed = len(outcome.passed)
    if few := not tests and passed < LEAST:
        print(f"TOO FEW: {passed} of moto's tests pass, and {LEAST} have passed before")
    print(
        f"moto's tests: {passed} passed, {len(outcome.failed)} failed, of which"
        f" {len(unexplained)} without a reason, {len(outcome.skipped)} skipped by moto itself"
    )
    for counts in (outcome.by_kind(reasons), outcome.by_reason(reasons)):
        print()
        for text, count in counts.items():
            print(f"  {count:4}  {text}")
    return not (unexplained or stale or few)


def _others(cache: Path, names: list[str]) -> bool:
    reports = list(others.run(cache, names))
    for report in reports:
        if report.why and not report.absent:
            print(f"FAILED {report.client} {report.version}: {report.why}")
    print("clients")
    for report in reports:
        verdict = f"not here: {report.why}" if report.absent else _verdict(report)
        print(f"  {report.client:20} {report.version:14} {verdict}")
    for client, why in others.ABSENT.items() if not names else ():
        print(f"  {client:20} {'':14} not here: {why}")
    return all(report.absent or not report.why for report in reports)


def _verdict(report: others.Report) -> str:
    return "FAILED" if report.why else f"{report.steps} steps, good"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
