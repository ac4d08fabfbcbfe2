"""EC2 takes a machine away: what its owner and the machine itself see, step by step."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.ec2.backend.whole import backends
from tests.localcloud.lab import ZONE, Lab, until


def test_terminating_reap_opens_the_request_while_the_old_machine_still_runs(lab: Lab) -> None:
    sir, old = lab.spot_instance(lab.spec(UserData="IyEvYmluL3NoCg=="))
    lab.ec2.create_tags(Resources=[old], Tags=[{"Key": "Name", "Value": "x"}])
    volume = lab.volume()
    lab.attach(volume, old)
    before = lab.instance(old)
    reap = lab.reap(old, notice=1.5)
    # At once: the status of EC2, while machine and volume are as they were
    request = lab.request(sir)
    assert (request["State"], request["Status"]["Code"]) == (
        "open", "instance-terminated-no-capacity",
    )  # fmt: skip
    assert "InstanceId" not in request
    assert lab.instance(old)["State"]["Name"] == "running"
    assert lab.volume_of(volume)["Attachments"][0]["State"] == "attached"
    gone = lab.becomes(old, "terminated")
    assert gone["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert f"kill {old}" in lab.host.calls
    assert f"stop {old}" not in lab.host.calls
    lab.volume_becomes(volume, "available")
    new = lab.relaunched(sir, old)
    after = lab.instance(new)
    assert after["PublicIpAddress"] != before["PublicIpAddress"]
    assert not after.get("Tags")
    for name in ("ImageId", "InstanceType", "SecurityGroups"):
        assert after[name] == before[name]
    assert after["Placement"]["AvailabilityZone"] == ZONE
    tree = lab.server.metadata(new)
    assert tree and tree["user-data"] == "#!/bin/sh\n"
    lab.attach(volume, new)
    steps = lab.timeline(reap)
    order = ("recommended", "notice", "request_open", "gone", "relaunched")
    times = [datetime.fromisoformat(steps[name]) for name in order]
    assert times == sorted(times)
    assert times[3] - times[1] >= timedelta(seconds=1.5)
    assert steps["relaunched_instance"] == new


def test_machine_is_told_when_it_will_end(lab: Lab) -> None:
    _, ident = lab.spot_instance()
    assert lab.metadata(ident, "spot") is None
    lab.reap(ident)
    action = json.loads(lab.metadata(ident, "spot/instance-action"))
    assert action["action"] == "terminate"
    left = datetime.fromisoformat(action["time"]) - datetime.now(UTC)
    assert timedelta(seconds=115) < left < timedelta(seconds=122)
    assert lab.metadata(ident, "spot/termination-time") == action["time"]
    rebalance = json.loads(lab.metadata(ident, "events/recommendations/rebalance"))
    assert rebalance["noticeTime"].endswith("Z")


def test_recommendation_may_come_before_the_notice(lab: Lab) -> None:
    sir, ident = lab.spot_instance()
    reap = lab.reap(ident, lead=0.6, notice=0)
    assert lab.metadata(ident, "events/recommendations/rebalance")
    assert lab.metadata(ident, "spot") is None
    assert lab.request(sir)["State"] == "active"
    lab.becomes(ident, "terminated")
    assert lab.timeline(reap)["notice"] > lab.timeline(reap)["recommended"]


def test_reap_without_notice(lab: Lab) -> None:
    sir, old = lab.spot_instance()
    reap = lab.reap(old, notice=None)
    assert lab.instance(old)["State"]["Name"] != "running"
    lab.relaunched(sir, old)
    steps = lab.timeline(reap)
    assert steps["recommended"] is steps["notice"] is None


def test_kept_down_for_as_long_as_asked(lab: Lab) -> None:
    sir, old = lab.spot_instance()
    reap = lab.reap(old, notice=0, keep_down=1)
    lab.becomes(old, "terminated")
    lab.reaches(sir, "open", "capacity-not-available")
    lab.relaunched(sir, old)
    steps = lab.timeline(reap)
    away = datetime.fromisoformat(steps["relaunched"]) - datetime.fromisoformat(steps["gone"])
    assert timedelta(seconds=1) <= away < timedelta(seconds=4)


def test_relaunch_may_overlap_with_the_old_machine(lab: Lab) -> None:
    sir, old = lab.spot_instance()
    volume = lab.volume()
    lab.attach(volume, old)
    lab.reap(old, notice=120, overlap=True)
    new = lab.relaunched(sir, old)
    assert lab.instance(old)["State"]["Name"] == "running"
    # It has the address and the volume still
    assert lab.instance(old)["PublicIpAddress"] != lab.instance(new)["PublicIpAddress"]
    lab.refused(
        "VolumeInUse", lab.ec2.attach_volume, VolumeId=volume, InstanceId=new, Device="/dev/xvdj"
    )
    # And its owner may end it before EC2 does, which changes nothing for the new one
    lab.ec2.terminate_instances(InstanceIds=[old])
    lab.becomes(old, "terminated")
    lab.volume_becomes(volume, "available")
    assert lab.request(sir)["InstanceId"] == new


def test_old_machine_cannot_be_stopped_any_more(lab: Lab) -> None:
    _, old = lab.spot_instance()
    lab.reap(old)
    lab.refused("UnsupportedOperation", lab.ec2.stop_instances, InstanceIds=[old])


def test_one_time_request_is_closed(lab: Lab) -> None:
    sir, ident = lab.spot_instance(Type="one-time")
    lab.reap(ident, notice=0.8)
    request = lab.request(sir)
    assert (request["State"], request["Status"]["Code"]) == ("closed", "marked-for-termination")
    assert request["InstanceId"] == ident
    lab.becomes(ident, "terminated")
    lab.reaches(sir, "closed", "instance-terminated-no-capacity")


def test_request_cancelled_during_the_notice_is_not_fulfilled_again(lab: Lab) -> None:
    sir, ident = lab.spot_instance()
    lab.reap(ident, notice=0.5)
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    lab.becomes(ident, "terminated")
    lab.reaches(sir, "cancelled", "canceled-before-fulfillment")


def test_power_is_cut_whatever_else_is_done_with_the_machine(lab: Lab) -> None:
    sir, old = lab.spot_instance()
    volume = lab.volume()
    lab.attach(volume, old)
    lab.host.stuck.add(volume)
    lab.ec2.detach_volume(VolumeId=volume)
    lab.volume_becomes(volume, "in-use", "busy")
    lab.reap(old, notice=0)
    lab.becomes(old, "terminated")
    lab.volume_becomes(volume, "available")
    lab.relaunched(sir, old)


def test_two_reaps_in_a_row(lab: Lab) -> None:
    sir, first = lab.spot_instance()
    lab.reap(first, notice=0.2)
    second = lab.relaunched(sir, first)
    lab.reap(second, notice=0.2)
    third = lab.relaunched(sir, second)
    live = [
        i for b in backends() for i in b.every_instance()
        if i.spot_instance_request_id == sir and i.live
    ]  # fmt: skip
    assert [i.id for i in live] == [third]


def test_crash_is_in_the_timeline_too(lab: Lab) -> None:
    sir, old = lab.spot_instance()
    lab.host.crash(old)
    new = lab.relaunched(sir, old)
    steps = next(one for one in lab.own("reaps") if one["instance"] == old)
    assert (steps["notice"], steps["relaunched_instance"]) == (None, new)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"instance": "i-0123456789abcdef0"}, "There is no instance 'i-0123456789abcdef0'. Running:"),
    ({}, "instance"),
    ({"notice": -1}, "notice is -1 seconds; it has to be from 0 to 86400."),
    ({"notice": "soon"}, "notice is 'soon'; it has to be a number of seconds."),
    ({"keep_down": 1e9}, "keep-down is 1e+09 seconds"),
    ({"cause": "whim"}, "cause is 'whim'; valid: no-capacity, price, experiment."),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_bad_terms_are_refused_in_words(lab: Lab, given: dict[str, Any], message: str) -> None:
    _, ident = lab.spot_instance()
    terms = {"instance": ident, **given} if given else {}
    assert message in lab.denied("reap", terms)
    assert lab.request(lab.instance(ident)["SpotInstanceRequestId"])["State"] == "active"


def test_only_running_spot_instances_are_reaped_and_only_once(lab: Lab) -> None:
    demand = lab.run()
    assert "is no spot instance" in lab.denied("reap", {"instance": demand})
    _, ident = lab.spot_instance()
    lab.reap(ident)
    assert "is being reaped already" in lab.denied("reap", {"instance": ident})
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")
    assert "is 'terminated'" in lab.denied("reap", {"instance": ident})


def test_timeline_of_an_unfinished_reap_has_gaps(lab: Lab) -> None:
    _, ident = lab.spot_instance()
    reap = lab.reap(ident)
    steps = lab.timeline(reap)
    assert steps["gone"] is steps["relaunched"] is steps["relaunched_instance"] is None
    until("the due time", lambda: steps["due"] > steps["notice"])
