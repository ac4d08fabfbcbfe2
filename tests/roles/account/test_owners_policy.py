"""docs/aws-policy.json has every permission that the owner needs, and none that does not exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.session import Session

from cloudtop.aws.interruption import Interrupter, role_name
from localcloud.iam import patterns
from tests.cloud import own
from tests.roles.plays import ROOT, Place

POLICY = ROOT / "docs/aws-policy.json"
# Nobody needs a permission for it (API reference of STS)
FREE = {"sts:GetCallerIdentity"}
# Permissions that are no call, and services of another name in botocore
NO_CALLS = {"iam:PassRole"}
MODELS = {"servicequotas": "service-quotas"}
# A managed policy has so many characters at most, white space not counted (IAM's quotas)
LONGEST = 6144


def allowed() -> Iterator[str]:
    for statement in json.loads(POLICY.read_text())["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        yield from [actions] if isinstance(actions, str) else actions


def interrupt(place: Place, name: str) -> None:
    """Have FIS interrupt the cloudtop's machine, by the role that it has for that."""
    (request,) = [one for one in place.requests(name) if one["State"] == "active"]
    account = place.iam.get_user()["User"]["Arn"].split(":")[4]
    role = f"arn:aws:iam::{account}:role/{role_name(name, 'alice', 'us-east-1')}"
    interrupter = Interrupter(
        place.client("fis"), role, f"arn:aws:ec2:us-east-1:{account}:instance/",
        {"cloudtop:name": name, "cloudtop:owner": "alice"},
    )  # fmt: skip
    interrupter.remove_left()
    interrupter.interrupt(request["InstanceId"])


@pytest.fixture(scope="module")
def calls(place: Place) -> set[str]:
    """The calls of a provision with everything on, of the same again, of an interruption by
    order, and of its end."""
    place.control("calls/reset", {})
    settings: dict[str, Any] = {
        "cloudtop_name": "owned",
        "cloudtop_elastic_ip": True,
        "cloudtop_snapshot_hours": 24,
        "cloudtop_idle_stop_minutes": 30,
        "cloudtop_idle_action": "terminate",
    }
    for playbook in ("cloud", "cloud", "rehearse", "destroy"):
        if playbook == "destroy":
            interrupt(place, "owned")
        outcome = place.run(f"playbooks/{playbook}.yml", **settings)
        assert outcome.code == 0, outcome.text
    assert [one for one in place.roles() if one["RoleName"].startswith("cloudtop-owned-")] == []
    actions = own(place.endpoint, "calls")["actions"]
    return {name for kind in actions.values() for name in kind} - FREE


def test_b7_the_policy_allows_all_that_a_provision_calls(calls: set[str]) -> None:
    assert "ec2:RequestSpotInstances" in calls
    lacking = {
        call for call in calls if not any(patterns.like_action(one, call) for one in allowed())
    }
    assert lacking == set()


def test_b7_every_action_of_the_policy_exists() -> None:
    session = Session()
    for action in set(allowed()) - NO_CALLS:
        service, _, name = action.partition(":")
        model = session.get_service_model(MODELS.get(service, service))
        known = [one for one in model.operation_names if patterns.like_action(name, one)]
        assert known, action


def test_b7_the_policy_fits_a_managed_policy() -> None:
    assert len(re.sub(r"\s", "", POLICY.read_text())) <= LONGEST
