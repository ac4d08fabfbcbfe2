"""The report of moto's tests: which fail without a reason, and which reasons are stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.clients.moto_tests import KINDS, Reason, read, reasons

REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_ec2.test_tags" name="test_passes"/>
<testcase classname="tests.test_ec2.test_tags" name="test_fails"><failure message="no"/></testcase>
<testcase classname="tests.test_ec2.test_tags" name="test_breaks"><error message="x"/></testcase>
<testcase classname="tests.test_ec2.test_tags" name="test_waits"><skipped/></testcase>
</testsuite></testsuites>"""


def test_a_failure_needs_a_reason_and_a_reason_a_failure(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    outcome = read(report)
    names = {word: f"test_ec2.test_tags::test_{word}" for word in ("passes", "fails", "breaks")}
    assert outcome.passed == {names["passes"]}
    assert outcome.failed == {names["fails"]: "no", names["breaks"]: "x"}
    assert len(outcome.skipped) == 1
    reasons = [Reason("test_ec2.test_tags::test_fai*", "stricter")]
    assert outcome.unexplained(reasons) == [names["breaks"]]
    assert outcome.stale(reasons) == []
    assert outcome.by_reason(reasons) == {"stricter": 1}
    assert outcome.by_kind(reasons) == {KINDS["ec2"]: 1}


@pytest.mark.parametrize(
    ("pattern", "stale"),
    [
        ("test_ec2.test_tags::test_passes", True),
        # It would hide the day on which the one that passes fails
        ("test_ec2.test_tags::*", True),
        ("test_ec2.test_tags::test_renamed", True),
        # Its file did not run
        ("test_ec2.test_amis::test_baked", False),
        ("test_ec2.test_tags::test_fails", False),
    ],
)
def test_a_reason_is_stale_unless_its_failures_need_it(
    tmp_path: Path, pattern: str, stale: bool
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert bool(read(report).stale([Reason(pattern, "once so")])) == stale


def test_every_reason_of_the_list_is_a_sentence_and_no_pattern_stands_twice() -> None:
    listed = reasons()
    assert len(listed) == len({one.pattern for one in listed})
    assert all(len(one.text.split()) >= 4 for one in listed)
    assert {one.kind for one in listed} == KINDS.keys()
