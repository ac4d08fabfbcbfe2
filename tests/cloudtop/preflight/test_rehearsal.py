"""Rights that a rehearsal on AWS needs: looked at before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.aws import client as aws
from cloudtop.aws import interruption
from cloudtop.errors import CloudtopError
from cloudtop.preflight import account, rehearsal
from cloudtop.preflight.checklist import Look
from cloudtop.settings import settings
from localcloud.iam.context import Context as Asked
from localcloud.iam.policy import Decision, decide
from tests import cloud

pytestmark = pytest.mark.usefixtures("entered")


@pytest.fixture
def look(endpoint: str) -> Iterator[Look]:
    look = Look(settings.load([], name="checked"), aws.client())
    account.credentials(look)
    yield look
    cloud.own(endpoint, "account", {"default": True})


def test_what_is_asked_is_counted(look: Look) -> None:
    assert rehearsal.check(look) == "12 of FIS and IAM"


def test_the_services_own_role_is_asked_for_once(endpoint: str, look: Look) -> None:
    iam = cloud.client(endpoint, "iam")
    iam.create_service_linked_role(AWSServiceName=interruption.SERVICE)
    try:
        assert rehearsal.check(look) == "11 of FIS and IAM"
    finally:
        iam.delete_role(RoleName=interruption.LINKED_ROLE)


@pytest.mark.parametrize(
    "action",
    [
        "fis:CreateExperimentTemplate",
        "fis:ListExperimentTemplates",
        "fis:StartExperiment",
        "iam:CreateRole",
        "iam:CreateServiceLinkedRole",
        "iam:PassRole",
    ],
)
def test_a_denied_action_is_named(endpoint: str, look: Look, action: str) -> None:
    cloud.own(endpoint, "account", {"denied": [action]})
    with pytest.raises(CloudtopError, match=f"may not do: {action}") as refused:
        rehearsal.check(look)
    assert "docs/aws-policy.json" in refused.value.hint
    assert "--cloud rehearsal" in refused.value.hint


def test_who_may_not_simulate_is_not_held_up(endpoint: str, look: Look) -> None:
    cloud.own(endpoint, "account", {"denied": ["iam:SimulatePrincipalPolicy"]})
    assert "not known" in rehearsal.check(look)


def test_the_policy_that_we_hand_out_allows_all_that_is_asked(look: Look) -> None:
    policy = (paths.ROOT / "docs/aws-policy.json").read_text()
    for each in rehearsal.questions(look):
        keys: dict[str, Any] = {key.lower(): (value,) for key, value in each.keys}
        for action in each.actions:
            assert decide([policy], Asked(action, each.resource, keys)) is Decision.ALLOWED, action
