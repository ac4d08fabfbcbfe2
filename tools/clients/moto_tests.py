"""Moto's own tests of EC2, IAM, SSM and STS, unchanged, and which of them may fail, and why.

The list of reasons is ``moto_differences.yml`` beside this file: patterns of tests by reason. A
failure that is not in it is a fault, of the rehearsal cloud or of the list, and so is a reason that
no failure needs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import yaml

from tools.clients.moto_plugin import PACKAGES as PLACE_OF_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
REASONS = Path(__file__).with_name("moto_differences.yml")
FOLDERS = ("test_ec2", "test_iam", "test_ssm", "test_sts")
# Packages that these tests alone import, and those of moto's that stand beside the rehearsal cloud
PACKAGES = ("freezegun", "openapi-spec-validator", "py-partiql-parser")


# Kinds of reasons
KINDS = {
    "ec2": "the test does or expects what EC2 does not",
    "here": "EC2 does it, and the rehearsal cloud does not",
    "moto": "the test compares facts of moto's own, or looks at machines that act at once",
}


@dataclass(frozen=True)
class Outcome:
    """Tests by what became of them; failures have their messages."""

    passed: frozenset[str]
    failed: Mapping[str, str]
    skipped: frozenset[str]

    def unexplained(self, reasons: Sequence[Reason]) -> list[str]:
        return sorted(name for name in self.failed if not any(r.fits(name) for r in reasons))

    def stale(self, reasons: Sequence[Reason]) -> list[str]:
        """Patterns that fit a test which passes, or none that fails: either hides a fault."""
        ran = self.failed.keys() | self.passed
        return [
            reason.pattern
            for reason in reasons
            if any(map(reason.fits, self.passed))
            or (any(map(reason.of_file, ran)) and not any(map(reason.fits, self.failed)))
        ]

    def by_reason(self, reasons: Sequence[Reason]) -> dict[str, int]:
        """How many failures each reason explains, the most first."""
        counts: Counter[str] = Counter()
        for name in self.failed:
            counts.update([reason.text for reason in reasons if reason.fits(name)][:1])
        return dict(counts.most_common())

    def by_kind(self, reasons: Sequence[Reason]) -> dict[str, int]:
        """How many failures each kind of reason explains, in words."""
        kinds = {reason.text: KINDS[reason.kind] for reason in reasons}
        counts: Counter[str] = Counter()
        for text, count in self.by_reason(reasons).items():
            counts[kinds[text]] += count
        return dict(counts.most_common())


@dataclass(frozen=True)
class Reason:
    """Why the tests of a pattern fail, in which * is anything; ``kind`` is one of KINDS."""

    pattern: str
    text: str
    kind: str = "ec2"

    def fits(self, name: str) -> bool:
        words = map(re.escape, self.pattern.split("*"))
        return re.fullmatch(".*".join(words), name) is not None

    def of_file(self, name: str) -> bool:
        """Whether a test is of the same file, so that the pattern's own tests ran, too."""
        return name.partition("::")[0] == self.pattern.partition("::")[0]


def reasons() -> list[Reason]:
    """Those of the list."""
    listed = yaml.safe_load(REASONS.read_text())
    return [Reason(pattern, one["why"], one["kind"]) for one in listed for pattern in one["tests"]]


def fetched(place: Path) -> Path:
    """The folder of moto's source, of the version that is installed; pip gets it."""
    name = f"moto-{version('moto')}"
    source = place / name
    if not source.exists():
        wanted = ["--no-deps", "--no-binary", "moto", f"moto=={version('moto')}"]
        _pip("download", "--quiet", *wanted, "--dest", str(place))
        with tarfile.open(place / f"{name}.tar.gz") as archive:
            archive.extractall(place, filter="data")
    packages, list_of = place / "packages", " ".join(PACKAGES)
    mark = packages / "list"
    if not mark.exists() or mark.read_text() != list_of:
        shutil.rmtree(packages, ignore_errors=True)
        _pip("install", "--quiet", "--target", str(packages), *PACKAGES)
        mark.write_text(list_of)
    return source


def _pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)


def run(place: Path, more: Sequence[str] = ()) -> Outcome:
    """Run them; ``more`` are words for pytest."""
    source, report = fetched(place), place / "moto.xml"
    report.unlink(missing_ok=True)
    environment = {
        "PYTHONPATH": str(ROOT),
        PLACE_OF_PACKAGES: str(place / "packages"),
        "TEST_SERVER_MODE": "true",
    }
    words = more or [f"tests/{name}" for name in FOLDERS]
    subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "tools.clients.moto_plugin",
            "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "-W", "ignore",
            f"--junitxml={report}", *words,
        ],
        cwd=source, env={**os.environ, **environment}, check=False,
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
