"""Requests that stop or hibernate, experiments, and requests that end meanwhile."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.localcloud.lab import Lab, until


def test_stopping_reap_disables_and_only_ec2_restarts(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    volume = lab.volume()
    lab.attach(volume, ident)
    before, disks = lab.instance(ident), lab.host.machines[ident].spec
    reap = lab.reap(ident, notice=0.5, keep_down=1.5)
    lab.reaches(sir, "active", "marked-for-stop")
    assert json.loads(lab.metadata(ident, "spot/instance-action"))["action"] == "stop"
    # Said of terminations only (EC2 User Guide)
    assert lab.metadata(ident, "spot/termination-time") is None
    stopped = lab.becomes(ident, "stopped")
    assert stopped["StateReason"]["Code"] == "Server.SpotInstanceShutdown"
    assert "PublicIpAddress" not in stopped
    # A clean shutdown, and nothing is let go
    assert f"stop {ident}" in lab.host.calls
    assert lab.volume_of(volume)["Attachments"][0]["InstanceId"] == ident
    request = lab.reaches(sir, "disabled", "instance-stopped-no-capacity")
    assert request["InstanceId"] == ident
    lab.refused("IncorrectSpotRequestState", lab.ec2.start_instances, InstanceIds=[ident])
    assert lab.becomes(ident, "running")["PublicIpAddress"] != before["PublicIpAddress"]
    lab.reaches(sir, "active", "fulfilled")
    # Other disks than before: what was on them is gone
    after = lab.host.machines[ident].spec
    assert {one.serial for one in after.instance_store}.isdisjoint(
        one.serial for one in disks.instance_store
    )
    assert lab.metadata(ident, "spot") is lab.metadata(ident, "events/recommendations") is None
    steps = lab.timeline(reap)
    assert steps["relaunched_instance"] == ident
    assert steps["request_open"] is None
    assert steps["request_disabled"] <= steps["gone"] <= steps["relaunched"]


def test_hibernation_begins_at_once_and_falls_back_to_a_stop(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="hibernate")
    reap = lab.reap(ident, keep_down=60)
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-no-capacity")
    steps = lab.timeline(reap)
    assert steps["behavior"] == "hibernate"
    assert steps["due"] == steps["asked"]


def test_crash_during_the_notice_ends_it(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    reap = lab.reap(ident, keep_down=60)
    lab.host.crash(ident)
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-no-capacity")
    assert lab.timeline(reap)["gone"]


def test_owner_who_stops_during_the_notice_starts_again(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    lab.reap(ident)
    lab.ec2.stop_instances(InstanceIds=[ident])
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-by-user")
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.becomes(ident, "running")
    lab.reaches(sir, "active", "fulfilled")
    assert lab.metadata(ident, "spot") is None


def test_request_cancelled_during_the_notice_ends_the_machine(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    lab.reap(ident, notice=0.5)
    lab.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[sir])
    lab.becomes(ident, "terminated")
    assert lab.request(sir)["State"] == "cancelled"


def test_experiment_that_stops_is_undone_by_its_owner_only(lab: Lab) -> None:
    sir, ident = lab.spot_instance(InstanceInterruptionBehavior="stop")
    lab.reap(ident, notice=0.5, cause="experiment")
    lab.reaches(sir, "active", "marked-for-stop-by-experiment")
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "disabled", "instance-stopped-by-experiment")
    boots = lab.host.calls.count(f"start {ident}")
    # It stays so through every look that EC2 takes; the look after a cancel is one
    other = lab.ask(SpotPrice="0.0001")
    lab.reaches(other, "open", "price-too-low")
    assert lab.host.calls.count(f"start {ident}") == boots
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.becomes(ident, "running")
    lab.reaches(sir, "active", "fulfilled")


def test_experiment_that_terminates(lab: Lab) -> None:
    sir, old = lab.spot_instance()
    lab.reap(old, notice=0.5, cause="experiment")
    lab.reaches(sir, "open", "instance-terminated-by-experiment")
    lab.relaunched(sir, old)


@pytest.mark.parametrize("behavior", ["terminate", "stop"])
def test_expired_request_leaves_its_instance_alone(lab: Lab, behavior: str) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    sir, ident = lab.spot_instance(ValidUntil=end, InstanceInterruptionBehavior=behavior)
    lab.reaches(sir, "cancelled", "request-canceled-and-instance-running")
    assert lab.instance(ident)["State"]["Name"] == "running"
    # EC2 may still take it, and then nothing comes back
    lab.reap(ident, notice=0)
    lab.becomes(ident, "terminated")
    lab.reaches(sir, "cancelled", "instance-terminated-no-capacity")


def test_request_that_expires_while_its_instance_is_stopped(lab: Lab) -> None:
    end = (datetime.now(UTC) + timedelta(seconds=2)).replace(microsecond=0)
    sir, ident = lab.spot_instance(ValidUntil=end, InstanceInterruptionBehavior="stop")
    lab.reap(ident, notice=0, keep_down=60)
    lab.becomes(ident, "stopped")
    until("the end of the request", lambda: lab.request(sir)["State"] == "cancelled")
    lab.becomes(ident, "terminated")
