"""``stop`` and ``start``: what is said, and when a machine is made ready for its stop."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from cloudtop.aws.find import Address, Machine, Request, Resources, Volume
from cloudtop.command import Context
from cloudtop.commands import power
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import need_machine
from cloudtop.machine import save_work, status, summary
from cloudtop.settings import clouds, settings
from module_utils import cloudtop_rules as rules


class Call(Context):
    """A call of the command line in which EC2 shows what the test says."""

    shown: Resources

    def find(self) -> Resources:
        return self.shown


def context(resources: Resources, **options: Any) -> Call:
    given = Namespace(**{"yes": False, "verbose": 0, **options})
    call = Call(given, settings.load(), clouds.load("rehearsal"), ("stop.yml",))
    object.__setattr__(call, "shown", resources)
    return call


def resources(state: str, request: str, code: str, kind: str = "persistent") -> Resources:
    return Resources(
        request=Request("sir-1", request, code, "As it is.", type=kind, image_id="ami-1"),
        instance=Machine("i-1", "i3.4xlarge", state, "us-east-1a"),
        volume=Volume("vol-1", "in-use", 50, "us-east-1a"),
    )


RUNNING = resources("running", "active", "fulfilled")
STOPPED = resources("stopped", "disabled", rules.STOPPED_BY_OWNER[0])


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that were run, in order."""
    steps: list[str] = []

    def playbooks(_context: Context, names: Any) -> dict[str, int]:
        steps.extend(names)
        return {}

    @contextmanager
    def ending(_context: Context, doomed: Any, _volume: Any, action: str) -> Iterator[None]:
        steps.extend(f"save for {action}" for _ in doomed)
        yield

    monkeypatch.setattr(power, "run_playbooks", playbooks)
    monkeypatch.setattr(save_work, "ending", ending)
    return steps


def test_work_is_saved_before_a_stop_and_what_still_costs_money_is_told(
    ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    power.stop(context(RUNNING))
    assert ran == ["save for stop", "stop.yml"]
    text = capsys.readouterr().out
    assert "/mnt/ephemeral is lost" in text
    # 50 GiB and 16 GiB at $0.08
    assert "volume still costs $4.00 and the root disk $1.28 a month" in text
    assert "python runner.py start" in text


def test_a_stopped_one_is_told_to_be(ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    power.stop(context(STOPPED))
    assert ran == ["stop.yml"]
    assert "i-1 is stopped already; nothing was changed" in capsys.readouterr().out


def test_an_elastic_ip_goes_on_costing(ran: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    power.stop(context(replace(STOPPED, address=Address("eipalloc-1", "203.0.113.7"))))
    text = capsys.readouterr().out
    # 730 hours at 0.005, as costs.worst_month has it
    assert "volume still costs $4.00, its Elastic IP $3.65 and the root disk $1.28" in text
    assert "the machine costs nothing" in text


def test_a_machine_that_cannot_be_stopped_is_not_made_ready_for_it(ran: list[str]) -> None:
    for one in (
        resources("running", "active", "fulfilled", "one-time"),
        resources("stopped", "disabled", "instance-stopped-no-capacity"),
        resources("running", "open", "instance-terminated-no-capacity"),
        Resources(None, None, None),
    ):
        power.stop(context(one))
    assert ran == ["stop.yml"] * 4


def test_status_of_a_stopped_one_says_how_it_comes_back() -> None:
    report = status.gather(settings.load(), clouds.load("rehearsal"), STOPPED)
    text = summary.render(report)
    assert "stopped      by you, or as it was idle; to have it back: python runner.py start" in text
    assert "log in" not in text
    with pytest.raises(CloudtopError) as refused:
        need_machine(settings.load(), clouds.load("rehearsal"), STOPPED)
    assert refused.value.hint == "Try: python runner.py start"


def test_status_shows_how_long_nobody_has_worked() -> None:
    report = status.gather(settings.load(), clouds.load("rehearsal"), RUNNING)
    machine = {"idle": {"state": "idle", "message": "idle 12 min of 30"}}
    assert "idle         idle 12 min of 30" in summary.render(replace(report, machine=machine))
