"""Fleets of the types request and maintain: what is launched, replaced and ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.localcloud.ec2.backend.fleet.test_fleets import A, B, asked, at, no_room
from tests.localcloud.ec2.backend.fleet.test_launch_templates import NAME, template
from tests.localcloud.ec2.backend.test_refused_calls import everything
from tests.localcloud.lab import TYPE, Lab, until

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def tidy(lab: Lab) -> Iterator[None]:
    template(lab, Placement={})
    yield
    left = [one["FleetId"] for one in fleets(lab) if not one["FleetState"].startswith("deleted")]
    if left:
        lab.ec2.delete_fleets(FleetIds=left, TerminateInstances=True)
    lab.ec2.delete_launch_template(LaunchTemplateName=NAME)
    lab.own("capacity", {"type": TYPE, "zone": A, "capacity": "some"})


def fleets(lab: Lab) -> list[dict[str, Any]]:
    return list(lab.ec2.describe_fleets()["Fleets"])


def fleet(lab: Lab, *overrides: dict[str, Any], kind: str = "maintain", **params: Any) -> str:
    given = asked(*(overrides or (at(A),)), **params)
    answer = lab.ec2.create_fleet(**{**given, "Type": kind})
    assert "Instances" not in answer
    return str(answer["FleetId"])


def shown(lab: Lab, ident: str) -> dict[str, Any]:
    return dict(lab.ec2.describe_fleets(FleetIds=[ident])["Fleets"][0])


def active(lab: Lab, ident: str) -> dict[str, dict[str, Any]]:
    answer = lab.ec2.describe_fleet_instances(FleetId=ident)
    return {one["InstanceId"]: one for one in answer["ActiveInstances"]}


def has(lab: Lab, ident: str, count: int) -> list[str]:
    """Ids of its instances, once it has so many and all of them run."""
    return list(until(f"{count} of {ident}", lambda: _running(lab, ident, count)))


def _running(lab: Lab, ident: str, count: int) -> list[str]:
    ids = list(active(lab, ident))
    states = [lab.instance(one)["State"]["Name"] for one in ids]
    return ids if states == ["running"] * count else []


def ended(lab: Lab, ids: list[str]) -> None:
    for one in ids:
        lab.becomes(one, "terminated")


def target(total: int) -> dict[str, Any]:
    return {"TotalTargetCapacity": total, "DefaultTargetCapacityType": "spot"}


def test_a_fleet_is_launched_after_the_call_and_is_shown_without_its_id(lab: Lab) -> None:
    tags = [{"ResourceType": "fleet", "Tags": [{"Key": "kind", "Value": "kept"}]}]
    ident = fleet(lab, spot=2, demand=1, TagSpecifications=tags)
    ids = has(lab, ident, 3)
    machines = [lab.instance(one) for one in ids]
    assert sorted(one.get("InstanceLifecycle", "") for one in machines) == ["", "spot", "spot"]
    for one in machines:
        seen = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        assert seen == {"aws:ec2:fleet-id": ident, **_origin(seen)}
        assert active(lab, ident)[one["InstanceId"]].get("SpotInstanceRequestId") == one.get(
            "SpotInstanceRequestId"
        )
    assert ident in [one["FleetId"] for one in fleets(lab)]
    facts = shown(lab, ident)
    assert (facts["FleetState"], facts["ActivityStatus"]) == ("active", "fulfilled")
    assert (facts["FulfilledCapacity"], facts["FulfilledOnDemandCapacity"]) == (3.0, 1.0)
    assert (facts["Type"], facts["Tags"]) == ("maintain", tags[0]["Tags"])
    assert facts["ExcessCapacityTerminationPolicy"] == "termination"


def _origin(seen: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in seen.items() if key.startswith("aws:ec2launchtemplate:")}


def test_a_kept_fleet_replaces_what_was_taken_or_ended(lab: Lab) -> None:
    ident = fleet(lab, spot=1, demand=1)
    before = has(lab, ident, 2)
    spot = next(one for one in before if "SpotInstanceRequestId" in lab.instance(one))
    lab.reap(spot, notice=0)
    ended(lab, [spot])
    after = has(lab, ident, 2)
    assert spot not in after
    plain = next(one for one in after if "SpotInstanceRequestId" not in lab.instance(one))
    lab.ec2.terminate_instances(InstanceIds=[plain])
    assert plain not in has(lab, ident, 2)


def test_a_fleet_of_requests_is_launched_once(lab: Lab) -> None:
    ident = fleet(lab, kind="request", demand=2)
    first, second = has(lab, ident, 2)
    lab.ec2.terminate_instances(InstanceIds=[first])
    ended(lab, [first])
    other = fleet(lab, demand=1)
    # The steps of both are taken together
    has(lab, other, 1)
    assert list(active(lab, ident)) == [second]
    assert shown(lab, ident)["ActivityStatus"] == "pending_fulfillment"


def test_a_fleet_without_room_tries_the_other_pools_and_says_why(lab: Lab) -> None:
    no_room(lab, A)
    ident = fleet(lab, at(A), spot=1)
    until("an error", lambda: shown(lab, ident)["ActivityStatus"] == "error")
    records = lab.ec2.describe_fleet_history(FleetId=ident, StartTime=LONG_AGO)["HistoryRecords"]
    errors = [one for one in records if one["EventType"] == "service-error"]
    assert "InsufficientInstanceCapacity" in errors[0]["EventInformation"]["EventDescription"]
    elsewhere = fleet(lab, at(A), at(B), spot=1)
    (machine,) = has(lab, elsewhere, 1)
    assert lab.instance(machine)["Placement"]["AvailabilityZone"] == B


def test_a_target_is_raised_and_lowered(lab: Lab) -> None:
    ident = fleet(lab, at(A), spot=1)
    has(lab, ident, 1)
    lab.ec2.modify_fleet(FleetId=ident, TargetCapacitySpecification=target(3))
    three = has(lab, ident, 3)
    keep = {"ExcessCapacityTerminationPolicy": "no-termination"}
    lab.ec2.modify_fleet(FleetId=ident, TargetCapacitySpecification=target(2), **keep)
    assert sorted(active(lab, ident)) == sorted(three)
    assert shown(lab, ident)["FulfilledCapacity"] == 3.0
    end = {"ExcessCapacityTerminationPolicy": "termination"}
    lab.ec2.modify_fleet(FleetId=ident, TargetCapacitySpecification=target(0), **end)
    ended(lab, three)
    assert active(lab, ident) == {}
    assert shown(lab, ident)["TargetCapacitySpecification"]["TotalTargetCapacity"] == 0


def test_a_machine_that_the_target_needs_stays(lab: Lab) -> None:
    """A target of 3 needs two of the weight 2."""
    ident = fleet(lab, at(A, WeightedCapacity=2.0), spot=5)
    has(lab, ident, 3)
    lab.ec2.modify_fleet(FleetId=ident, TargetCapacitySpecification=target(3))
    has(lab, ident, 2)
    assert shown(lab, ident)["FulfilledCapacity"] == 4.0


def test_a_deleted_fleet_may_leave_its_machines_and_end_them_later(lab: Lab) -> None:
    ident = fleet(lab, demand=1)
    ids = has(lab, ident, 1)
    for ends, state in ((False, "deleted_running"), (True, "deleted_terminating")):
        answer = lab.ec2.delete_fleets(FleetIds=[ident], TerminateInstances=ends)
        (one,) = answer["SuccessfulFleetDeletions"]
        assert one["CurrentFleetState"] == state
    assert one["PreviousFleetState"] == "deleted_running"
    ended(lab, ids)
    assert shown(lab, ident)["FleetState"] == "deleted"
    assert active(lab, ident) == {}
    answer = lab.ec2.delete_fleets(FleetIds=[ident], TerminateInstances=True)
    (failed,) = answer["UnsuccessfulFleetDeletions"]
    assert failed["Error"]["Code"] == "fleetNotInDeletableState"


def test_a_fleet_begins_and_ends_at_its_times(lab: Lab) -> None:
    now = datetime.now(UTC)
    late = fleet(lab, demand=1, ValidFrom=now + timedelta(hours=1))
    ident = fleet(
        lab, demand=1, ValidUntil=now + timedelta(hours=2), TerminateInstancesWithExpiration=True
    )
    ids = has(lab, ident, 1)
    assert (shown(lab, late)["FleetState"], active(lab, late)) == ("submitted", {})
    cloud = lab.server.cloud
    clock = cloud.clock
    try:
        cloud.clock = lambda: clock() + timedelta(hours=3)
        cloud.wake.set()
        ended(lab, ids)
        has(lab, late, 1)
    finally:
        cloud.clock = clock
    assert shown(lab, ident)["FleetState"] == "deleted"


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("InvalidParameterValue", {"ValidUntil": LONG_AGO}),
        ("InvalidParameterValue", {"ExcessCapacityTerminationPolicy": "terminate"}),
        (
            "InvalidParameterCombination",
            {"Type": "request", "ExcessCapacityTerminationPolicy": "termination"},
        ),
        ("InvalidParameterCombination", {"SpotOptions": {"SingleInstanceType": True}}),
        ("UnsupportedOperation", {"Type": "instant", "ValidUntil": LONG_AGO}),
        ("UnsupportedOperation", {"ReplaceUnhealthyInstances": True}),
        (
            "InvalidParameterValue",
            {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a"}]}]},
        ),
    ],
)
def test_terms_that_a_fleet_cannot_have_are_refused(lab: Lab, code: str, params: Any) -> None:
    before = everything(lab)
    given = {**asked(at(A), spot=1), "Type": "maintain", **params}
    lab.refused(code, lab.ec2.create_fleet, **given)
    assert everything(lab) == before


def test_changes_that_a_fleet_cannot_have_are_refused(lab: Lab) -> None:
    change = lab.ec2.modify_fleet
    ident = fleet(lab, demand=1)
    ids = has(lab, ident, 1)
    lab.refused("InvalidFleetId.NotFound", change, FleetId="fleet-x")
    lab.refused("MissingParameter", change, TargetCapacitySpecification=target(1), FleetId="")
    bad = {"TotalTargetCapacity": -1}
    lab.refused("InvalidParameterValue", change, FleetId=ident, TargetCapacitySpecification=bad)
    lab.refused(
        "InvalidParameterValue", change, FleetId=ident, ExcessCapacityTerminationPolicy="never"
    )
    lab.refused("UnsupportedOperation", change, FleetId=ident, Context="x")
    once = fleet(lab, kind="request", demand=1)
    lab.refused("UnsupportedOperation", change, FleetId=once, TargetCapacitySpecification=target(2))
    lab.ec2.delete_fleets(FleetIds=[ident], TerminateInstances=False)
    lab.refused("IncorrectState", change, FleetId=ident, TargetCapacitySpecification=target(2))
    assert lab.instance(ids[0])["State"]["Name"] == "running"
    history = lab.ec2.describe_fleet_history
    lab.refused("InvalidFleetId.NotFound", history, FleetId="fleet-x", StartTime=LONG_AGO)
    wrong = {"StartTime": LONG_AGO, "EventType": "weather"}
    lab.refused("InvalidParameterValue", history, FleetId=ident, **wrong)
