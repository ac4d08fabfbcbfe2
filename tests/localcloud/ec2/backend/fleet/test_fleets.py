"""CreateFleet of type instant: what is launched from which pool, and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.ec2.backend.fleet.test_launch_templates import NAME, template
from tests.localcloud.ec2.backend.test_refused_calls import everything
from tests.localcloud.lab import TYPE, ZONE, Lab, until
from tests.localcloud.roles import Roles, allow

SMALL = "m5d.large"
A, B, C = "us-east-1a", ZONE, "us-east-1c"


@pytest.fixture(autouse=True)
def tidy(lab: Lab) -> Iterator[None]:
    template(lab, Placement={})
    yield
    lab.ec2.delete_launch_template(LaunchTemplateName=NAME)
    lab.own("account", {"default": True})
    for kind in (TYPE, SMALL):
        for zone in (A, B, C):
            lab.own("capacity", {"type": kind, "zone": zone, "capacity": "some"})
            lab.price(None, kind, zone)


def asked(*overrides: dict[str, Any], spot: int = 0, demand: int = 0, **params: Any) -> Any:
    named = {"LaunchTemplateName": NAME, "Version": "$Latest"}
    target = {
        "TotalTargetCapacity": spot + demand,
        "OnDemandTargetCapacity": demand,
        "SpotTargetCapacity": spot,
        "DefaultTargetCapacityType": "spot",
    }
    return {
        "Type": "instant",
        "LaunchTemplateConfigs": [
            {"LaunchTemplateSpecification": named, "Overrides": list(overrides)}
        ],
        "TargetCapacitySpecification": target,
        **params,
    }


def at(zone: str, kind: str = TYPE, **more: Any) -> dict[str, Any]:
    return {"InstanceType": kind, "AvailabilityZone": zone, **more}


def places(answer: Any) -> Counter[tuple[str, str]]:
    """Machines by type and zone."""
    counted: Counter[tuple[str, str]] = Counter()
    for one in answer["Instances"]:
        override = one["LaunchTemplateAndOverrides"]["Overrides"]
        counted[one["InstanceType"], override["AvailabilityZone"]] += len(one["InstanceIds"])
    return counted


def no_room(lab: Lab, zone: str, kind: str = TYPE) -> None:
    lab.own("capacity", {"type": kind, "zone": zone, "capacity": "none"})


def test_a_fleet_launches_spot_and_on_demand_at_once(lab: Lab) -> None:
    tags = [
        {"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]}
        for kind in ("fleet", "instance", "volume")
    ]
    answer = lab.ec2.create_fleet(**asked(at(A), spot=2, demand=1, TagSpecifications=tags))
    assert answer.get("Errors", []) == []
    counts = {one["Lifecycle"]: len(one["InstanceIds"]) for one in answer["Instances"]}
    assert counts == {"on-demand": 1, "spot": 2}
    for one in answer["Instances"]:
        for ident in one["InstanceIds"]:
            machine = lab.becomes(ident, "running")
            assert machine.get("InstanceLifecycle", "on-demand") == one["Lifecycle"]
            seen = {tag["Key"]: tag["Value"] for tag in machine["Tags"]}
            assert (seen["kind"], seen["aws:ec2:fleet-id"]) == ("instance", answer["FleetId"])
            volume = machine["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
            assert lab.volume_of(volume)["Tags"] == tags[2]["Tags"]
    (fleet,) = lab.ec2.describe_fleets(FleetIds=[answer["FleetId"]])["Fleets"]
    assert (fleet["FleetState"], fleet["ActivityStatus"]) == ("active", "fulfilled")
    assert (fleet["FulfilledCapacity"], fleet["FulfilledOnDemandCapacity"]) == (3.0, 1.0)
    assert fleet["Instances"] == answer["Instances"]
    assert fleet["Tags"] == tags[0]["Tags"]


def test_an_instant_fleet_is_shown_by_its_id_only(lab: Lab) -> None:
    ident = lab.ec2.create_fleet(**asked(at(A), spot=1))["FleetId"]
    assert lab.ec2.describe_fleets()["Fleets"] == []
    assert lab.ec2.describe_fleets(FleetIds=[ident])["Fleets"]
    lab.refused("InvalidFleetId.NotFound", lab.ec2.describe_fleets, FleetIds=["fleet-none"])
    lab.refused("UnsupportedOperation", lab.ec2.describe_fleet_instances, FleetId=ident)


def test_a_deleted_fleet_ends_its_machines(lab: Lab) -> None:
    answer = lab.ec2.create_fleet(**asked(at(A), spot=1))
    fleet, ident = answer["FleetId"], answer["Instances"][0]["InstanceIds"][0]
    deleted = lab.ec2.delete_fleets(FleetIds=[fleet, "fleet-x"], TerminateInstances=True)
    (one,) = deleted["SuccessfulFleetDeletions"]
    assert one["CurrentFleetState"] == "deleted_terminating"
    (failed,) = deleted["UnsuccessfulFleetDeletions"]
    assert failed["Error"]["Code"] == "fleetIdDoesNotExist"
    lab.becomes(ident, "terminated")

    def state() -> bool:
        shown = lab.ec2.describe_fleets(FleetIds=[fleet])["Fleets"][0]
        return bool(shown["FleetState"] == "deleted")

    until("the fleet is deleted", state)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("lowest-price", {(TYPE, B): 3}),
        ("price-capacity-optimized", {(TYPE, B): 3}),
        ("capacity-optimized", {(TYPE, A): 3}),
        ("capacity-optimized-prioritized", {(TYPE, C): 3}),
        ("diversified", {(TYPE, A): 1, (TYPE, B): 1, (TYPE, C): 1}),
    ],
)
def test_the_strategy_chooses_the_pools(lab: Lab, strategy: str, expected: Any) -> None:
    for zone, price in ((A, 0.5), (B, 0.3), (C, 0.4)):
        lab.price(price, TYPE, zone)
    given = asked(
        at(A, Priority=2.0), at(B, Priority=1.0), at(C, Priority=0.0),
        spot=3, SpotOptions={"AllocationStrategy": strategy},
    )  # fmt: skip
    assert places(lab.ec2.create_fleet(**given)) == expected


def test_lowest_price_takes_as_many_pools_as_asked(lab: Lab) -> None:
    for zone, price in ((A, 0.5), (B, 0.3), (C, 0.4)):
        lab.price(price, TYPE, zone)
    options = {"AllocationStrategy": "lowest-price", "InstancePoolsToUseCount": 2}
    answer = lab.ec2.create_fleet(**asked(at(A), at(B), at(C), spot=3, SpotOptions=options))
    assert places(answer) == {(TYPE, B): 2, (TYPE, C): 1}


def test_on_demand_goes_by_priority_if_asked(lab: Lab) -> None:
    options = {"AllocationStrategy": "prioritized"}
    given = asked(
        at(A, SMALL, Priority=9.0), at(A, Priority=1.0), demand=1, OnDemandOptions=options
    )
    assert places(lab.ec2.create_fleet(**given)) == {(TYPE, A): 1}
    given = asked(at(A, TYPE), at(A, SMALL), demand=1)
    assert places(lab.ec2.create_fleet(**given)) == {(SMALL, A): 1}


def test_a_pool_without_room_is_an_error_and_the_next_is_taken(lab: Lab) -> None:
    no_room(lab, A)
    given = asked(at(A), at(B), spot=2, SpotOptions={"AllocationStrategy": "lowest-price"})
    lab.price(0.1, TYPE, A)
    answer = lab.ec2.create_fleet(**given)
    assert places(answer) == {(TYPE, B): 2}
    (error,) = answer["Errors"]
    assert (error["ErrorCode"], error["Lifecycle"]) == ("InsufficientInstanceCapacity", "spot")
    override = error["LaunchTemplateAndOverrides"]["Overrides"]
    assert (override["InstanceType"], override["AvailabilityZone"]) == (TYPE, A)


def test_without_any_pool_there_are_errors_and_no_machine(lab: Lab) -> None:
    for zone in (A, B):
        no_room(lab, zone)
    before = everything(lab)
    given = asked(at(A), at(B, MaxPrice="0.01"), at(C, "m9.huge"), spot=2)
    answer = lab.ec2.create_fleet(**given)
    assert answer["Instances"] == []
    assert {one["ErrorCode"] for one in answer["Errors"]} == {
        "InsufficientInstanceCapacity", "SpotMaxPriceTooLow", "InvalidParameterValue",
    }  # fmt: skip
    assert everything(lab) == before


def test_a_quota_gives_a_part_and_an_error(lab: Lab) -> None:
    lab.own("account", {"quotas": {"L-34B43A08": 32}})
    answer = lab.ec2.create_fleet(**asked(at(A), spot=3))
    assert places(answer) == {(TYPE, A): 2}
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["MaxSpotInstanceCountExceeded"]


def test_below_its_least_capacity_a_fleet_launches_nothing(lab: Lab) -> None:
    lab.own("account", {"quotas": {"L-34B43A08": 32}})
    before = everything(lab)
    options = {"SingleInstanceType": True, "MinTargetCapacity": 3}
    answer = lab.ec2.create_fleet(**asked(at(A), spot=4, SpotOptions=options))
    assert answer["Instances"] == []
    assert answer["Errors"]
    assert everything(lab) == before


def test_a_single_instance_type_is_kept_for_all_machines(lab: Lab) -> None:
    no_room(lab, A, SMALL)
    options = {"SingleInstanceType": True, "AllocationStrategy": "lowest-price"}
    given = asked(at(A, SMALL), at(A), at(B), spot=3, SpotOptions=options)
    assert {kind for kind, _ in places(lab.ec2.create_fleet(**given))} == {TYPE}


def test_weights_count_units_not_machines(lab: Lab) -> None:
    answer = lab.ec2.create_fleet(**asked(at(A, WeightedCapacity=4.0), spot=10))
    assert places(answer) == {(TYPE, A): 3}
    (fleet,) = lab.ec2.describe_fleets(FleetIds=[answer["FleetId"]])["Fleets"]
    assert fleet["FulfilledCapacity"] == 12.0


def test_an_override_may_name_a_subnet_or_leave_the_zone_open(lab: Lab) -> None:
    subnets = lab.ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [C]}])
    subnet = subnets["Subnets"][0]["SubnetId"]
    answer = lab.ec2.create_fleet(**asked({"InstanceType": TYPE, "SubnetId": subnet}, spot=1))
    ident = answer["Instances"][0]["InstanceIds"][0]
    assert lab.instance(ident)["SubnetId"] == subnet
    lab.price(0.2, TYPE, C)
    answer = lab.ec2.create_fleet(**asked({"InstanceType": TYPE}, spot=1))
    assert places(answer) == {(TYPE, C): 1}


def test_a_client_token_makes_one_fleet(lab: Lab) -> None:
    given = asked(at(A), spot=1, ClientToken="one-fleet")
    first, second = (lab.ec2.create_fleet(**given) for _ in range(2))
    assert first["FleetId"] == second["FleetId"]
    assert first["Instances"] == second["Instances"]


ONLY = {"SpotOptions": {"MinTargetCapacity": 1}}
POOLS = {
    "SpotOptions": {"AllocationStrategy": "diversified", "InstancePoolsToUseCount": 2},
}


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("InvalidParameterValue", {"Type": "sometimes"}),
        ("MissingParameter", {"LaunchTemplateConfigs": []}),
        ("InvalidParameterValue", {"SpotOptions": {"AllocationStrategy": "best"}}),
        ("InvalidParameterCombination", ONLY),
        ("InvalidParameterCombination", POOLS),
        ("UnsupportedOperation", {"SpotOptions": {"InstanceInterruptionBehavior": "stop"}}),
        ("UnsupportedOperation", {"SpotOptions": {"MaxTotalPrice": "1"}}),
        ("InvalidParameterValue", {"TargetCapacitySpecification": {"TotalTargetCapacity": 1}}),
        ("MissingParameter", {"TargetCapacitySpecification": {"SpotTargetCapacity": 1}}),
        (
            "InvalidParameterValue",
            {"TagSpecifications": [{"ResourceType": "fleet", "Tags": []}]},
        ),
    ],
)
def test_a_fleet_that_is_not_rehearsed_or_makes_no_sense_is_refused(
    lab: Lab, code: str, params: Any
) -> None:
    before = everything(lab)
    lab.refused(code, lab.ec2.create_fleet, **{**asked(at(A), spot=1), **params})
    assert everything(lab) == before


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("MissingParameter", {"LaunchTemplateName": NAME}),
        (
            "InvalidLaunchTemplateName.NotFoundException",
            {"LaunchTemplateName": "none", "Version": "1"},
        ),
    ],
)
def test_a_fleet_needs_a_template_and_its_version(lab: Lab, code: str, named: Any) -> None:
    configs = [{"LaunchTemplateSpecification": named}]
    given = {**asked(spot=1), "LaunchTemplateConfigs": configs}
    lab.refused(code, lab.ec2.create_fleet, **given)


def test_a_machine_needs_run_instances_and_pass_role_for_a_fleet(roles: Roles) -> None:
    lab = roles.lab
    lab.profile("of-a-fleet")
    ec2 = roles.of(roles.machine(allow("ec2:CreateFleet")))
    given = asked(at(A, IamInstanceProfile={"Name": "of-a-fleet"}), spot=1)
    lab.refused("UnauthorizedOperation", ec2.create_fleet, **given)
    roles.may(allow("ec2:CreateFleet"), allow("ec2:RunInstances"))
    lab.refused("UnauthorizedOperation", ec2.create_fleet, **given)
    roles.may(allow("ec2:CreateFleet"), allow("ec2:RunInstances"), allow("iam:PassRole"))
    assert places(ec2.create_fleet(**given)) == {(TYPE, A): 1}
