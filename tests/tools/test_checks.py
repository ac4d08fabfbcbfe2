"""Totals and failures at the end of `make test`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from tools.checks.reason import reason
from tools.checks.run import BIN, MOLECULE, Check, Totals, run, run_beside

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


PLAYS = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - block:
        - name: Refused
          ansible.builtin.fail: {msg: as it should be}
      rescue:
        - name: Rescued
          ansible.builtin.debug: {msg: fine}
    - name: Ensure {{ 'it' }} is asked
      ansible.builtin.command: sh -c 'echo seen; echo why >&2; exit 7'
    - name: Never
      ansible.builtin.debug: {msg: not reached}
"""


@pytest.mark.parametrize("coloured", ["0", "1"])
def test_a_failed_playbook_shows_its_task_and_reason(tmp_path: Path, coloured: str) -> None:
    (tmp_path / "plays.yml").write_text(PLAYS)
    command = f"ANSIBLE_FORCE_COLOR={coloured} ansible-playbook -i localhost, {tmp_path}/plays.yml"
    totals = Totals()
    assert not run(Check("plays", ("sh", "-c", command)), totals)
    (failure,) = totals.failures
    assert failure.startswith("FAILED plays: exit 2: Ensure it is asked: ")
    assert "stderr: why stdout: seen" in failure
    assert "as it should be" not in failure


def test_molecule_shows_a_failure_as_ansible_does(tmp_path: Path) -> None:
    scenario = tmp_path / "molecule" / "default"
    scenario.mkdir(parents=True)
    (scenario / "molecule.yml").write_text("prerun: false\nscenario: {test_sequence: [verify]}\n")
    (scenario / "verify.yml").write_text(PLAYS)
    totals = Totals()
    command = shlex.join(MOLECULE)
    assert not run(Check("it", ("sh", "-c", f"cd '{tmp_path}' && {command}")), totals)
    assert totals.failures[0].startswith("FAILED it: exit 2: Ensure it is asked: ")


@pytest.mark.parametrize("shown", [True, False])
def test_any_other_failure_ends_with_the_end_of_its_output(
    shown: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    totals = Totals()
    script = "echo first; seq 2000; echo 'file.py:3: too long' >&2; exit 5"
    assert not run(Check("lint", ("sh", "-c", script)), totals, shown)
    (failure,) = totals.failures
    assert failure.startswith("FAILED lint: exit 5: ")
    assert failure.endswith("1999 / 2000 / file.py:3: too long")
    seen = capfd.readouterr().out
    assert seen.count("first\n1\n2\n") == 1
    assert seen.endswith("file.py:3: too long\n=== lint: FAILED (exit 5) after 0 s\n")


def test_the_end_of_a_long_line_is_shown() -> None:
    assert reason("word " * 1000 + "end", 40) == "[...] word word word word word word end"
    assert len(reason("x" * 1000, 40)) == 40
    assert reason("", 40) == ""


def test_a_result_that_is_no_json_is_shown_unchanged() -> None:
    assert reason("TASK [A] ***\nfatal: [h]: FAILED! => {broken", 60) == "A: {broken"
    assert reason('failed: [h] (item=1) => {"rc": 3}', 60) == 'a task: {"rc": 3}'


def test_a_linter_takes_no_file_of_the_work_tree_for_an_inventory(
    capfd: pytest.CaptureFixture[str],
) -> None:
    check = Check("settings", ("ansible-config", "dump", "--only-changed"), no_inventory=True)
    assert run(check, Totals())
    settings = capfd.readouterr().out
    assert "DEFAULT_HOST_LIST(env: ANSIBLE_INVENTORY) = ['/dev/null']\n" in settings
    assert "INVENTORY_ENABLED(env: ANSIBLE_INVENTORY_ENABLED) = ['ini']\n" in settings


def test_a_linters_playbooks_share_one_start_of_ansible(
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen = "head -n 1 $(command -v ansible-playbook)"
    for no_inventory in (True, False):
        assert run(Check("it", ("sh", "-c", seen), no_inventory=no_inventory), Totals())
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("#!")]
    shared, own = lines
    assert "/warm-" in shared
    assert own == (BIN / "ansible-playbook").read_text().partition("\n")[0]


def test_any_other_check_counts_as_one() -> None:
    totals = Totals()
    assert run(Check("good", ("true",)), totals)
    assert not run(Check("bad", ("false",)), totals)
    whole = Totals(passed=2, skipped=1)
    whole.add(totals)
    assert str(whole) == "3 passed, 1 failed, 1 skipped"
    assert whole.failures == ["FAILED bad: exit 1"]


def test_checks_beside_run_at_the_same_time_and_count(tmp_path: Path) -> None:
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
