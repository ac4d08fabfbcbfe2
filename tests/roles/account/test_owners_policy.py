"""docs/aws-policy.json has every permission that the owner needs, and none that does not exist."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import pytest
from botocore.session import Session

from cloudtop.aws.interruption import Interrupter, role_name
from cloudtop.command import Context
from cloudtop.commands import bid, doctor, orphans, prices, snapshot, status
from cloudtop.settings import clouds, settings
from localcloud.iam import patterns
from tests.cloud import own
from tests.roles import owners_policy
from tests.roles.plays import Place

# Permissions that are no call, and services of another name in botocore
NO_CALLS = {"iam:PassRole"}
MODELS = {"servicequotas": "service-quotas"}
# A managed policy has so many characters at most, white space not counted (IAM's quotas)
LONGEST = 6144
SETTINGS: dict[str, Any] = {
    "cloudtop_name": "owned",
    "cloudtop_elastic_ip": True,
    "cloudtop_snapshot_hours": 24,
    "cloudtop_idle_stop_minutes": 30,
    "cloudtop_idle_action": "terminate",
}
# Commands that look, and change nothing; their options
LOOKS: list[tuple[Callable[[Context], object], dict[str, Any]]] = [
    (doctor.run, {}),
    (status.run, {}),
    (snapshot.run, {"list": True}),
    (orphans.run, {"delete": False}),
    (prices.run, {"types": ["m5d.4xlarge"], "limit": 3, "sort": "average"}),
    (bid.run, {"type": "m5d.4xlarge", "availability": 99.0}),
]


def interrupt(place: Place, name: str) -> None:
    """Have FIS interrupt the cloudtop's machine, by the role that it has for that."""
    (request,) = [one for one in place.requests(name) if one["State"] == "active"]
    account = place.client("sts").get_caller_identity()["Account"]
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
    for playbook in ("cloud", "cloud", "rehearse"):
        outcome = place.run(f"playbooks/{playbook}.yml", **SETTINGS)
        assert outcome.code == 0, outcome.text
    with pytest.MonkeyPatch.context() as patch:
        for key, value in place.environ.items():
            patch.setenv(key, value)
        for look, given in LOOKS:
            look(context(place, given))
    interrupt(place, "owned")
    outcome = place.run("playbooks/destroy.yml", **SETTINGS)
    assert outcome.code == 0, outcome.text
    # Before the test's own look at the roles
    actions = own(place.endpoint, "calls")["actions"]
    assert [one for one in place.roles() if one["RoleName"].startswith("cloudtop-owned-")] == []
    return {name for kind in actions.values() for name in kind}


def context(place: Place, given: dict[str, Any]) -> Context:
    """As runner.py makes one of a command line."""
    unset = (
        "arch chart csv delete_volume disks history json label list max_interruption memory save"
        " sort types vcpus wait zone"
    )
    none = dict.fromkeys(unset.split())
    key = f"cloudtop_ssh_key={place.home}/.ssh/id"
    wanted = settings.load(["cloudtop_owner=alice", key], name="owned")
    options = Namespace(**{**none, "days": 30, "verbose": 0, "yes": True, **given})
    return Context(options, wanted, clouds.load("rehearsal"), ())


def test_b7_the_policy_allows_all_that_commands_call(calls: set[str]) -> None:
    assert {"ec2:RequestSpotInstances", "ec2:DescribeSpotPriceHistory"} <= calls
    assert owners_policy.lacking(calls) == set()


def test_b7_every_action_of_the_policy_exists() -> None:
    session = Session()
    for action in set(owners_policy.allowed()) - NO_CALLS:
        service, _, name = action.partition(":")
        model = session.get_service_model(MODELS.get(service, service))
        known = [one for one in model.operation_names if patterns.like_action(name, one)]
        assert known, action


def test_b7_the_policy_fits_a_managed_policy() -> None:
    assert len(re.sub(r"\s", "", owners_policy.POLICY.read_text())) <= LONGEST
