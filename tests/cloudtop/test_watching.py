"""``watch`` and the budget: a spent one stops the machine, by the playbook, with nobody asked."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtop import clouds, farewell, paths, power, settings, watching
from cloudtop.context import Context
from tests import cloud
from tests.localcloud.clock import standing
from tests.localcloud.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A cloudtop whose machine has run for an hour, so that it has cost something."""
    monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    tags = {"cloudtop:name": "cloudtop", "cloudtop:owner": settings.login_name()}
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    with cloud.fake_cloud(tmp_path / "cloud") as running:
        for key, value in cloud.environment(running[0]).items():
            monkeypatch.setenv(key, value)
        lab = Lab(*running)
        with standing(lab.server) as clock:
            clock.now -= timedelta(hours=1)
            lab.spot_instance(
                TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": pairs}]
            )
            yield lab
            lab.tidy()


@pytest.fixture
def ran(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The playbooks that ran, of which the one that stops does as its role would."""
    names: list[str] = []

    def run(context: Context, playbooks: tuple[str, ...]) -> str:
        names.extend(playbooks)
        found = context.find()
        assert found.instance
        lab.ec2.stop_instances(InstanceIds=[found.instance["InstanceId"]])
        lab.becomes(found.instance["InstanceId"], "stopped")
        return ""

    monkeypatch.setattr(power, "run_playbooks", run)
    # The machine does not answer, which somebody would be asked about
    monkeypatch.setattr(farewell, "save_work", lambda *_: False)
    return names


def held(*given: str) -> tuple[bool, list[str]]:
    """Whether the machine is left alone, and what was told."""
    options, told = Namespace(yes=False, verbose=0), list[str]()
    context = Context(options, settings.load(given), clouds.load("rehearsal"), ("cloud.yml",))
    holds = watching.budget_holds(context, told.append)
    found = context.find()
    first = holds(found)
    # What it decided is kept for the next look
    assert holds(found) == first
    return first, told


def state(lab: Lab) -> Any:
    (reservation,) = lab.ec2.describe_instances()["Reservations"]
    return reservation["Instances"][0]["State"]["Name"]


def test_spent_budget_stops_the_machine(lab: Lab, ran: list[str]) -> None:
    stopped, told = held("cloudtop_monthly_budget=0.000001", "cloudtop_budget_action=stop")
    assert (stopped, ran, state(lab)) == (True, ["stop.yml"], "stopped")
    assert told[0].startswith("the budget is spent: ")
    assert "is stopped, as the budget says" in told[1]


def test_spent_budget_warns_and_no_more_where_that_is_set(lab: Lab, ran: list[str]) -> None:
    stopped, told = held("cloudtop_monthly_budget=0.000001")
    assert (stopped, ran, state(lab)) == (False, [], "running")
    assert len(told) == 1


@pytest.mark.parametrize("budget", ["0", "1000"])
def test_without_a_budget_or_within_it_nothing_happens(
    lab: Lab, ran: list[str], budget: str
) -> None:
    given = (f"cloudtop_monthly_budget={budget}", "cloudtop_budget_action=stop")
    assert held(*given) == (False, [])
    assert (ran, state(lab)) == ([], "running")
