"""Experiments: a machine is interrupted as by EC2 itself, or the experiment says why not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from localcloud.fis.models import fis_backends
from localcloud.iam.trust import trusts
from tests.cloud import own
from tests.localcloud.clock import Clock
from tests.localcloud.experiments import RIGHTS, role, template, trust
from tests.localcloud.lab import Lab


@pytest.fixture
def fis(lab: Lab, clock: Clock) -> Iterator[Any]:
    """On a clock that stands still; no experiment of another test runs any more."""
    fis_backends.clear()
    yield lab.client("fis")
    lab.tidy()


def start(fis: Any, ident: str) -> str:
    return str(
        fis.start_experiment(experimentTemplateId=ident, clientToken=ident)["experiment"]["id"]
    )


def state(fis: Any, experiment: str) -> dict[str, Any]:
    return dict(fis.get_experiment(id=experiment)["experiment"]["state"])


def test_an_interruption_is_a_reap_with_two_minutes_of_notice(
    lab: Lab, fis: Any, clock: Clock
) -> None:
    sir, ident = lab.spot_instance()
    began = clock.now
    experiment = start(fis, template(lab, ident, duration="PT5M"))
    assert state(fis, experiment)["status"] == "initiating"
    clock.now += timedelta(seconds=2)
    assert state(fis, experiment)["status"] == "running"
    assert lab.metadata(ident, "events/recommendations/rebalance")
    assert lab.metadata(ident, "spot/instance-action") is None
    clock.now = began + timedelta(minutes=3, seconds=1)
    lab.reaches(sir, "open", "instance-terminated-by-experiment")
    due = (began + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M")
    assert json.loads(lab.metadata(ident, "spot/instance-action"))["time"].startswith(due)
    assert lab.instance(ident)["State"]["Name"] == "running"
    clock.now = began + timedelta(minutes=5, seconds=1)
    lab.becomes(ident, "terminated")
    assert lab.relaunched(sir, ident) != ident
    assert state(fis, experiment)["status"] == "completed"
    (reap,) = [one for one in lab.own("reaps") if one["instance"] == ident]
    assert (reap["cause"], reap["notice_seconds"]) == ("experiment", 120)


def test_a_deleted_template_leaves_its_experiment_running(lab: Lab, fis: Any, clock: Clock) -> None:
    _, ident = lab.spot_instance()
    template_id = template(lab, ident)
    experiment = start(fis, template_id)
    fis.delete_experiment_template(id=template_id)
    clock.now += timedelta(minutes=2, seconds=1)
    lab.becomes(ident, "terminated")
    assert state(fis, experiment)["status"] == "completed"
    lab.refused("ResourceNotFoundException", fis.start_experiment, experimentTemplateId=template_id)


def test_a_token_starts_one_experiment(lab: Lab, fis: Any) -> None:
    _, ident = lab.spot_instance()
    template_id = template(lab, ident)
    assert start(fis, template_id) == start(fis, template_id)
    (known,) = fis.list_experiments(experimentTemplateId=template_id)["experiments"]
    assert known["experimentTemplateId"] == template_id


def test_the_first_experiment_makes_the_services_role(lab: Lab, fis: Any) -> None:
    _, ident = lab.spot_instance()
    start(fis, template(lab, ident))
    assert lab.client("iam").get_role(RoleName="AWSServiceRoleForFIS")


@pytest.mark.parametrize(
    ("trusted", "rights", "reason"),
    [
        (trust("ec2"), None, "does not trust fis.amazonaws.com"),
        (
            trust(StringEquals={"aws:SourceAccount": "999999999999"}),
            None,
            "does not trust fis.amazonaws.com",
        ),
        ("", {**RIGHTS, "Statement": RIGHTS["Statement"][:1]}, "not authorized"),
        ("", {**RIGHTS, "Statement": RIGHTS["Statement"][1:]}, "not authorized"),
    ],
)
def test_a_role_that_may_not_fails_the_experiment(
    lab: Lab, fis: Any, clock: Clock, trusted: str, rights: Any, reason: str
) -> None:
    _, ident = lab.spot_instance()
    template_id = template(lab, ident)
    role(lab, trusted, rights)
    experiment = start(fis, template_id)
    clock.now += timedelta(seconds=2)
    failed = state(fis, experiment)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "AuthorizationFailure")
    assert reason in failed["reason"]
    assert lab.metadata(ident, "spot/instance-action") is None


def test_what_is_no_running_spot_instance_is_an_invalid_target(
    lab: Lab, fis: Any, clock: Clock
) -> None:
    _, taken = lab.spot_instance()
    _, whole = lab.spot_instance()
    start(fis, template(lab, taken))
    for other in (lab.run(), taken, "i-0123456789abcdef0"):
        experiment = start(fis, template(lab, whole, other))
        clock.now += timedelta(seconds=2)
        failed = state(fis, experiment)
        assert (failed["status"], failed["error"]["code"]) == ("failed", "InvalidTarget")
        assert other in failed["reason"]
    # Checked before any was taken
    assert lab.metadata(whole, "spot/instance-action") is None


def test_five_experiments_run_at_once(lab: Lab, fis: Any, clock: Clock) -> None:
    machines = [lab.spot_instance()[1] for _ in range(5)]
    for each in machines:
        start(fis, template(lab, each))
    more = template(lab, "i-0123456789abcdef0")
    lab.refused(
        "ServiceQuotaExceededException", fis.start_experiment, experimentTemplateId=more,
        clientToken="sixth",
    )  # fmt: skip


def test_who_may_make_no_linked_role_starts_none(lab: Lab, fis: Any) -> None:
    template_id = template(lab, "i-0123456789abcdef0")
    own(lab.endpoint, "account", {"denied": ["iam:CreateServiceLinkedRole"]})
    try:
        lab.refused(
            "AccessDeniedException", fis.start_experiment, experimentTemplateId=template_id,
            clientToken="x",
        )  # fmt: skip
    finally:
        own(lab.endpoint, "account", {"default": True})


def test_what_is_not_rehearsed_is_said(lab: Lab, fis: Any) -> None:
    _, ident = lab.spot_instance()
    template_id = template(lab, ident)
    skipping = {
        "experimentTemplateId": template_id,
        "experimentOptions": {"actionsMode": "skip-all"},
    }
    assert "skip" in lab.refused(
        "ValidationException", fis.start_experiment, clientToken="s", **skipping
    )
    experiment = start(fis, template_id)
    assert "not taken back" in lab.refused(
        "ValidationException", fis.stop_experiment, id=experiment
    )


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        (trust(), True),
        (trust("dlm"), False),
        (trust(StringEquals={"aws:SourceAccount": "123456789012"}), True),
        (trust(StringEquals={"aws:SourceAccount": "1"}), False),
        (trust(StringEquals={"aws:SourceMoon": "1"}), False),
        (trust().replace("Allow", "Deny"), False),
        (trust().replace("sts:AssumeRole", "sts:*"), True),
        ('{"Statement": []}', False),
        ("fis.amazonaws.com", False),
    ],
)
def test_a_trust_policy_is_read_as_iam_does(document: str, answer: bool) -> None:
    keys = {"aws:sourceaccount": ("123456789012",)}
    assert trusts(document, "fis.amazonaws.com", keys) is answer
