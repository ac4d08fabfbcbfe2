"""A budget that is spent: ``watch`` stops the machine, by the playbook, and ``provision`` warns."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.command import Context
from cloudtop.commands import converge, power, provision, watch
from cloudtop.settings import clouds, settings
from tests import cloud
from tests.localcloud.clock import standing
from tests.localcloud.lab import Lab

# Dollars an hour that are much even if this month is a few seconds old
PRICE = 9000


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
            lab.price(PRICE)
            lab.spot_instance(
                SpotPrice=f"{PRICE}",
                TagSpecifications=[{"ResourceType": "spot-instances-request", "Tags": pairs}],
            )
            yield lab
            lab.tidy()


@pytest.fixture
def ran(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The playbooks that ran, of which the one that stops does as its role would."""
    names: list[str] = []

    def run(context: Context, playbooks: tuple[str, ...]) -> dict[str, int]:
        names.extend(playbooks)
        resources = context.find()
        assert resources.instance
        lab.ec2.stop_instances(InstanceIds=[resources.instance.instance_id])
        lab.becomes(resources.instance.instance_id, "stopped")
        return {}

    monkeypatch.setattr(power, "run_playbooks", run)
    return names


def held(*given: str, lose_work: bool = True) -> tuple[bool, list[str]]:
    """Whether the machine is left alone, and what was told. No machine here can save work."""
    options, sentences = Namespace(yes=False, verbose=0, lose_work=lose_work), list[str]()
    context = Context(options, settings.load(given), clouds.load("rehearsal"), ("cloud.yml",))
    holds = watch.budget_holds(context, sentences.append)
    resources = context.find()
    first = holds(resources)
    # Its decision is kept for the next look
    assert holds(resources) == first
    return first, sentences


def state(lab: Lab) -> Any:
    (reservation,) = lab.ec2.describe_instances()["Reservations"]
    return reservation["Instances"][0]["State"]["Name"]


def test_spent_budget_stops_the_machine(lab: Lab, ran: list[str]) -> None:
    stopped, sentences = held("cloudtop_monthly_budget=0.000001", "cloudtop_budget_action=stop")
    assert (stopped, ran, state(lab)) == (True, ["stop.yml"], "stopped")
    assert sentences[0].startswith("the budget is spent: ")
    assert "is stopped, as the budget says" in sentences[1]


def test_a_machine_that_cannot_save_its_work_is_not_stopped(lab: Lab, ran: list[str]) -> None:
    given = ("cloudtop_monthly_budget=0.000001", "cloudtop_budget_action=stop")
    stopped, sentences = held(*given, lose_work=False)
    assert (stopped, ran, state(lab)) == (True, [], "running")
    assert "could not be stopped: " in sentences[1]
    assert "--lose-work. Next try in 3600 s." in sentences[1]


def test_spent_budget_warns_and_no_more_where_that_is_set(lab: Lab, ran: list[str]) -> None:
    stopped, sentences = held("cloudtop_monthly_budget=0.000001")
    assert (stopped, ran, state(lab)) == (False, [], "running")
    assert len(sentences) == 1


@pytest.mark.parametrize("budget", ["0", "1000000"])
def test_without_a_budget_or_within_it_nothing_happens(
    lab: Lab, ran: list[str], budget: str
) -> None:
    given = (f"cloudtop_monthly_budget={budget}", "cloudtop_budget_action=stop")
    assert held(*given) == (False, [])
    assert (ran, state(lab)) == ([], "running")


def test_provision_warns_before_it_does_anything(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    outputs: list[str] = []

    def run(*_: Any) -> dict[str, int]:
        outputs.append(capsys.readouterr().out)
        return {"i-1": 0}

    monkeypatch.setattr(converge, "run_playbooks", run)
    # The worst month of a new request, at a bid of 0.01, is 7.30 and 8.93 for what is beside it
    given = ["cloudtop_monthly_budget=16.23", "cloudtop_bid=0.01", f"cloudtop_ssh_key={tmp_path}/k"]
    options = Namespace(yes=True, verbose=0, wait=True)
    provision.run(Context(options, settings.load(given), clouds.load("rehearsal"), ("x.yml",)))
    assert "WARNING: the budget is spent: " in outputs[0]
    assert "The live request's bid is $9000 an hour" in outputs[0]
    assert "budget       WARNING: the budget is spent: " in capsys.readouterr().out
