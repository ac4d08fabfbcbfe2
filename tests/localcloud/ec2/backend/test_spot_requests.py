"""Spot requests move as EC2's do, and are refused as EC2 refuses."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.ec2.backend import fulfillment
from tests.localcloud.lab import ZONE, Lab, until


def test_opens_before_it_is_active(lab: Lab) -> None:
    answer = lab.ec2.request_spot_instances(
        SpotPrice="0.65", Type="persistent", LaunchSpecification=lab.spec()
    )["SpotInstanceRequests"][0]
    assert (answer["State"], answer["Status"]["Code"]) == ("open", "pending-evaluation")
    assert "InstanceId" not in answer
    request = lab.reaches(answer["SpotInstanceRequestId"], "active", "fulfilled")
    assert request["LaunchedAvailabilityZone"] == ZONE
    assert request["SpotPrice"] == "0.650000"
    now = datetime.now(UTC)
    for moment in (request["CreateTime"], request["Status"]["UpdateTime"]):
        assert now - timedelta(minutes=1) < moment < now + timedelta(seconds=2)


def test_instance_names_its_request_and_carries_no_tags(lab: Lab) -> None:
    tags = {"ResourceType": "spot-instances-request", "Tags": [{"Key": "a", "Value": "b"}]}
    sir, ident = lab.spot_instance(TagSpecifications=[tags])
    assert lab.request(sir)["Tags"] == [{"Key": "a", "Value": "b"}]
    instance = lab.instance(ident)
    assert instance["SpotInstanceRequestId"] == sir
    assert instance["InstanceLifecycle"] == "spot"
    assert not instance.get("Tags")


def test_low_bid_waits(lab: Lab) -> None:
    sir = lab.ask(SpotPrice="0.0001")
    request = lab.reaches(sir, "open", "price-too-low")
    assert "InstanceId" not in request


def test_picks_the_cheapest_zone_when_none_is_named(lab: Lab) -> None:
    sir, ident = lab.spot_instance(lab.spec(Placement=None))
    assert lab.instance(ident)["Placement"]["AvailabilityZone"] == "us-east-1a"
    assert lab.request(sir)["LaunchedAvailabilityZone"] == "us-east-1a"


def test_terminated_instance_of_persistent_request_is_replaced(lab: Lab) -> None:
    data = base64.b64encode(b"#!/bin/sh\n").decode()
    group = lab.ec2.create_security_group(GroupName="relaunch", Description="x")["GroupId"]
    lab.ec2.create_key_pair(KeyName="relaunch", KeyType="ed25519")
    spec = lab.spec(UserData=data, SecurityGroupIds=[group], KeyName="relaunch")
    sir, first = lab.spot_instance(spec)
    lab.ec2.create_tags(Resources=[first], Tags=[{"Key": "Name", "Value": "x"}])
    lab.ec2.terminate_instances(InstanceIds=[first])

    def replaced() -> str | None:
        request = lab.request(sir)
        ident = request.get("InstanceId")
        return str(ident) if request["State"] == "active" and ident != first else None

    second = until("another instance", replaced)
    before, after = lab.instance(first), lab.becomes(second, "running")
    for name in ("ImageId", "InstanceType", "KeyName", "SecurityGroups"):
        assert after[name] == lab.instance(second)[name]
        if name != "SecurityGroups":
            assert after[name] == before[name]
    assert after["SecurityGroups"] == [{"GroupId": group, "GroupName": "relaunch"}]
    assert after["Placement"]["AvailabilityZone"] == ZONE
    assert not after.get("Tags")
    tree = lab.server.metadata(second)
    assert tree is not None
    assert tree["user-data"] == "#!/bin/sh\n"


def test_one_time_request_closes_with_its_instance(lab: Lab) -> None:
    sir, ident = lab.spot_instance(Type="one-time")
    assert "ValidUntil" in lab.request(sir)
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.reaches(sir, "closed", "instance-terminated-by-user")


def test_crashed_machine_is_a_reap(lab: Lab) -> None:
    sir, first = lab.spot_instance()
    lab.host.crash(first)
    gone = lab.becomes(first, "terminated")
    assert gone["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    until("a relaunch", lambda: lab.request(sir).get("InstanceId") not in (None, first))


def test_crashed_machine_of_a_stop_request_is_restarted_by_ec2(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    boots = lab.host.machines[ident].boots
    lab.host.crash(ident)
    until("a restart", lambda: lab.host.machines[ident].boots > boots)
    lab.becomes(ident, "running")
    assert lab.reaches(sir, "active", "fulfilled")["InstanceId"] == ident


def test_machine_that_cannot_start_is_told_and_tried_later(lab: Lab) -> None:
    lab.host.start_failure = "QEMU has no memory left."
    sir = lab.ask()
    request = lab.reaches(sir, "open", "capacity-not-available")
    assert "QEMU has no memory left." in request["Status"]["Message"]


def test_cancel_keeps_the_instance_and_the_record(lab: Lab) -> None:
    sir, ident = lab.spot_instance()
    answer = lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    assert answer["CancelledSpotInstanceRequests"] == [
        {"SpotInstanceRequestId": sir, "State": "cancelled"}
    ]
    lab.reaches(sir, "cancelled", "request-canceled-and-instance-running")
    assert lab.instance(ident)["State"]["Name"] == "running"
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")
    assert lab.reaches(sir, "cancelled", "instance-terminated-by-user")["InstanceId"] == ident


def test_cancel_before_fulfillment(lab: Lab) -> None:
    sir = lab.ask(SpotPrice="0.0001")
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    lab.reaches(sir, "cancelled", "canceled-before-fulfillment")


def test_records_vanish_in_the_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    sir = lab.ask(SpotPrice="0.0001")
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    monkeypatch.setattr(fulfillment, "SHOWN", timedelta(0))

    def gone() -> bool:
        every = lab.ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
        return sir not in [one["SpotInstanceRequestId"] for one in every]

    until("the record gone", gone)


def test_user_stop_disables_and_start_activates(lab: Lab) -> None:
    sir, ident = lab.spot_instance()
    before = lab.instance(ident)["PublicIpAddress"]
    lab.ec2.stop_instances(InstanceIds=[ident])
    stopped = lab.becomes(ident, "stopped")
    assert "PublicIpAddress" not in stopped
    lab.reaches(sir, "disabled", "instance-stopped-by-user")
    lab.ec2.start_instances(InstanceIds=[ident])
    assert lab.becomes(ident, "running")["PublicIpAddress"] != before
    lab.reaches(sir, "active", "fulfilled")


def test_poweroff_in_the_guest_is_a_stop_by_the_user(lab: Lab) -> None:
    sir, ident = lab.spot_instance()
    lab.host.guest_powers_off(ident)
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-by-user")
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.reaches(sir, "active", "fulfilled")
    assert lab.becomes(ident, "running")["InstanceId"] == ident


def test_cancel_of_a_stopped_one_ends_its_instance_after_a_lag(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fulfillment, "CANCEL_LAG", timedelta(hours=1))
    sir, ident = lab.spot_instance()
    lab.ec2.stop_instances(InstanceIds=[ident])
    lab.reaches(sir, "disabled", "instance-stopped-by-user")
    lab.becomes(ident, "stopped")
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    assert lab.instance(ident)["State"]["Name"] == "stopped"
    monkeypatch.setattr(fulfillment, "CANCEL_LAG", timedelta(0))
    lab.becomes(ident, "terminated")


def test_only_ec2_starts_what_ec2_stopped(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    # It cannot start again for a while, so it stays as EC2 left it
    lab.host.start_failure = "no room"
    lab.host.crash(ident)
    until("a failed restart", lambda: "no room" in str(lab.instance(ident).get("StateReason")))
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-no-capacity")
    message = lab.refused("IncorrectSpotRequestState", lab.ec2.start_instances, InstanceIds=[ident])
    assert "instance-stopped-no-capacity" in message


def test_one_time_instance_cannot_be_stopped(lab: Lab) -> None:
    _, ident = lab.spot_instance(Type="one-time")
    lab.refused("UnsupportedOperation", lab.ec2.stop_instances, InstanceIds=[ident])


def test_not_before_valid_from_and_not_after_valid_until(lab: Lab) -> None:
    now = datetime.now(UTC)
    later = lab.ask(ValidFrom=now + timedelta(hours=1))
    lab.reaches(later, "open", "not-scheduled-yet")
    end = (now + timedelta(seconds=2)).replace(microsecond=0)
    short = lab.ask(SpotPrice="0.0001", ValidUntil=end)
    assert lab.request(short)["ValidUntil"] == end
    lab.reaches(short, "cancelled", "schedule-expired")
