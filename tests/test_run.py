"""What the end of `make test` says of the checks that ran."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.run import Check, Totals, run, run_beside

SUITE = """
import pytest
def test_good(): pass
def test_bad(): assert "seen" == "wanted"
@pytest.fixture
def broken(): raise OSError("no machine")
def test_without_its_fixture(broken): pass
@pytest.mark.skip
def test_skipped(): pass
"""


def pytest_on(place: Path, text: str) -> Check:
    (place / "test_it.py").write_text(text)
    argv = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(place))
    return Check("a suite", (*argv, str(place)), pytest=True)


def test_each_test_is_counted_and_each_failure_named(tmp_path: Path) -> None:
    totals = Totals()
    assert not run(pytest_on(tmp_path, SUITE), totals)
    assert str(totals) == "1 passed, 2 failed, 1 skipped"
    bad, errored = totals.failures
    assert bad.startswith("FAILED test_it::test_bad: AssertionError: assert 'seen' == 'wanted'")
    assert errored.startswith("FAILED test_it::test_without_its_fixture: ")
    assert "no machine" in errored


def test_suite_that_cannot_start_is_one_failure(tmp_path: Path) -> None:
    totals = Totals()
    assert not run(pytest_on(tmp_path, "import nothing_of_this_name"), totals)
    assert totals.failed >= 1
    assert totals.failures


def test_reason_is_cut_short(tmp_path: Path) -> None:
    totals = Totals()
    long = "def test_long():\n    raise ValueError('word ' * 1000)\n"
    assert not run(pytest_on(tmp_path, long), totals)
    assert len(totals.failures[0]) < 400


def test_any_other_check_counts_as_one() -> None:
    totals = Totals()
    assert run(Check("good", ("true",)), totals)
    assert not run(Check("bad", ("false",)), totals)
    whole = Totals(passed=2, skipped=1)
    whole.add(totals)
    assert str(whole) == "3 passed, 1 failed, 1 skipped"
    assert whole.failures == ["FAILED bad: exit 1"]


def test_what_runs_beside_runs_at_the_same_time_and_counts(tmp_path: Path) -> None:
    os.mkfifo(meeting := tmp_path / "meeting")
    good = Check("good", ("true",))
    # Each opens its end only once the other has, so that neither gets through alone
    reads = Check("reads", ("timeout", "60", "cat", str(meeting)))
    writes = Check("writes", ("timeout", "60", "sh", "-c", f"echo > '{meeting}'; exit 3"))
    totals = Totals()
    assert not run_beside(iter([reads]), iter([writes, good]), totals)
    assert (str(totals), totals.failures) == (
        "2 passed, 1 failed, 0 skipped",
        ["FAILED writes: exit 3"],
    )
    assert not run_beside(iter([writes]), iter([reads]), totals)
    assert run_beside(iter([good]), iter([good]), totals)
    assert str(totals) == "5 passed, 2 failed, 0 skipped"
