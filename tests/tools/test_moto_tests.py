"""The report of moto's tests: which fail without a reason, and which reasons are stale."""

from __future__ import annotations

from pathlib import Path

from tools.clients.moto_tests import read

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
    reasons = {names["fails"]: "stricter", names["passes"]: "once so"}
    assert outcome.unexplained(reasons) == [names["breaks"]]
    assert outcome.stale(reasons) == [names["passes"]]
