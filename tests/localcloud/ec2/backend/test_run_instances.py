"""Spot by RunInstances: a request and its machine at once, or a refusal that makes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.localcloud.clock import Clock
from tests.localcloud.ec2.backend.test_refused_calls import everything
from tests.localcloud.lab import TYPE, ZONE, Lab, until
from tests.localcloud.roles import Roles, allow

STOPS = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def market(**options: Any) -> dict[str, Any]:
    return {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}}


def launch(lab: Lab, **params: Any) -> dict[str, Any]:
    return {**lab.spec(), "MinCount": 1, "MaxCount": 1, **params}


def request_of(lab: Lab, instance: dict[str, Any]) -> dict[str, Any]:
    return lab.request(instance["SpotInstanceRequestId"])


def test_a_launch_as_spot_has_its_request_at_once(lab: Lab) -> None:
    tags = [
        {"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]}
        for kind in ("instance", "volume", "network-interface", "spot-instances-request")
    ]
    given = launch(lab, **market(MaxPrice="0.65"), TagSpecifications=tags)
    instance = lab.ec2.run_instances(**given)["Instances"][0]
    assert instance["InstanceLifecycle"] == "spot"
    assert instance["State"]["Name"] == "pending"
    request = request_of(lab, instance)
    assert (request["State"], request["Status"]["Code"]) == ("active", "fulfilled")
    assert request["InstanceId"] == instance["InstanceId"]
    assert (request["Type"], request["SpotPrice"]) == ("one-time", "0.650000")
    assert request["LaunchedAvailabilityZone"] == ZONE
    assert request["LaunchSpecification"]["InstanceType"] == TYPE
    assert "ValidUntil" not in request
    assert request["Tags"] == [{"Key": "kind", "Value": "spot-instances-request"}]
    ident = instance["InstanceId"]
    assert lab.becomes(ident, "running")["Tags"] == [{"Key": "kind", "Value": "instance"}]
    (root,) = instance_volumes(lab, ident)
    assert lab.volume_of(root)["Tags"] == [{"Key": "kind", "Value": "volume"}]


def instance_volumes(lab: Lab, ident: str) -> list[str]:
    mapped = lab.instance(ident)["BlockDeviceMappings"]
    return [one["Ebs"]["VolumeId"] for one in mapped]


def test_each_spot_machine_of_a_launch_has_a_request(lab: Lab) -> None:
    instances = lab.ec2.run_instances(**launch(lab, MaxCount=3, **market()))["Instances"]
    assert len({one["SpotInstanceRequestId"] for one in instances}) == 3
    assert [request_of(lab, one)["InstanceId"] for one in instances] == [
        one["InstanceId"] for one in instances
    ]


def test_without_a_zone_it_is_launched_in_the_cheapest_with_room(lab: Lab) -> None:
    given = {**launch(lab, **market()), "Placement": {}}
    lab.own("capacity", {"type": TYPE, "zone": "us-east-1a", "capacity": "none"})
    try:
        instance = lab.ec2.run_instances(**given)["Instances"][0]
    finally:
        lab.own("capacity", {"type": TYPE, "zone": "us-east-1a", "capacity": "some"})
    assert instance["Placement"]["AvailabilityZone"] == ZONE


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SpotMaxPriceTooLow", {"MaxPrice": "0.01"}),
        ("InvalidParameterValue", {"MaxPrice": "0.0001"}),
        ("InvalidParameterValue", {"MaxPrice": "much"}),
        ("InvalidParameterValue", {"SpotInstanceType": "daily"}),
        ("InvalidParameterValue", {"InstanceInterruptionBehavior": "wait"}),
        ("InvalidParameterCombination", {"SpotInstanceType": "persistent"}),
        ("InvalidParameterCombination", {"InstanceInterruptionBehavior": "stop"}),
        ("InvalidParameterCombination", {"ValidUntil": TOMORROW}),
        ("InvalidParameterValue", {**STOPS, "ValidUntil": datetime(2020, 1, 1, tzinfo=UTC)}),
        ("UnsupportedOperation", {"BlockDurationMinutes": 60}),
    ],
)
def test_refused_terms_make_nothing(lab: Lab, code: str, options: Any) -> None:
    before = everything(lab)
    lab.refused(code, lab.ec2.run_instances, **launch(lab, **market(**options)))
    assert everything(lab) == before


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("MissingParameter", {"SpotOptions": {"MaxPrice": "1"}}),
        ("InvalidParameterValue", {"MarketType": "flea"}),
        ("UnsupportedOperation", {"MarketType": "capacity-block"}),
    ],
)
def test_a_market_that_is_not_spot_is_refused(lab: Lab, code: str, options: Any) -> None:
    lab.refused(code, lab.ec2.run_instances, **launch(lab, InstanceMarketOptions=options))


def test_the_price_is_refused_in_ec2s_words(lab: Lab) -> None:
    given = launch(lab, **market(MaxPrice="0.01"))
    message = lab.refused("SpotMaxPriceTooLow", lab.ec2.run_instances, **given)
    assert message.startswith("Your Spot request price of 0.01 is lower than the minimum required")


def test_without_room_it_is_refused_at_once(lab: Lab) -> None:
    lab.own("capacity", {"type": TYPE, "zone": ZONE, "capacity": "none"})
    before = everything(lab)
    try:
        lab.refused(
            "InsufficientInstanceCapacity", lab.ec2.run_instances, **launch(lab, **market())
        )
        lab.run()
    finally:
        lab.own("capacity", {"type": TYPE, "zone": ZONE, "capacity": "some"})
    assert everything(lab)["requests"] == before["requests"]


def test_a_launch_on_demand_has_no_request_to_tag(lab: Lab) -> None:
    tags = [{"ResourceType": "spot-instances-request", "Tags": [{"Key": "k", "Value": "v"}]}]
    lab.refused(
        "InvalidParameterValue", lab.ec2.run_instances, **launch(lab, TagSpecifications=tags)
    )


def test_a_client_token_makes_one_request(lab: Lab) -> None:
    given = launch(lab, **market(), ClientToken="once")
    first, second = (lab.ec2.run_instances(**given)["Instances"][0] for _ in range(2))
    assert first["SpotInstanceRequestId"] == second["SpotInstanceRequestId"]
    lab.refused(
        "IdempotentParameterMismatch",
        lab.ec2.run_instances,
        **{**given, **market(MaxPrice="0.64")},
    )


def test_a_one_time_machine_that_ends_closes_its_request(lab: Lab) -> None:
    instance = lab.ec2.run_instances(**launch(lab, **market()))["Instances"][0]
    lab.becomes(instance["InstanceId"], "running")
    lab.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    lab.reaches(instance["SpotInstanceRequestId"], "closed", "instance-terminated-by-user")


def test_a_persistent_request_launches_another_machine_with_the_same_options(lab: Lab) -> None:
    given = launch(
        lab, **market(**STOPS), MetadataOptions={"HttpPutResponseHopLimit": 3}, ClientToken="again"
    )
    first = lab.ec2.run_instances(**given)["Instances"][0]
    sir, ident = first["SpotInstanceRequestId"], first["InstanceId"]
    lab.becomes(ident, "running")
    lab.ec2.terminate_instances(InstanceIds=[ident])

    def another() -> Any:
        now = lab.request(sir).get("InstanceId")
        return now if now not in (None, ident) else None

    second = lab.instance(until("another machine", another))
    assert second["MetadataOptions"]["HttpPutResponseHopLimit"] == 3
    assert not second.get("ClientToken")
    assert not second.get("Tags")


def test_a_persistent_request_that_stops_is_started_again_by_ec2(lab: Lab) -> None:
    instance = lab.ec2.run_instances(**launch(lab, **market(**STOPS)))["Instances"][0]
    sir, ident = instance["SpotInstanceRequestId"], instance["InstanceId"]
    lab.becomes(ident, "running")
    lab.reap(ident, notice=0)
    lab.becomes(ident, "stopped")
    lab.reaches(sir, "active", "fulfilled")
    assert lab.becomes(ident, "running")["InstanceId"] == ident


def test_a_persistent_request_ends_at_its_time_and_the_machine_stays(
    lab: Lab, clock: Clock
) -> None:
    end = clock.now + timedelta(hours=1)
    given = launch(lab, **market(**STOPS, ValidUntil=end.replace(tzinfo=UTC)))
    instance = lab.ec2.run_instances(**given)["Instances"][0]
    lab.becomes(instance["InstanceId"], "running")
    clock.skip(hours=2)
    request = request_of(lab, instance)
    assert request["Status"]["Code"] == "request-canceled-and-instance-running"
    assert lab.instance(instance["InstanceId"])["State"]["Name"] == "running"


def test_a_new_account_needs_the_spot_role(lab: Lab) -> None:
    lab.own("account", {"fresh": True, "quotas": {"L-34B43A08": 64}})
    try:
        lab.refused(
            "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
            lab.ec2.run_instances,
            **launch(lab, **market()),
        )
    finally:
        lab.own("account", {"default": True})


def test_a_machine_may_launch_only_what_its_role_permits(roles: Roles) -> None:
    lab = roles.lab
    passed = lab.profile("passed-by-spot")
    given = launch(lab, **market())
    ec2 = roles.of(roles.machine(allow("ec2:RunInstances")))
    lab.refused(
        "UnauthorizedOperation", ec2.run_instances, **given, IamInstanceProfile={"Arn": passed}
    )
    tags = [{"ResourceType": "spot-instances-request", "Tags": [{"Key": "k", "Value": "v"}]}]
    lab.refused("UnauthorizedOperation", ec2.run_instances, **given, TagSpecifications=tags)
    assert ec2.run_instances(**given)["Instances"][0]["InstanceLifecycle"] == "spot"


@pytest.mark.parametrize(
    "statement",
    [
        {"Resource": "arn:aws:ec2:*:*:spot-instances-request/*"},
        {
            "Resource": "arn:aws:ec2:*:*:instance/*",
            "Condition": {"StringEquals": {"ec2:InstanceMarketType": "spot"}},
        },
    ],
)
def test_a_policy_may_forbid_launches_as_spot_alone(roles: Roles, statement: Any) -> None:
    lab = roles.lab
    denied = {"Effect": "Deny", "Action": "ec2:RunInstances", **statement}
    ec2 = roles.of(roles.machine(allow("ec2:RunInstances"), denied))
    lab.refused("UnauthorizedOperation", ec2.run_instances, **launch(lab, **market()))
    assert ec2.run_instances(**launch(lab))["Instances"]


def test_a_policy_may_permit_one_instance_type(roles: Roles) -> None:
    lab = roles.lab
    condition = {"StringEquals": {"ec2:InstanceType": TYPE}}
    others = [
        f"arn:aws:ec2:*:*:{kind}/*"
        for kind in ("volume", "network-interface", "subnet", "security-group")
    ]
    ec2 = roles.of(
        roles.machine(
            allow("ec2:RunInstances", "arn:aws:ec2:*:*:instance/*", Condition=condition),
            *(allow("ec2:RunInstances", one) for one in [*others, "arn:aws:ec2:*::image/*"]),
        )
    )
    given = launch(lab, InstanceType="m5d.large")
    lab.refused("UnauthorizedOperation", ec2.run_instances, **given)
    assert ec2.run_instances(**launch(lab))["Instances"]
