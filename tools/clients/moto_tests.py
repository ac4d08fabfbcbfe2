"""Moto's own tests of EC2, IAM, SSM and STS, unchanged, and which of them may fail, and why.

The list of reasons is ``moto_differences.yml`` beside this file: tests by reason. A failure that
is not in it is a fault, of the rehearsal cloud or of the list.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import yaml

ROOT = Path(__file__).resolve().parents[2]
REASONS = Path(__file__).with_name("moto_differences.yml")
FOLDERS = ("test_ec2", "test_iam", "test_ssm", "test_sts")
# Packages that these tests alone import; those that moto itself needs are there
PACKAGES = ("freezegun",)


@dataclass(frozen=True)
class Outcome:
    """Tests by what became of them; failures have their messages."""

    passed: frozenset[str]
    failed: Mapping[str, str]
    skipped: frozenset[str]

    def unexplained(self, reasons: Mapping[str, str]) -> list[str]:
        return sorted(self.failed.keys() - reasons.keys())

    def stale(self, reasons: Mapping[str, str]) -> list[str]:
        """Tests that have a reason to fail, and pass."""
        return sorted(self.passed & reasons.keys())


def reasons() -> dict[str, str]:
    """The reason of each test that may fail."""
    by_reason = yaml.safe_load(REASONS.read_text()) if REASONS.exists() else {}
    return {name: reason for reason, names in by_reason.items() for name in names}


def fetched(place: Path) -> Path:
    """The folder of moto's source, of the version that is installed; pip gets it."""
    name = f"moto-{version('moto')}"
    source = place / name
    if not source.exists():
        wanted = ["--no-deps", "--no-binary", "moto", f"moto=={version('moto')}"]
        _pip("download", "--quiet", *wanted, "--dest", str(place))
        with tarfile.open(place / f"{name}.tar.gz") as archive:
            archive.extractall(place, filter="data")
    packages = place / "packages"
    if not packages.exists():
        _pip("install", "--quiet", "--no-deps", "--target", str(packages), *PACKAGES)
    return source


def _pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)


def run(place: Path, more: Sequence[str] = ()) -> Outcome:
    """Run them; ``more`` are words for pytest."""
    source, report = fetched(place), place / "moto.xml"
    report.unlink(missing_ok=True)
    path = os.pathsep.join([str(ROOT), str(place / "packages")])
    words = more or [f"tests/{name}" for name in FOLDERS]
    subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "tools.clients.moto_plugin",
            "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "-W", "ignore",
            f"--junitxml={report}", *words,
        ],
        cwd=source, env={**os.environ, "PYTHONPATH": path, "TEST_SERVER_MODE": "true"}, check=False,
    )  # fmt: skip
    return read(report)


def read(report: Path) -> Outcome:
    """The outcome of a run, from its report in JUnit's form."""
    passed, skipped, failed = set(), set(), {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.')}::{case.get('name')}"
        broken = case.find("failure") if case.find("failure") is not None else case.find("error")
        if broken is not None:
            failed[name] = broken.get("message") or ""
        elif case.find("skipped") is not None:
            skipped.add(name)
        else:
            passed.add(name)
    return Outcome(frozenset(passed), failed, frozenset(skipped))
