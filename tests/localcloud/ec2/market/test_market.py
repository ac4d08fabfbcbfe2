"""The price decides who runs: what a bid above, at and below it means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.ec2.backend.whole import backends
from tests.localcloud.clock import Clock
from tests.localcloud.lab import TYPE, ZONE, Lab

BID = 0.65
OPEN_CODES = ("instance-terminated-by-price", "price-too-low")


def status(lab: Lab, sir: str) -> tuple[str, str]:
    request = lab.request(sir)
    return request["State"], request["Status"]["Code"]


def test_price_above_the_bid_terminates_and_at_the_bid_brings_back(lab: Lab, clock: Clock) -> None:
    sir, old = lab.spot_instance(SpotPrice=str(BID))
    lab.price(BID + 0.0001)
    clock.look()
    # Until it is gone: what EC2 opens at once is only what it has no capacity for
    assert status(lab, sir) == ("active", "marked-for-termination")
    assert json.loads(lab.metadata(old, "spot/instance-action"))["action"] == "terminate"
    clock.skip(seconds=119)
    assert lab.instance(old)["State"]["Name"] == "running"
    with lab.server.cloud.lock:
        clock.skip(seconds=1)
        (request,) = (b.spot_instance_requests.get(sir) for b in backends())
        assert request and (request.state, request.code) == ("open", OPEN_CODES[0])
    gone = lab.becomes(old, "terminated")
    assert gone["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert f"kill {old}" in lab.host.calls
    lab.reaches(sir, "open", "price-too-low")
    lab.price(BID)
    new = lab.relaunched(sir, old)
    assert status(lab, sir) == ("active", "fulfilled")
    (steps,) = (one for one in lab.own("reaps") if one["instance"] == old)
    assert (steps["cause"], steps["notice_seconds"]) == ("price", 120)
    assert steps["price"] == pytest.approx(BID + 0.0001)
    assert steps["notice"] < steps["request_open"] <= steps["gone"] <= steps["relaunched"]
    assert steps["relaunched_instance"] == new


@pytest.mark.parametrize("behavior", ["stop", "hibernate"])
def test_price_above_the_bid_stops_and_at_the_bid_restarts(
    lab: Lab, clock: Clock, behavior: str
) -> None:
    sir, ident = lab.spot_instance(SpotPrice=str(BID), InstanceInterruptionBehavior=behavior)
    lab.price(1.5)
    clock.look()
    if behavior == "stop":
        assert status(lab, sir) == ("active", "marked-for-stop")
        clock.skip(seconds=120)
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-by-price")
    lab.refused("IncorrectSpotRequestState", lab.ec2.start_instances, InstanceIds=[ident])
    lab.price(BID)
    lab.becomes(ident, "running")
    lab.reaches(sir, "active", "fulfilled")


def test_bid_that_equals_the_price_is_fulfilled_and_stays(lab: Lab, clock: Clock) -> None:
    lab.price(BID)
    sir, ident = lab.spot_instance(SpotPrice=str(BID))
    clock.skip(hours=3)
    assert status(lab, sir) == ("active", "fulfilled")
    assert ident not in {one["instance"] for one in lab.own("reaps")}


def test_price_that_came_and_went_between_two_looks_reaps(lab: Lab, clock: Clock) -> None:
    _, ident = lab.spot_instance(SpotPrice=str(BID))
    clock.skip(seconds=1)
    with lab.server.cloud.lock:
        market = lab.server.cloud.market
        for later, dollars in ((1, 0.7), (2, 0.9), (3, 0.1)):
            market.stand((TYPE, ZONE), dollars, clock.now.replace(microsecond=later))
        clock.skip(seconds=1)
    assert [one["price"] for one in lab.own("reaps") if one["instance"] == ident] == [0.7]


def test_price_before_the_launch_does_not_count(lab: Lab, clock: Clock) -> None:
    sir = lab.ask(SpotPrice="0.1")
    lab.reaches(sir, "open", "price-too-low")
    clock.skip(seconds=1)
    lab.price(0.1)
    ident = lab.reaches(sir, "active", "fulfilled")["InstanceId"]
    lab.becomes(ident, "running")
    clock.skip(seconds=1)
    assert ident not in {one["instance"] for one in lab.own("reaps")}


def test_one_time_request_is_closed_when_its_machine_is_gone(lab: Lab, clock: Clock) -> None:
    sir, ident = lab.spot_instance(SpotPrice=str(BID), Type="one-time")
    lab.price(1.5)
    clock.look()
    assert status(lab, sir) == ("active", "marked-for-termination")
    clock.skip(seconds=120)
    lab.becomes(ident, "terminated")
    lab.reaches(sir, "closed", "instance-terminated-by-price")


def test_machine_of_a_cancelled_request_is_taken_too(lab: Lab, clock: Clock) -> None:
    sir, ident = lab.spot_instance(SpotPrice=str(BID))
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    lab.price(1.5)
    clock.look()
    clock.skip(seconds=120)
    lab.becomes(ident, "terminated")
    lab.reaches(sir, "cancelled", "instance-terminated-by-price")


def test_only_the_type_and_zone_that_rose(lab: Lab, clock: Clock) -> None:
    spec = lab.spec(Placement={"AvailabilityZone": "us-east-1c"})
    _, elsewhere = lab.spot_instance(spec, SpotPrice=str(BID))
    _, other = lab.spot_instance(lab.spec(InstanceType="c3.xlarge"), SpotPrice=str(BID))
    lab.price(1.5)
    clock.look()
    assert not {elsewhere, other} & {one["instance"] for one in lab.own("reaps")}


def test_request_that_names_no_zone_goes_where_it_is_cheap(lab: Lab, clock: Clock) -> None:
    lab.price(0.01, zone="us-east-1d")
    sir, _ = lab.spot_instance(lab.spec(Placement=None))
    assert lab.request(sir)["LaunchedAvailabilityZone"] == "us-east-1d"


def test_notice_of_the_market_can_be_set(lab: Lab, clock: Clock) -> None:
    _, ident = lab.spot_instance(SpotPrice=str(BID))
    lab.own("price", {"type": TYPE, "zone": ZONE, "price": 1.5, "notice": 7})
    clock.look()
    (steps,) = (one for one in lab.own("reaps") if one["instance"] == ident)
    assert (steps["notice_seconds"], steps["cause"]) == (7, "price")
    clock.skip(seconds=7)
    lab.becomes(ident, "terminated")


def test_default_bid_is_not_the_price_of_now(lab: Lab, clock: Clock) -> None:
    """EC2 takes the price on demand, which does not move."""
    lab.price(4.5, zone="us-east-1a")
    before = lab.ec2.request_spot_instances(LaunchSpecification=lab.spec())
    assert float(before["SpotInstanceRequests"][0]["SpotPrice"]) == pytest.approx(4.56)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("price", {"price": 0}, "The price is 0; it has to be dollars an hour above 0"),
    ("price", {"price": -1}, "The price is -1"),
    ("price", {"price": 1e6}, "at most 10000"),
    ("price", {"price": "cheap"}, "price is 'cheap'; it has to be a number of dollars."),
    ("price", {}, "price"),
    ("price", {"type": "hi1.4xlarge", "price": 1}, "Invalid value 'hi1.4xlarge'"),
    ("price", {"zone": "us-east-1z", "price": 1}, "There is no zone 'us-east-1z'"),
    ("price", {"type": "c3.xlarge", "zone": "us-east-1f", "price": 1}, "is in us-east-1a, us"),
    ("price", {"price": 1, "notice": -1}, "notice is -1 seconds; it has to be from 0 to 86400."),
    ("price", {"price": 0, "notice": 1}, "The price is 0"),
    ("capacity", {"capacity": "few"}, "capacity is 'few'; valid: none, some."),
    ("capacity", {"capacity": "some", "reap": True}, "reap goes with none"),
    ("capacity", {"capacity": "none", "zone": "b"}, "There is no zone 'b'"),
]


@pytest.mark.parametrize(("lever", "given", "message"), REFUSED)
def test_refuses_in_words_and_changes_nothing(
    lab: Lab, clock: Clock, lever: str, given: dict[str, Any], message: str
) -> None:
    before = lab.own("prices")
    assert message in lab.denied(lever, {"type": TYPE, "zone": ZONE, **given})
    assert lab.own("prices") == before
