"""machine_state's parts: what several tasks want, in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.library.conftest import OWNER, Programs
from tests.machine_programs.support import load

machine_state = load.module("machine_state")

Converge = Callable[..., list[dict[str, Any]]]


def a_file(name: str, content: str = "new") -> dict[str, Any]:
    return {"path": f"/etc/{name}", "content": content, **OWNER}


@pytest.fixture
def run(root: Path, programs: Programs) -> Converge:
    def converge(*parts: dict[str, Any], check: bool = False) -> list[dict[str, Any]]:
        wanted = machine_state.valid_parts(list(parts))
        results: list[dict[str, Any]] = machine_state.converge(wanted, programs, root, check)
        return results

    return converge


def done(results: list[dict[str, Any]]) -> list[Any]:
    return [result["done"] for result in results]


def test_each_part_says_what_it_did_itself(run: Converge, programs: Programs) -> None:
    programs.unit("y.service", active="inactive")
    parts = (
        {"files": [a_file("x")]},
        {"files": [a_file("x")]},
        {"units": [{"name": "y.service", "state": "started"}], "report": ["/etc/group"]},
    )
    results = run(*parts)
    assert done(results) == [["made /etc/x"], [], ["started y.service"]]
    assert [result["changed"] for result in results] == [True, False, True]
    assert [[*result["reports"]] for result in results] == [[], [], ["/etc/group"]]
    assert all(result["seconds"] >= 0 for result in results)


def test_looks_once_for_all_parts_if_nothing_differs(run: Converge, programs: Programs) -> None:
    programs.installed = {"git", "tmux"}
    programs.unit("x.service")
    programs.unit("y.service")
    assert done(
        run(
            {"packages": ["git"], "units": [{"name": "x.service", "state": "started"}]},
            {"packages": ["tmux"], "units": [{"name": "y.service", "state": "started"}]},
            {"packages": ["git"], "units": [{"name": "x.service", "enabled": True}]},
        )
    ) == [[], [], []]
    assert [argv[0] for argv in programs.ran] == ["dpkg-query", "systemctl"]
    assert programs.ran[1][-2:] == ["x.service", "y.service"]


def test_looks_again_after_a_part_that_changed_something(programs: Programs, root: Path) -> None:
    """The package that the first part installs, and the unit that it starts, are there then."""
    programs.unit("x.service", active="inactive")
    start = {"name": "x.service", "state": "started"}

    def starting(argv: list[str]) -> tuple[int, str, str]:
        if argv[:2] == ["systemctl", "start"]:
            programs.unit(argv[2])
        return programs(argv)

    parts = machine_state.valid_parts([{"packages": ["git"], "units": [start]}] * 2)
    results = machine_state.converge(parts, starting, root, False)
    assert done(results) == [["installed git", "started x.service"], []]


def test_a_later_part_may_restart_for_what_an_earlier_one_changed(
    run: Converge, programs: Programs, root: Path
) -> None:
    (root / "etc/shared").write_text("old")
    programs.unit("x.service")
    unit = {"name": "x.service", "state": "started", "restart_on": ["/etc/shared"]}
    run({"units": [unit]})
    assert done(run({"files": [a_file("shared")]}, {"units": [unit]})) == [
        ["changed /etc/shared"],
        ["restarted x.service"],
    ]


def test_stops_at_the_first_part_that_fails(run: Converge, programs: Programs, root: Path) -> None:
    programs.unit("x.service", active="inactive")
    programs.fails["systemctl start"] = "no"
    results = run(
        {"files": [a_file("first")]},
        {"files": [a_file("second")], "units": [{"name": "x.service", "state": "started"}]},
        {"files": [a_file("third")]},
    )
    assert done(results) == [["made /etc/first"], ["made /etc/second"]]
    assert "failed" not in results[0]
    assert results[1]["msg"].startswith("systemctl start x.service failed")
    assert not (root / "etc/third").exists()


def test_a_run_that_is_killed_between_parts_goes_on_the_next_time(
    run: Converge, programs: Programs, root: Path
) -> None:
    (root / "etc/shared").write_text("old")
    programs.unit("x.service")
    unit = {"name": "x.service", "state": "started", "restart_on": ["/etc/shared"]}
    run({"units": [unit]})

    def killed(argv: list[str]) -> tuple[int, str, str]:
        raise KeyboardInterrupt

    parts = machine_state.valid_parts([{"files": [a_file("shared")]}, {"units": [unit]}])
    with pytest.raises(KeyboardInterrupt):
        machine_state.converge(parts, killed, root, False)
    assert (root / "etc/shared").read_text() == "new"
    assert done(machine_state.converge(parts, programs, root, False)) == [
        [],
        ["restarted x.service"],
    ]


def test_what_only_its_own_task_can_explain_is_left_to_it(
    run: Converge, programs: Programs, root: Path
) -> None:
    """Arguments that are not valid, and a failure that nobody foresaw."""
    assert run({"packages": ["git"], "unheard": "of"}) == []

    def broken(argv: list[str]) -> tuple[int, str, str]:
        raise ValueError

    parts = machine_state.valid_parts([{"files": [a_file("x")]}, {"packages": ["git"]}])
    (first,) = machine_state.converge(parts, broken, root, False)
    assert first["done"] == ["made /etc/x"]
    with pytest.raises(ValueError):
        machine_state.converge(parts[1:], broken, root, False)


def test_check_mode_changes_nothing_in_any_part(run: Converge, root: Path) -> None:
    results = run({"files": [a_file("x")]}, {"packages": ["git"]}, check=True)
    assert done(results) == [["made /etc/x"], ["installed git"]]
    assert not (root / "etc/x").exists()


def test_seeks_directories(run: Converge, root: Path) -> None:
    (root / "etc/file").touch()
    (result,) = run({"seek": ["/etc", "/etc/file", "/etc/none", "~nobody-of-that-name/x"]})
    assert result["seen"] == ["/etc"]
