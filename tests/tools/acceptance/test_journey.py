"""Whatever step fails, everything is removed, and what others own stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud import fake_cloud
from tests.localcloud.experiments import RIGHTS, trust, wanted
from tests.localcloud.lab import Lab
from tools.acceptance.budget import Budget
from tools.acceptance.cleaner import Cleaner, role_names
from tools.acceptance.journey import Journey
from tools.acceptance.masking import Mask
from tools.acceptance.report import render
from tools.acceptance.steps import NAME, Outcome, Step, steps

OWNER = "me"
EVERY = steps(other_type="m5d.xlarge", has_check=True, short=False)
STEPS = [one.name for one in EVERY]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with fake_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield Lab(*running)


def tags(name: str, owner: str) -> list[dict[str, str]]:
    return [{"Key": "cloudtop:name", "Value": name}, {"Key": "cloudtop:owner", "Value": owner}]


def tagged(kind: str, name: str, owner: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": tags(name, owner)}]


def make(lab: Lab, name: str = NAME, owner: str = OWNER) -> None:
    """One of each thing that a run makes, its volume at its machine."""
    ec2, iam = lab.ec2, lab.client("iam")
    request, machine = lab.spot_instance(
        TagSpecifications=tagged("spot-instances-request", name, owner)
    )
    assert request
    volume = lab.volume(TagSpecifications=tagged("volume", name, owner))
    lab.attach(volume, machine)
    ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot", name, owner))
    image = lab.baked(f"image-{name}-{owner}", snapshot=lab.snapshot(lab.root(machine)))
    ec2.create_tags(Resources=[image], Tags=tags(name, owner))
    ec2.create_security_group(
        GroupName=f"{name}-{owner}", Description="x",
        TagSpecifications=tagged("security-group", name, owner),
    )  # fmt: skip
    ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", name, owner))
    role = role_names(name, owner, "us-east-1")[0]
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust(), Tags=tags(name, owner))
    iam.put_role_policy(RoleName=role, PolicyName="x", PolicyDocument=json.dumps(RIGHTS))
    iam.create_instance_profile(InstanceProfileName=role, Tags=tags(name, owner))
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    given = wanted(lab, machine)
    given["tags"] = {"cloudtop:name": name, "cloudtop:owner": owner}
    lab.client("fis").create_experiment_template(**given)


KINDS = {
    "request", "machine", "template", "image", "snapshot", "volume", "address", "group", "role",
    "profile",
}  # fmt: skip


def cleaner(lab: Lab, name: str = NAME, owner: str = OWNER) -> Cleaner:
    return Cleaner(lab.client, name, owner, lambda _: None, deadline=20.0, poll=0.1)


def kinds(left: list[str]) -> set[str]:
    return {one.rpartition(" ")[0] for one in left}


@pytest.fixture(autouse=True)
def theirs(lab: Lab) -> Iterator[None]:
    """Another's cloudtop of the same name, and another one of ours: both stay as they are."""
    others = [cleaner(lab, NAME, "other"), cleaner(lab, "cloudtop", OWNER)]
    for one in others:
        make(lab, one.name, one.owner)
    before = [one.left() for one in others]
    yield
    assert [one.left() for one in others] == before
    for one in others:
        assert one.run() == []


def good(step: Step, _seconds: float) -> Outcome:
    return Outcome(0, f"i-0123456789abcdef0: {step.seen}", 1.0)


def test_a_whole_run_is_good_and_leaves_nothing(lab: Lab) -> None:
    def execute(step: Step, seconds: float) -> Outcome:
        if step.name == "provision":
            make(lab)
        return good(step, seconds)

    journey = Journey(EVERY, execute, cleaner(lab), 60.0, lambda _: None)
    journey.run()
    assert journey.good
    assert [step.name for step, _ in journey.outcomes] == STEPS
    assert cleaner(lab).left() == []


@pytest.mark.parametrize("failing", STEPS)
def test_a_step_that_fails_is_the_last_and_all_is_removed(lab: Lab, failing: str) -> None:
    def execute(step: Step, seconds: float) -> Outcome:
        if step.name == failing:
            make(lab)
            return Outcome(1, "no", 1.0)
        return good(step, seconds)

    journey = Journey(EVERY, execute, cleaner(lab), 60.0, lambda _: None)
    journey.run()
    assert not journey.good
    assert journey.outcomes[-1][0].name == failing
    assert journey.left == []
    assert cleaner(lab).left() == []


@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_what_interrupts_a_run_leaves_nothing(lab: Lab, fault: type[BaseException]) -> None:
    def execute(_step: Step, _seconds: float) -> Outcome:
        make(lab)
        raise fault

    with pytest.raises(fault):
        Journey(EVERY, execute, cleaner(lab), 60.0, lambda _: None).run()
    assert cleaner(lab).left() == []


def test_a_killed_runs_leftovers_are_found_by_the_next(lab: Lab) -> None:
    make(lab)
    journey = Journey(EVERY[:1], good, cleaner(lab), 60.0, lambda _: None)
    journey.run()
    assert kinds(journey.found_before) == KINDS
    assert journey.good
    assert cleaner(lab).left() == []


def test_the_time_of_the_budget_ends_a_run(lab: Lab) -> None:
    now = [0.0]
    asked: list[float] = []

    def execute(step: Step, seconds: float) -> Outcome:
        asked.append(seconds)
        now[0] += 50 * 60
        return good(step, seconds)

    journey = Journey(EVERY, execute, cleaner(lab), 75.0, lambda _: None, lambda: now[0])
    journey.run()
    assert asked == [75 * 60, 25 * 60]
    assert not journey.good
    assert "budget's time was over" in journey.outcomes[-1][1].verdict(EVERY[2])


def test_what_cannot_be_removed_is_listed(lab: Lab) -> None:
    make(lab)
    lab.own("account", {"denied": ["ec2:DeleteVolume"]})
    once = Cleaner(lab.client, NAME, OWNER, lambda _: None, deadline=0.5, poll=0.1)
    try:
        left = once.run()
    finally:
        lab.own("account", {"default": True})
    assert "volume" in kinds(left)
    assert any("ec2:DeleteVolume" in each for each in once.errors)
    assert cleaner(lab).run() == []


def test_what_cannot_be_looked_at_is_no_clean_end(lab: Lab) -> None:
    lab.own("account", {"denied": ["ec2:DescribeVolumes"]})
    once = Cleaner(lab.client, NAME, OWNER, lambda _: None, deadline=0.2, poll=0.1)
    try:
        (left,) = once.run()
    finally:
        lab.own("account", {"default": True})
    assert "ec2:DescribeVolumes" in left


def test_a_step_that_does_not_say_what_it_has_to_is_not_good() -> None:
    again = next(step for step in EVERY if step.name == "provision again")
    assert Outcome(0, "ok=3 changed=0", 1.0).verdict(again) == ""
    assert Outcome(0, "ok=3", 1.0).verdict(again) == "did not print 'changed=0'"
    # The computer's own tasks changed nothing, the machine's did
    assert Outcome(0, "changed=0, changed=2", 1.0).verdict(again) == "printed 'changed=2'"
    assert Outcome(2, "changed=0", 1.0).verdict(again) == "ended with 2"


def test_the_short_form_still_interrupts_and_removes() -> None:
    short = [one.name for one in steps(other_type="m5d.xlarge", has_check=False, short=True)]
    assert short == [
        "doctor",
        "provision",
        # Without an image the machine that comes back would be bare
        "bake",
        "change over to the image",
        "interruption",
        "destroy",
    ]
    assert "check" not in [s.name for s in steps(other_type="x", has_check=False, short=False)]


def test_the_report_has_times_and_no_ids(lab: Lab) -> None:
    journey = Journey(EVERY, good, cleaner(lab), 60.0, lambda _: None)
    journey.run()
    journey.seconds = 1800.0
    budget = Budget(2.0, 0.2, 8, 16, "us-east-1")
    text = render(journey, budget, {"cloud": "aws"}, Mask([(OWNER, "owner")]))
    assert text.startswith("# Acceptance: passed")
    assert "| bake | ok | 0.0 |" in text
    assert f"at worst ${budget.worst:.2f}" in text
    assert f"took at most ${budget.after(30):.2f}" in text
    assert "i-#1: nothing was lost" in text
    assert "i-0123" not in text
