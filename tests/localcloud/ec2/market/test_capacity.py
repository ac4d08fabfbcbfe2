"""No room for another spot machine of a type in a zone, by hand."""

from __future__ import annotations

from typing import Any

from tests.localcloud.clock import Clock
from tests.localcloud.lab import TYPE, ZONE, Lab


def capacity(lab: Lab, wanted: str, **given: Any) -> Any:
    return lab.own("capacity", {"type": TYPE, "zone": ZONE, "capacity": wanted, **given})


def test_none_holds_new_requests_and_some_lets_them_go(lab: Lab, clock: Clock) -> None:
    _, running = lab.spot_instance()
    capacity(lab, "none")
    sir = lab.ask()
    lab.reaches(sir, "open", "capacity-not-available")
    low = lab.ask(SpotPrice="0.0001")
    lab.reaches(low, "open", "price-too-low")
    # Running machines stay, and so do machines that are not spot
    assert lab.instance(running)["State"]["Name"] == "running"
    lab.run()
    capacity(lab, "some")
    lab.becomes(lab.reaches(sir, "active", "fulfilled")["InstanceId"], "running")


def test_running_ones_can_be_taken(lab: Lab, clock: Clock) -> None:
    sir, old = lab.spot_instance()
    spec = lab.spec(Placement={"AvailabilityZone": "us-east-1c"})
    _, elsewhere = lab.spot_instance(spec)
    lab.own("price", {"notice": 30})
    (taken,) = capacity(lab, "none", reap=True)["reaps"]
    assert (taken["instance"], taken["cause"], taken["notice_seconds"]) == (old, "no-capacity", 30)
    lab.reaches(sir, "open", "instance-terminated-no-capacity")
    # Once more is once
    assert capacity(lab, "none", reap=True)["reaps"] == []
    clock.skip(seconds=30)
    lab.becomes(old, "terminated")
    lab.reaches(sir, "open", "capacity-not-available")
    capacity(lab, "some")
    lab.relaunched(sir, old)
    assert lab.instance(elsewhere)["State"]["Name"] == "running"


def test_stopped_ones_are_not_restarted(lab: Lab, clock: Clock) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    mine, stopped = lab.spot_instance()
    lab.ec2.stop_instances(InstanceIds=[stopped])
    lab.becomes(stopped, "stopped")
    lab.reaches(mine, "disabled", "instance-stopped-by-user")
    capacity(lab, "none", reap=True)
    clock.skip(seconds=120)
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-no-capacity")
    clock.skip(hours=1)
    assert lab.instance(ident)["State"]["Name"] == "stopped"
    lab.refused("InsufficientInstanceCapacity", lab.ec2.start_instances, InstanceIds=[stopped])
    capacity(lab, "some")
    lab.becomes(ident, "running")
    lab.reaches(sir, "active", "fulfilled")
    lab.ec2.start_instances(InstanceIds=[stopped])
    lab.becomes(stopped, "running")


def test_request_that_names_no_zone_goes_where_there_is_room(lab: Lab, clock: Clock) -> None:
    lab.own("capacity", {"type": TYPE, "zone": "us-east-1a", "capacity": "none"})
    sir, _ = lab.spot_instance(lab.spec(Placement=None))
    assert lab.request(sir)["LaunchedAvailabilityZone"] == ZONE
