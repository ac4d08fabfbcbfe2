"""The budget while watching: told once, stopped once, and never for want of an answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cloudtop.aws.find import Machine, Request, Resources
from cloudtop.errors import CloudtopError
from cloudtop.machine import watch
from cloudtop.machine.status import BudgetStatus, Money, Sums
from cloudtop.money.budget_watch import EVERY, BudgetWatch


def resources(instance: str = "i-1", state: str = "running", launched: int = 1) -> Resources:
    request = Request("sir-1", "active", "fulfilled")
    at = datetime(2026, 1, launched, tzinfo=UTC)
    machine = Machine(instance, state=state, launch_time=at)
    return Resources(request=request, instance=machine, volume=None)


def money(level: str, at_most: bool = False) -> Money:
    warning = "" if level == "fine" else f"it is {level}"
    budget = BudgetStatus(50.0, 0.0, level, "stop", warning)
    nothing = Sums(0, 0, 0, 0, 0, 0, 0)
    sums = (nothing, nothing, nothing)
    return Money("2026-11", 720, 0, at_most, None, None, None, *sums, (), (), budget)


class Scene:
    """The money at each look, and the stops."""

    def __init__(self, *looks: tuple[Money, bool] | CloudtopError, stops: bool = True):
        self.looks = list(looks)
        self.asked = self.stopped = 0
        self.failures = 0
        self.sentences: list[str] = []
        self.now = 0.0
        self.watch = BudgetWatch(
            self.look, self.stop if stops else None, self.sentences.append, lambda: self.now
        )

    def look(self) -> tuple[Money, bool]:
        self.asked += 1
        shown = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(shown, CloudtopError):
            raise shown
        return shown

    def stop(self) -> None:
        if self.failures:
            self.failures -= 1
            raise CloudtopError("EC2 did not answer.")
        self.stopped += 1

    def holds(self, seen: Resources | None = None, after: float = 0.0) -> bool:
        self.now += after
        return self.watch.holds(seen or resources())


NEAR, SPENT = (money("near"), True), (money("spent"), True)


def test_warns_once_at_each_level() -> None:
    scene = Scene((money("fine"), True), NEAR, NEAR, SPENT, SPENT, stops=False)
    assert not any(scene.holds(after=EVERY) for _ in range(6))
    assert scene.sentences == ["it is near", "it is spent"]


def test_looks_every_ten_minutes_and_at_once_at_another_machine() -> None:
    scene = Scene(NEAR)
    for after in (0, 15, 15, EVERY - 31):
        scene.holds(after=after)
    assert scene.asked == 1
    scene.holds(after=1)
    assert scene.asked == 2
    scene.holds(resources("i-2"))
    assert scene.asked == 3


def test_without_a_running_machine_nothing_is_asked() -> None:
    scene = Scene(SPENT)
    assert not scene.holds(resources(state="stopped"))
    assert not scene.holds(Resources(request=None, instance=None, volume=None))
    assert (scene.asked, scene.stopped) == (0, 0)


def test_spent_budget_stops_the_machine_and_says_how_to_go_on() -> None:
    scene = Scene(SPENT)
    assert scene.holds()
    assert scene.stopped == 1
    assert "i-1 is stopped" in scene.sentences[-1]
    assert "raise cloudtop_monthly_budget first" in scene.sentences[-1]


def test_near_budget_stops_nothing() -> None:
    scene = Scene(NEAR)
    assert not scene.holds()
    assert scene.stopped == 0


def test_stop_that_failed_is_tried_again() -> None:
    scene = Scene(SPENT)
    scene.failures = 1
    # Nothing mounts the volume again meanwhile
    assert scene.holds()
    assert "could not be stopped: EC2 did not answer. Next try in 600 s" in scene.sentences[-1]
    assert scene.holds(after=15)
    assert (scene.asked, scene.stopped) == (1, 0)
    assert scene.holds(after=EVERY)
    assert scene.stopped == 1


def test_started_again_with_a_higher_budget_it_goes_on() -> None:
    scene = Scene(SPENT, NEAR)
    assert scene.holds()
    assert not scene.holds(resources(launched=2))
    assert scene.stopped == 1


def test_an_upper_bound_stops_no_machine_that_cannot_be_asked() -> None:
    unsure = (money("spent", at_most=True), False)
    scene = Scene(unsure, unsure, (money("spent", at_most=True), True))
    assert not scene.holds()
    assert not scene.holds(after=EVERY)
    assert len(scene.sentences) == 1
    assert "not stopped yet" in scene.sentences[0]
    # It answered, and what it told leaves no more than a first wait in doubt
    assert scene.holds(after=EVERY)


def test_machine_that_is_silent_is_stopped_where_the_sum_is_sure() -> None:
    scene = Scene((money("spent"), False))
    assert scene.holds()


def test_laptop_with_no_network_stops_nothing() -> None:
    scene = Scene(CloudtopError("no route"), CloudtopError("no route"), SPENT)
    assert not scene.holds()
    assert not scene.holds(after=EVERY)
    assert scene.sentences == ["the budget could not be looked at: no route"]
    assert scene.holds(after=EVERY)


@pytest.mark.parametrize("held", [True, False])
def test_watch_leaves_a_machine_alone_that_was_stopped(held: bool) -> None:
    hosts: list[str] = []

    def make_whole() -> list[str]:
        hosts.append("i-1")
        return hosts

    watch.Watch(
        look=resources,
        make_whole=make_whole,
        tell=lambda sentence: None,
        once=True,
        holds=lambda seen: held,
    ).run()
    assert hosts == ([] if held else ["i-1"])
