"""Interruptions by FIS: the template goes whatever happens, and a failure has its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtop.aws.interruption import Interrupter, refuse_region, role_name
from cloudtop.errors import CloudtopError
from tests.cloud import fake_cloud
from tests.localcloud.experiments import RIGHTS, arn, role, trust
from tests.localcloud.lab import Lab

OURS = {"cloudtop:name": "box", "cloudtop:owner": "me"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield Lab(*running)


@pytest.fixture
def words() -> list[str]:
    return []


@pytest.fixture
def interrupter(lab: Lab, words: list[str]) -> Iterator[Interrupter]:
    yield Interrupter(
        lab.client("fis"), role(lab), arn(""), OURS, tell=words.append, poll=0.05
    )  # fmt: skip
    lab.tidy()


def templates(lab: Lab) -> list[str]:
    known = lab.client("fis").list_experiment_templates()["experimentTemplates"]
    return [one["id"] for one in known]


def given_notice(lab: Lab, instance: str) -> bool:
    return lab.metadata(instance, "spot/instance-action") is not None


def test_a_machine_gets_its_notice_and_no_template_stays(
    lab: Lab, interrupter: Interrupter
) -> None:
    sir, ident = lab.spot_instance()
    interrupter.interrupt(ident)
    assert given_notice(lab, ident)
    assert lab.request(sir)["Status"]["Code"] == "instance-terminated-by-experiment"
    assert templates(lab) == []
    experiment = lab.client("fis").list_experiments()["experiments"][-1]
    assert experiment["tags"] == OURS


def test_a_reason_of_fis_is_told_and_no_template_stays(
    lab: Lab, interrupter: Interrupter, words: list[str]
) -> None:
    _, ident = lab.spot_instance()
    role(lab, trust("ec2"))
    with pytest.raises(CloudtopError, match=r"AuthorizationFailure The role .* does not trust"):
        interrupter.interrupt(ident)
    assert words == []
    assert not given_notice(lab, ident)
    assert templates(lab) == []
    role(lab)
    with pytest.raises(CloudtopError, match="InvalidTarget"):
        interrupter.interrupt("i-0123456789abcdef0")


class Late(Interrupter):
    """AWS knows the new role once it was asked for the first time."""

    lab: Lab

    def _ordered(self, instance: str) -> dict[str, Any] | None:
        failure = super()._ordered(instance)
        role(self.lab)
        return failure


def test_a_role_that_was_just_made_is_waited_for(
    lab: Lab, interrupter: Interrupter, words: list[str]
) -> None:
    _, ident = lab.spot_instance()
    role(lab, "", {**RIGHTS, "Statement": RIGHTS["Statement"][:1]})
    late = Late(**{**vars(interrupter), "fresh": True})
    object.__setattr__(late, "lab", lab)
    late.interrupt(ident)
    assert words == ["FIS does not know its new role yet; asking again."]
    assert given_notice(lab, ident)
    assert templates(lab) == []


class Interrupting:
    """FIS, while somebody presses Ctrl-C."""

    def __init__(self, fis: Any, call: str) -> None:
        self.fis, self.call = fis, call

    def __getattr__(self, name: str) -> Any:
        if name == self.call:
            raise KeyboardInterrupt
        return getattr(self.fis, name)


@pytest.mark.parametrize("call", ["start_experiment", "get_experiment"])
def test_a_template_goes_when_it_is_interrupted(
    lab: Lab, interrupter: Interrupter, call: str
) -> None:
    _, ident = lab.spot_instance()
    with pytest.raises(KeyboardInterrupt):
        replace(interrupter, fis=Interrupting(interrupter.fis, call)).interrupt(ident)
    assert templates(lab) == []


def test_a_template_that_stays_is_named(
    lab: Lab, interrupter: Interrupter, words: list[str]
) -> None:
    _, ident = lab.spot_instance()
    lab.own("account", {"denied": ["fis:DeleteExperimentTemplate"]})
    try:
        interrupter.interrupt(ident)
    finally:
        lab.own("account", {"default": True})
    (left,) = templates(lab)
    assert f"aws fis delete-experiment-template --id {left}" in words[0]
    assert given_notice(lab, ident)
    assert interrupter.remove_left() == [left]
    assert templates(lab) == []


def test_only_what_is_ours_is_removed(lab: Lab, interrupter: Interrupter) -> None:
    with interrupter._template("i-0123456789abcdef0") as ident:
        other = replace(interrupter, tags={**OURS, "cloudtop:name": "other"})
        assert other.remove_left() == []
        assert templates(lab) == [ident]


def test_a_region_without_it_is_refused() -> None:
    refuse_region("us-east-1")
    with pytest.raises(CloudtopError, match="by order in ap-southeast-3"):
        refuse_region("ap-southeast-3")


def test_the_roles_name_fits_iam(tmp_path: Path) -> None:
    """IAM takes 64 characters (IAM and AWS STS quotas)."""
    assert len(role_name("a" * 32, "someone", "us-east-1")) <= 64
