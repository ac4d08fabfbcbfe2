"""Calls that are struck: what was lost on its way is found, and nothing is left twice or behind.

``make faults`` strikes every call of every command with every blow. Here are those that have once
gone wrong, and as many others, by a seed that a failure shows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

import pytest

from tools.faults import kills, points
from tools.faults.blows import BLOWS
from tools.faults.kills import Kill
from tools.faults.points import Point, Runner, Start, Verdict
from tools.faults.run import chosen, reached

# Random ones of each command
MORE = 1
KILLS = 10
COMMANDS = ("provision", "snapshot", "bake", "destroy")


class Tried:
    """Commands that went through once, with a runner for their points."""

    def __init__(self, runner: Runner, starts: Mapping[str, Start]) -> None:
        self.runner, self.starts = runner, starts

    def verdict(self, command: str, call: str, blow: str) -> Verdict:
        start = self.starts[command]
        point = Point(command, start.calls.index(call) + 1, call, blow)
        return self.runner.verdict(point, start)

    def killed(self, command: str, victim: str, call: str) -> Verdict:
        kill = Kill(command, victim, 0, "after", call)
        return kills.verdict(self.runner, kill, self.starts[command])


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    folder = tmp_path_factory.mktemp("struck")
    with points.runner(folder / "place") as runner:
        yield Tried(runner, reached(runner, COMMANDS, folder))


@pytest.mark.parametrize("blow", ["reset after", "timeout after", "error 500 after"])
def test_a_snapshot_whose_answer_was_lost_is_no_second_one(tried: Tried, blow: str) -> None:
    verdict = tried.verdict("snapshot", "ec2:CreateSnapshot", blow)
    assert (verdict.wrong, verdict.runs) == ("", 1)


@pytest.mark.parametrize(
    ("call", "blow"),
    [
        ("iam:RemoveRoleFromInstanceProfile", "reset after"),
        ("iam:DeleteInstanceProfile", "denied"),
        ("iam:DeleteRole", "denied"),
    ],
)
def test_a_destroy_that_was_cut_off_leaves_no_profile_and_no_role(
    tried: Tried, call: str, blow: str
) -> None:
    assert tried.verdict("destroy", call, blow).wrong == ""


@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("provision", "iam:CreateRole"),
        ("provision", "iam:CreateInstanceProfile"),
        ("provision", "iam:AddRoleToInstanceProfile"),
        ("provision", "ec2:ImportKeyPair"),
        ("provision", "ec2:CreateSecurityGroup"),
        ("bake", "ec2:AttachVolume"),
        ("bake", "ec2:RegisterImage"),
    ],
)
def test_what_is_there_already_after_a_lost_answer_is_no_failure(
    tried: Tried, command: str, call: str
) -> None:
    verdict = tried.verdict(command, call, "reset after")
    assert (verdict.wrong, verdict.runs) == ("", 1)


def test_a_throttled_schedule_ends_no_provision(tried: Tried) -> None:
    verdict = tried.verdict("provision", "dlm:CreateLifecyclePolicy", "throttled")
    assert (verdict.wrong, verdict.runs) == ("", 1)


def test_random_calls_meet_random_blows(tried: Tried) -> None:
    seed = random.SystemRandom().randrange(1 << 16)
    print(f"seed {seed}; again: python -m tools.faults.run --seed {seed}")
    count = sum(len(start.calls) for start in tried.starts.values()) * len(BLOWS)
    picked = chosen(dict(tried.starts), MORE * len(COMMANDS) / count, seed)
    verdicts = [tried.runner.verdict(each, tried.starts[each.command]) for each in picked]
    assert [f"{each.point}: {each.wrong}" for each in verdicts if each.wrong] == []


def test_random_kills_lose_nothing_and_the_same_command_ends_it(tried: Tried) -> None:
    seed = random.SystemRandom().randrange(1 << 16)
    print(f"seed {seed}; again: python -m tools.faults.run --share 0 --seed {seed}")
    every = kills.picked(tried.starts, KILLS, seed)
    verdicts = [kills.verdict(tried.runner, each, tried.starts[each.command]) for each in every]
    assert [f"{each.point}: {each.wrong}" for each in verdicts if each.wrong] == []


@pytest.mark.parametrize("victim", ["runner", "cloud"])
def test_a_request_is_made_once_whoever_dies_behind_the_call(tried: Tried, victim: str) -> None:
    verdict = tried.killed("provision", victim, "ec2:RequestSpotInstances")
    assert (verdict.wrong, verdict.runs) == ("", 2)
