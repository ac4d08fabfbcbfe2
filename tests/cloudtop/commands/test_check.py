"""``--check``: on every command that changes something; it neither asks nor calls the machine."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import runner
from cloudtop.aws.find import Machine, Request, Resources, Volume
from cloudtop.command import Context, enter, parser, run_playbooks
from cloudtop.commands import rehearse, watch
from cloudtop.errors import CloudtopError
from cloudtop.machine import save_work
from cloudtop.machine import watch as waiting
from cloudtop.playbooks import run
from cloudtop.playbooks.deeds import CHANGE, END
from cloudtop.playbooks.forecast import Forecast
from cloudtop.settings import clouds, settings

ROWS = [row for rows in runner.COMMANDS.values() for row in rows]
# They change nothing, but for the command of ssh; ssh-config without --write only shows
LOOKS = {"doctor", "ssh", "ssh-config", "status", "prices", "bid"}
NEEDS = {"restore": ["good"]}
MACHINE = Machine("i-1", state="running", public_ip_address="127.77.0.5")


# The drill's other options, as the parser leaves them
CALL = {"trace": None, "no_notice": False, "notice": 120.0, "keep_down": 0.0}


class Call(Context):
    """A call of the command line in which EC2 shows what the test says."""

    shown: Resources

    def find(self) -> Resources:
        return self.shown


def context(behavior: str = "terminate", **options: Any) -> Call:
    given = Namespace(**{"yes": False, "verbose": 0, **options})
    call = Call(given, settings.load(), clouds.load("rehearsal"), (), (), Forecast())
    request = Request("sir-1", "active", instance_interruption_behavior=behavior)
    object.__setattr__(call, "shown", Resources(request, MACHINE, Volume("vol-1")))
    return call


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS} - LOOKS))
def test_every_command_that_changes_something_has_it(name: str) -> None:
    options = parser(runner.COMMANDS, "").parse_args([name, "--check", *NEEDS.get(name, [])])
    assert options.check


def test_a_list_for_programs_is_no_plan_in_words() -> None:
    options = parser(runner.COMMANDS, "").parse_args(["snapshot", "--check", "--json"])
    with pytest.raises(CloudtopError, match="--json is for programs"):
        enter(options, settings.load(), (), ())


def test_no_work_is_saved_on_a_machine_that_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def calls(*_: object) -> None:
        raise AssertionError("the machine was called")

    monkeypatch.setattr(save_work, "Conversation", calls)
    here = context()
    save_work.check(here, [MACHINE], None)
    with save_work.ending(here, [MACHINE], None):
        pass


@pytest.mark.parametrize(("behavior", "verb"), [("terminate", END), ("stop", CHANGE)])
def test_a_drill_says_which_machine_it_takes_away(
    behavior: str, verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(clouds, "take_away", lambda *_: pytest.fail("it was taken away"))
    own = {"times": 1, "stop": behavior == "stop", "watched": True, "json": False}
    here = context(behavior, **own, **CALL)
    rehearse.run(here)
    assert here.forecast is not None
    (item,) = here.forecast.more
    assert (item.verb, item.name) == (verb, "i-1")
    assert list(tmp_path.iterdir()) == []


def test_a_watch_looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "run", lambda *_: None)
    monkeypatch.setattr(waiting, "Watch", lambda *_: pytest.fail("it watches"))
    watch.run(context(every=15.0, notify=None, once=False))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[run.Run]:
    """The playbooks that were run."""
    playbooks: list[run.Run] = []
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(run, "run", lambda wanted, *_: playbooks.append(wanted))
    return playbooks


def test_playbooks_run_in_check_mode(ran: list[run.Run]) -> None:
    run_playbooks(context(), ["cloud.yml"])
    run_playbooks(replace(context(), forecast=None), ["cloud.yml"])
    assert [each.dry for each in ran] == [True, False]


def test_roles_are_not_tried_on_a_machine_that_another_one_follows(ran: list[run.Run]) -> None:
    here = context()
    assert here.forecast is not None
    answer = {"changed": True, "cancelled": ["sir-1"], "terminated": ["i-1"]}
    data = {"task_action": "ec2_spot_request_end", "res": answer}
    here.forecast.event({"event": "runner_on_ok", "event_data": data})
    run_playbooks(here, ["cloud.yml", "machine.yml"])
    assert [each.playbook.name for each in ran] == ["cloud.yml"]
    assert "roles on the machine run once the new one is there" in here.forecast.later[0]


@pytest.mark.parametrize("playbooks", [("machine.yml",), ("cloud.yml", "machine.yml")])
def test_what_is_not_there_is_refused_unless_the_command_itself_makes_it(
    ran: list[run.Run], playbooks: tuple[str, ...]
) -> None:
    here = replace(context(), playbooks=playbooks)
    assert here.forecast is not None
    here.forecast.refused.append("There is no live request; run: python runner.py provision")
    if playbooks == ("machine.yml",):
        with pytest.raises(CloudtopError, match="There is no live request"):
            run_playbooks(here, playbooks)
    else:
        run_playbooks(here, playbooks)
        assert "No machine runs that could be looked at" in here.forecast.later[0]
