"""Machines are lost for want of room, as in a trace, though the price does not move."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spotprices.availability import DAY, Availability, read
from tests.localcloud.clock import Clock
from tests.localcloud.lab import TYPE, ZONE, Lab

FILE = DAY
# An hour of room, half an hour of none, and room again
HOURS = {"times": [0, 3600, 5400, 9000], "available": [True, False, True, True]}


def play(lab: Lab, series: dict[str, Any], **terms: Any) -> list[dict[str, Any]]:
    given = {"series": [{"type": TYPE, "zone": ZONE, **series}], "speed": 1, **terms}
    rows: list[dict[str, Any]] = lab.own("replay/availability", given)["prices"]
    return rows


def test_machine_is_lost_without_a_price_and_comes_back(lab: Lab, clock: Clock) -> None:
    (row,) = play(lab, HOURS)
    before = row["price"]
    sir, old = lab.spot_instance()
    clock.skip(minutes=61)
    # EC2 opens the request at once, and the machine still has its two minutes
    assert lab.request(sir)["Status"]["Code"] == "instance-terminated-no-capacity"
    assert lab.instance(old)["State"]["Name"] == "running"
    notice = json.loads(lab.metadata(old, "spot/instance-action"))
    assert notice["action"] == "terminate"
    clock.skip(minutes=2)
    lab.becomes(old, "terminated")
    lab.reaches(sir, "open", "capacity-not-available")
    (row,) = (one for one in lab.own("prices")["prices"] if one["zone"] == ZONE)
    assert (row["capacity"], row["price"]) == ("none", before)
    clock.skip(minutes=28)
    new = lab.relaunched(sir, old)
    assert new != old
    (steps,) = (one for one in lab.own("reaps") if one["instance"] == old)
    assert (steps["cause"], steps["notice_seconds"]) == ("no-capacity", 120)


def test_a_gap_between_two_looks_takes_the_machine_all_the_same(lab: Lab, clock: Clock) -> None:
    lab.own("price", {"notice": 0})
    play(lab, HOURS, speed=3600)
    _, old = lab.spot_instance()
    # The whole gap is over at the next look
    clock.skip(seconds=2)
    lab.becomes(old, "terminated")
    lab.own("price", {"notice": 120})


def test_each_loss_of_a_real_day_is_a_reap(lab: Lab, clock: Clock) -> None:
    trace = max(read(FILE).values(), key=lambda one: sum(one.available))
    lab.own("price", {"notice": 0})
    play(lab, {"times": trace.times, "available": trace.available}, speed=60)
    sir = lab.ask()
    known = {one["id"] for one in lab.own("reaps")}
    expected, running, before = 0, False, trace.times[0]
    for time in sorted(set(trace.times[1:])):
        # A moment more than the change: the clock's steps are rounded
        clock.skip(seconds=(time - before) / 60 + 0.001)
        before, now = time, room(trace, time)
        if running and not now:
            expected += 1
            lab.reaches(sir, "open", "capacity-not-available")
        elif now:
            lab.becomes(lab.reaches(sir, "active", "fulfilled")["InstanceId"], "running")
        running = now
    assert len([one for one in lab.own("reaps") if one["id"] not in known]) == expected > 2
    lab.own("price", {"notice": 120})


def room(trace: Availability, when: int) -> bool:
    return [here for time, here in zip(trace.times, trace.available, strict=True) if time <= when][
        -1
    ]


def test_stop_leaves_the_capacity_of_now(lab: Lab, clock: Clock) -> None:
    play(lab, HOURS)
    clock.skip(minutes=70)
    (row,) = lab.own("replay/stop", {})["prices"]
    assert (row["capacity"], row["availability"]) == ("none", None)
    clock.skip(hours=9)
    lab.own("capacity", {"type": TYPE, "zone": ZONE, "capacity": "some"})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"times": [0], "available": [1]}, "has to be true or false"),
    ({"times": [0], "available": []}, "There are 1 times and 0 available."),
    ({"times": [5, 0], "available": [True, False]}, "have to be in order"),
    ({**HOURS, "zone": "us-east-1e"}, f"{TYPE} is not offered in us-east-1e"),
]


@pytest.mark.parametrize(("series", "sentence"), REFUSED)
def test_refuses_in_a_sentence(lab: Lab, series: dict[str, Any], sentence: str) -> None:
    given = {"series": [{"type": TYPE, "zone": ZONE, **series}]}
    assert sentence in lab.denied("replay/availability", given)
