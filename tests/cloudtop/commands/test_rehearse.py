"""``rehearse``: who takes the machine away, what that costs, and what is asked before."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

import pytest

from cloudtop.command import Context
from cloudtop.commands import rehearse
from cloudtop.errors import CloudtopError
from cloudtop.settings import clouds, settings
from tests import cloud

pytestmark = pytest.mark.usefixtures("entered")


def given(*words: str, **more: Any) -> Namespace:
    parser = ArgumentParser()
    rehearse.options(parser)
    return Namespace(**{**vars(parser.parse_args(words)), "yes": False, "verbose": 0, **more})


def context(place: str, *words: str, **more: Any) -> Context:
    loaded = settings.load([], name="box", cloud=place)
    return Context(given(*words, **more), loaded, clouds.load(place), ("rehearse.yml",))


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        ([], ""),
        (["--notice", "120"], ""),
        (["--times", "3", "--json"], ""),
        (["--notice", "30"], "--notice 30"),
        (["--no-notice"], "--no-notice"),
        (["--keep-down", "5"], "--keep-down 5"),
    ],
)
def test_fis_does_all_that_it_can(words: list[str], wish: str) -> None:
    assert rehearse.wishes(given(*words)) == wish


@pytest.mark.parametrize("words", [["--notice", "30"], ["--no-notice"], ["--keep-down", "5"]])
def test_what_aws_cannot_order_is_refused_with_a_way(words: list[str]) -> None:
    with pytest.raises(CloudtopError) as refused:
        rehearse.run(context("aws", *words))
    assert refused.value.message.startswith(f"{' '.join(words)} is for the rehearsal cloud")
    assert "--cloud rehearsal" in refused.value.hint


def test_the_price_is_told_with_its_minutes() -> None:
    once = rehearse.price(1, "us-east-1")
    assert "2 action-minutes each at $0.10 (AWS FIS pricing), $0.20 in all" in once
    assert "about 6 minutes" in once
    assert "at $0.12 (AWS FIS pricing), $0.72 in all" in rehearse.price(3, "us-gov-west-1")


def test_it_asks_once_before_anything_is_made(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def playbooks(_context: Context, names: Any) -> dict[str, int]:
        ran.extend(names)
        return {}

    monkeypatch.setattr(rehearse, "run_playbooks", playbooks)
    cloud.own(endpoint, "calls/reset", {})
    with pytest.raises(CloudtopError, match=r"\$0.20 in all.* Go on\?"):
        rehearse.by_order(context("aws"))
    assert ran == []
    assert cloud.own(endpoint, "calls")["actions"]["mutating"] == {}
    rehearse.by_order(context("aws", yes=True))
    rehearse.by_order(context("rehearsal"))
    assert ran == ["rehearse.yml", "rehearse.yml"]


def test_who_may_not_is_told_before_the_question(endpoint: str) -> None:
    cloud.own(endpoint, "account", {"denied": ["fis:StartExperiment"]})
    try:
        with pytest.raises(CloudtopError, match="may not do: fis:StartExperiment"):
            rehearse.by_order(context("aws"))
    finally:
        cloud.own(endpoint, "account", {"default": True})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trace", "--no-notice"], "do not go with it"),
        (["--trace", "--times", "2"], "do not go with it"),
        (["--trace", "--speed", "0"], "--speed is 0"),
        (["--trace"], "The aws cloud's market is its own"),
    ],
)
def test_a_trace_is_played_in_the_rehearsal_cloud_alone(words: list[str], message: str) -> None:
    with pytest.raises(CloudtopError, match=message):
        rehearse.run(context("aws", *words))
