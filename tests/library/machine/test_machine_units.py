"""machine_state's groups, units and reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.library.conftest import Programs
from tests.machine_programs.support import load

machine_state = load.module("machine_state")
machine_files = load.module("ansible.module_utils.machine_files")
MachineError = machine_files.MachineError


def test_puts_a_user_in_a_group_once(
    converge: Callable[..., Any], programs: Programs, root: Path
) -> None:
    assert converge(groups={"ubuntu": ["docker"]}).sentences == ["put ubuntu in docker"]
    assert programs.ran == [["usermod", "-aG", "docker", "ubuntu"]]
    (root / "etc/group").write_text("docker:x:999:me,ubuntu\n")
    assert converge(groups={"ubuntu": ["docker"]}).sentences == []


def test_starts_and_enables_a_new_unit(converge: Callable[..., Any], programs: Programs) -> None:
    programs.unit("x.service", active="inactive", file="disabled")
    path = "/etc/systemd/system/x.service"
    state = converge(
        files=[{"path": path, "content": "[Unit]\n"}],
        units=[{"name": "x.service", "enabled": True, "state": "started"}],
    )
    assert state.sentences[1:] == ["enabled x.service", "started x.service"]
    assert programs.verbs() == ["daemon-reload", "enable x.service", "start x.service"]


@pytest.mark.parametrize(
    ("active", "unit", "verbs"),
    [
        ("active", {"state": "started"}, []),
        ("failed", {"state": "started"}, ["start x.service"]),
        ("active", {"state": "started", "restart_on": ["/etc/x"]}, ["restart x.service"]),
        ("active", {"state": "started", "reload_on": ["/etc/x"]}, ["reload x.service"]),
        ("failed", {"state": "started", "reload_on": ["/etc/x"]}, ["start x.service"]),
        ("active", {"restart_on": ["/etc/x"]}, ["restart x.service"]),
        ("inactive", {"restart_on": ["/etc/x"]}, []),
        ("active", {"state": "started", "restart_on": ["/etc/other"]}, []),
        ("active", {"state": "stopped", "restart_on": ["/etc/x"]}, ["stop x.service"]),
        ("inactive", {"state": "stopped"}, []),
        ("active", {"enabled": False}, ["disable x.service"]),
        ("active", {"state": "started", "mount": "/mnt"}, []),
        ("active", {"state": "started", "mount": "/mnt/gone"}, ["restart x.service"]),
        ("failed", {"state": "started", "mount": "/mnt/gone"}, ["start x.service"]),
        # A boot under way: the verdict is waited for
        ("activating", {"state": "started"}, ["start x.service"]),
    ],
)
def test_takes_the_least_steps(
    converge: Callable[..., Any],
    programs: Programs,
    active: str,
    unit: dict[str, Any],
    verbs: list[str],
) -> None:
    programs.unit("x.service", active=active)
    converge(files=[{"path": "/etc/x", "content": "new"}], units=[{"name": "x.service", **unit}])
    assert programs.verbs() == verbs


def test_a_unit_learns_of_a_change_whose_run_was_killed(
    converge: Callable[..., Any], programs: Programs
) -> None:
    programs.unit("x.service")
    wanted = {
        "files": [{"path": "/etc/x", "content": "new"}],
        "units": [{"name": "x.service", "state": "started", "restart_on": ["/etc/x"]}],
    }
    programs.fails["systemctl show"] = "Connection lost"
    with pytest.raises(MachineError, match="Connection lost"):
        converge(**wanted)
    programs.fails.clear()
    # Another role's run between does not forget it
    converge(files=[{"path": "/etc/y", "content": "other"}])
    assert converge(**wanted).sentences == ["restarted x.service"]
    assert converge(**wanted).sentences == []


def test_a_unit_learns_of_a_change_that_another_roles_run_made(
    converge: Callable[..., Any], programs: Programs
) -> None:
    programs.unit("x.service")
    unit = {"name": "x.service", "state": "started", "restart_on": ["/usr/lib/shared"]}
    shared = {"path": "/usr/lib/shared", "content": "old"}
    assert converge(files=[shared]).sentences == ["made /usr/lib/shared"]
    # A unit that runs already has run with what is there
    assert converge(units=[unit]).sentences == []
    converge(files=[{**shared, "content": "new"}])
    assert converge(units=[unit]).sentences == ["restarted x.service"]
    assert converge(units=[unit]).sentences == []


def test_check_mode_notes_nothing_of_what_a_unit_runs_with(
    converge: Callable[..., Any], programs: Programs, root: Path
) -> None:
    programs.unit("x.service")
    wanted = {
        "files": [{"path": "/etc/x", "content": "new"}],
        "units": [{"name": "x.service", "state": "started", "restart_on": ["/etc/x"]}],
    }
    assert converge(check=True, **wanted).sentences == ["made /etc/x", "restarted x.service"]
    assert not (root / machine_state.RUNS_WITH.lstrip("/")).exists()
    assert converge(**wanted).sentences == ["made /etc/x", "restarted x.service"]


def test_shows_the_journal_of_a_failing_unit(
    converge: Callable[..., Any], programs: Programs
) -> None:
    programs.unit("x.service", active="failed")
    programs.fails["systemctl start"] = "Job failed."
    with pytest.raises(MachineError, match=r"start x.service failed: the disk said no\nSee more"):
        converge(units=[{"name": "x.service", "state": "started"}])


def test_an_unknown_unit_is_an_error(converge: Callable[..., Any]) -> None:
    with pytest.raises(MachineError, match=r"systemd has no unit x\.service"):
        converge(units=[{"name": "x.service", "state": "started"}])


def test_reports_the_files_that_are_there(converge: Callable[..., Any], root: Path) -> None:
    (root / "etc/x.json").write_text('{"a": 1}')
    state = converge(report=["/etc/x.json", "/etc/none"])
    assert state.reports() == {"/etc/x.json": '{"a": 1}'}


def test_asks_the_programs_that_are_there_beside_the_files(
    converge: Callable[..., Any], root: Path
) -> None:
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/cloudtop-look").touch()
    state = converge(ask=["/usr/local/bin/cloudtop-look", "/usr/local/bin/none"])
    assert state.reports() == {"/usr/local/bin/cloudtop-look": ""}
    assert state.run.ran[-1] == ["/usr/local/bin/cloudtop-look"]
