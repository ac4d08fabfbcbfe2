"""cloudtop-reap: the steps before the end, each of them whatever became of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.machine_programs.support.imds import ec2_time
from tests.machine_programs.support.reaped import Reaped
from tests.machine_programs.support.saved import Tree


@pytest.fixture
def machine(tmp_path: Path) -> Reaped:
    return Reaped(tmp_path)


@pytest.fixture
def tree(machine: Reaped) -> Tree:
    tree = Tree(machine.array / "project")
    tree.write("file", "changed\n")
    return tree


def test_saves_tells_and_unmounts(machine: Reaped, tree: Tree) -> None:
    due = machine.notice("terminate", 100)
    output = machine.reap()
    assert machine.steps == machine.all_steps
    warning = (machine.tree / "wall").read_text()
    assert f"EC2 takes this machine away (terminate) at {due.partition('T')[2]}, in " in warning
    assert "Saved: 1 git work trees, 0 other places" in warning
    assert f"{machine.volume} is unmounted." in warning
    assert "Not all of" not in output


def test_the_journal_has_a_line_of_it(machine: Reaped, tree: Tree) -> None:
    due = machine.notice("stop", 100)
    machine.reap()
    (line,) = machine.journal
    saved = line.pop("saved")
    assert line.pop("time") <= due
    assert line == {"event": "notice", "instance": "i-0abc", "action": "stop", "due": due}
    (tree_report,) = saved["trees"]
    assert saved["directory"].startswith(f"{machine.volume}/.cloudtop/saved/20")
    assert saved["directory"].endswith("-i-0abc")
    assert (tree_report["path"], tree_report["files"], tree_report["complete"]) == (
        str(tree.place),
        1,
        True,
    )
    assert saved["bytes"] == tree_report["bytes"]
    assert saved["seconds"] >= 0


def test_the_journal_says_why(machine: Reaped) -> None:
    machine.stub("cloudtop-reap-journal", 'echo "$*" >>"$TREE/asked"; echo instance-terminated-x')
    machine.hook(
        "wait",
        'until [ -s "$RUN/reap.why" ]; do :; done'.replace("$RUN", str(machine.tree / "run")),
    )
    machine.reap()
    assert machine.journal[0]["why"] == "instance-terminated-x"
    assert (machine.tree / "asked").read_text() == "/etc/cloudtop/persistent-mount.conf why\n"


def test_without_a_reason_the_line_is_there_all_the_same(machine: Reaped) -> None:
    machine.stub("cloudtop-reap-journal", "exit 1")
    (machine.tree / "run/reap.why").write_text("of an earlier one")
    machine.reap()
    assert "why" not in machine.journal[0]


def test_lines_are_added_to_the_journal(machine: Reaped) -> None:
    for seconds in (100, 110):
        machine.mounted()
        machine.notice(seconds=seconds)
        machine.reap()
    assert [line["event"] for line in machine.journal] == ["notice", "notice"]
    assert machine.journal[0]["saved"]["directory"] is None
    assert machine.saved_files() == []


def test_for_one_notice_it_runs_once(machine: Reaped, tree: Tree) -> None:
    machine.reap()
    before = machine.log
    assert "was done already" in machine.reap()
    assert machine.log == before


@pytest.mark.parametrize("seconds", [0, -30])
def test_acts_at_once_where_there_is_no_time(machine: Reaped, tree: Tree, seconds: float) -> None:
    machine.notice("hibernate", seconds)
    machine.reap()
    assert machine.steps == machine.all_steps
    assert machine.journal[0]["saved"]["trees"][0]["complete"] is True


def test_hooks_run_in_order_and_know_what_happens(machine: Reaped, tree: Tree) -> None:
    for name in ("20-second", "10-first"):
        machine.hook(
            name,
            f'echo "{name} $CLOUDTOP_REAP_TIME $CLOUDTOP_REAP_ACTION" >>"$TREE/hooks"\n'
            '[ -e "$CLOUDTOP_SAVED_DIR/project/complete" ] && echo told',
        )
    machine.hook("30-off", 'echo off >>"$TREE/hooks"', 0o644)
    (machine.hooks / "00-directory").mkdir()
    due = machine.notice("stop")
    assert machine.reap().count("told\n") == 2
    lines = (machine.tree / "hooks").read_text().splitlines()
    assert lines == [f"10-first {due} stop", f"20-second {due} stop"]


def test_what_a_hook_saves_is_kept(machine: Reaped) -> None:
    machine.hook("dump", 'echo dump >"$CLOUDTOP_SAVED_DIR/dump"')
    machine.reap()
    assert [name.partition("/")[2] for name in machine.saved_files()] == ["", "dump"]


def test_a_hook_that_hangs_or_fails_costs_the_others_nothing(machine: Reaped) -> None:
    machine.settings["hook_timeout"] = 1
    machine.hook("1-hangs", "trap '' TERM; exec tail -f /dev/null")
    machine.hook("2-fails", "exit 3")
    machine.hook("3-works", 'echo works >>"$TREE/hooks"')
    output = machine.reap()
    assert f"{machine.hooks}/1-hangs ended with 1" in output
    assert f"{machine.hooks}/2-fails ended with 3" in output
    assert (machine.tree / "hooks").read_text() == "works\n"
    assert machine.steps == machine.all_steps


def test_a_hook_without_a_first_line_is_the_shells(machine: Reaped) -> None:
    place = machine.hooks / "plain"
    place.write_text('echo "works" >>"$TREE/hooks"\n')
    place.chmod(0o755)
    machine.reap()
    assert (machine.tree / "hooks").read_text() == "works\n"


@pytest.mark.parametrize("name", ["hook_timeout", "margin", "least", "tell_timeout"])
def test_a_length_that_is_no_number_does_not_stop_the_end(machine: Reaped, name: str) -> None:
    machine.settings[name] = "soon"
    assert f"{name} is 'soon', which is no number of seconds" in machine.reap()
    assert machine.steps == machine.all_steps


@pytest.mark.parametrize("missing", ["spot-guard.conf", "run/spot-guard.notice"])
def test_without_its_notice_or_settings_it_says_so(machine: Reaped, missing: str) -> None:
    config = machine.config()
    (machine.tree / missing).unlink()
    done = machine.run("cloudtop-reap", "end", str(config))
    assert done.returncode == 1
    assert str(machine.tree / missing) in done.stderr
    assert "Traceback" not in done.stderr
    assert machine.steps == []


@pytest.mark.parametrize("name", ["report", "done", "why", "step", "stopped"])
def test_a_run_directory_that_takes_no_file_stops_no_step(
    machine: Reaped, tree: Tree, name: str
) -> None:
    (machine.tree / f"run/reap.{name}").mkdir()
    (machine.tree / f"run/reap.{name}/file").touch()
    machine.reap()
    assert machine.steps == machine.all_steps
    assert machine.journal[0]["saved"]["trees"][0]["complete"] is True


def test_a_journal_that_takes_no_line_says_why(machine: Reaped) -> None:
    (machine.volume / ".cloudtop/reaps.jsonl").mkdir(parents=True)
    assert "The journal of reaps has no line of this: " in machine.reap()
    assert machine.steps == machine.all_steps


def test_hooks_without_time_left_are_named(machine: Reaped) -> None:
    machine.settings |= {"least": 0, "margin": 0}
    machine.hook("late", "exit 0")
    machine.notice(seconds=-60)
    assert f"There is no time left for {machine.hooks}/late." in machine.reap()
    assert machine.steps == machine.all_steps


@pytest.mark.parametrize("broken", ["wall", "git", "jq", "getent", "find", "df", "xargs"])
def test_a_step_that_fails_does_not_stop_the_next(machine: Reaped, tree: Tree, broken: str) -> None:
    machine.hook("works", 'echo works >>"$TREE/hooks"')
    machine.stub(broken, "exit 1")
    machine.reap()
    assert (machine.tree / "hooks").read_text() == "works\n"
    assert machine.steps == machine.all_steps


def test_an_instance_id_that_is_none_stays_out_of_paths(machine: Reaped, tree: Tree) -> None:
    place = machine.tree / "run/spot-guard.notice"
    place.write_text(f"action=stop\ndue={ec2_time(90)}\ninstance=../../x\n")
    machine.reap()
    assert machine.journal[0]["instance"] == "unknown"
    assert machine.journal[0]["saved"]["directory"].endswith("-unknown")


def test_a_recommendation_warns_and_stops_nothing(machine: Reaped) -> None:
    since = ec2_time(-1)
    (machine.tree / "run/spot-guard.rebalance").write_text(f"since={since}\ninstance=i-0abc\n")
    machine.reap("rebalance")
    (line,) = machine.journal
    line.pop("time")
    assert line == {"event": "rebalance", "instance": "i-0abc", "since": since}
    assert "save your work" in (machine.tree / "wall").read_text()
    assert machine.steps == []


def test_refuses_another_word(machine: Reaped) -> None:
    done = machine.run("cloudtop-reap", "begin", str(machine.config()))
    assert done.returncode == 2
    assert done.stderr.startswith("'begin' is none of end, whole, rebalance")


def test_a_save_of_many_trees_is_in_the_journal_and_in_the_report(machine: Reaped) -> None:
    """Longer than an argument of a program can be."""
    tree = {"path": "/mnt/ephemeral/" + "x" * 200, "complete": True, "files": 1, "bytes": 1}
    saved = {"directory": None, "trees": [tree] * 1000, "paths": [], "bytes": 1000}
    lib = machine.tree / "many"
    lib.mkdir()
    (lib / "saved.json").write_text(json.dumps(saved))
    (lib / "save-work").write_text(f"print(open({str(lib / 'saved.json')!r}).read())\n")
    machine.settings["lib"] = lib
    machine.notice()
    machine.reap()
    assert len(machine.journal[-1]["saved"]["trees"]) == 1000
    report = json.loads((machine.tree / "run/reap.report").read_text())
    assert len(report["saved"]["trees"]) == 1000
