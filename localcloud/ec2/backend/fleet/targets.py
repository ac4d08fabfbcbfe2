"""How much a fleet shall have of what, and on which terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from localcloud.ec2.backend.fleet.pools import ON_DEMAND_STRATEGIES, SPOT_STRATEGIES, Given
from localcloud.ec2.errors import invalid, invalid_value, missing, not_rehearsed, refusal
from localcloud.ec2.launch.options import require_known
from localcloud.ec2.records.fleet import INSTANT, POLICIES

SPOT, ON_DEMAND = "spot", "on-demand"
# API Reference, SpotOptionsRequest
MOST_UNITS = 1000
# EC2 takes this name of RequestSpotFleet, too (moto's test_delete_fleet, which ran against AWS)
ALIASES = {"lowestPrice": "lowest-price"}
# Supported only for fleets of type instant (service model)
OF_INSTANT = ("MinTargetCapacity", "SingleAvailabilityZone", "SingleInstanceType")
TIMES = ("TerminateInstancesWithExpiration", "ValidFrom", "ValidUntil")


@dataclass(frozen=True)
class Wanted:
    """The units of one lifecycle, and the options that go with it."""

    lifecycle: str
    units: float
    options: Given

    @property
    def strategy(self) -> str:
        return _strategy(self.options)


def require_terms(kind: str, params: Given, now: datetime) -> None:
    """Raises EC2's errors for options that a fleet of the type does not have, and for times."""
    if kind != "maintain" and params.get("ExcessCapacityTerminationPolicy"):
        raise _only("ExcessCapacityTerminationPolicy", "maintain")
    if policy := params.get("ExcessCapacityTerminationPolicy"):
        require_known("excessCapacityTerminationPolicy", policy, POLICIES)
    if kind == INSTANT:
        for name in TIMES:
            if params.get(name):
                raise not_rehearsed(f"the {name} of a fleet of type 'instant'")
        return
    for options in (params.get("OnDemandOptions") or {}, params.get("SpotOptions") or {}):
        for name in OF_INSTANT:
            if options.get(name):
                raise _only(name, INSTANT)
    begin, end = params.get("ValidFrom"), params.get("ValidUntil")
    if end and end <= max(now, begin or now):
        raise invalid_value("validUntil", end, "It has to be in the future, and after validFrom.")


def _only(name: str, kind: str) -> Exception:
    return refusal(
        "InvalidParameterCombination", f"{name} is supported only for fleets of type {kind}."
    )


def _strategy(options: Given) -> str:
    given = str(options.get("AllocationStrategy") or "lowest-price")
    return ALIASES.get(given, given)


def wanted_of(params: Given, least: int = 1) -> list[Wanted]:
    """The units by lifecycle, those on demand first. Raises EC2's errors."""
    target = params.get("TargetCapacitySpecification")
    if not target:
        raise missing("TargetCapacitySpecification")
    total = target.get("TotalTargetCapacity")
    if total is None:
        raise missing("TargetCapacitySpecification.TotalTargetCapacity")
    if not least <= total <= MOST_UNITS:
        raise invalid_value("totalTargetCapacity", total, f"From {least} to {MOST_UNITS}.")
    units = {
        ON_DEMAND: target.get("OnDemandTargetCapacity") or 0,
        SPOT: target.get("SpotTargetCapacity") or 0,
    }
    default, rest = target.get("DefaultTargetCapacityType"), total - sum(units.values())
    if default and default not in units:
        raise not_rehearsed(f"the capacity type '{default}'")
    if min(units.values()) < 0 or rest < 0 or (rest and not default):
        raise invalid(
            f"The target capacities {units[ON_DEMAND]} on demand and {units[SPOT]} of spot do not"
            f" add up to the total of {total}, and DefaultTargetCapacityType is {default}."
        )
    if rest:
        units[default] += rest
    options = {
        ON_DEMAND: params.get("OnDemandOptions") or {},
        SPOT: params.get("SpotOptions") or {},
    }
    _require_options(options[ON_DEMAND], ON_DEMAND_STRATEGIES)
    _require_options(options[SPOT], (*SPOT_STRATEGIES, *ALIASES))
    return [Wanted(name, float(count), options[name]) for name, count in units.items() if count]


def _require_options(options: Given, strategies: tuple[str, ...]) -> None:
    given = options.get("AllocationStrategy") or "lowest-price"
    require_known("allocationStrategy", given, strategies)
    if options.get("InstancePoolsToUseCount") is not None:
        if _strategy(options) != "lowest-price":
            raise refusal(
                "InvalidParameterCombination",
                "InstancePoolsToUseCount is supported only with the allocation strategy"
                " lowest-price.",
            )
        if options["InstancePoolsToUseCount"] < 1:
            raise invalid_value(
                "instancePoolsToUseCount", options["InstancePoolsToUseCount"], "At least 1."
            )
    behavior = options.get("InstanceInterruptionBehavior") or "terminate"
    require_known("instanceInterruptionBehavior", behavior, ("terminate", "stop", "hibernate"))
    if behavior != "terminate":
        raise not_rehearsed(f"the interruption behavior '{behavior}' in a fleet")
    least = options.get("MinTargetCapacity")
    if least is not None:
        if not 0 <= least <= MOST_UNITS:
            raise invalid_value("minTargetCapacity", least, f"Up to {MOST_UNITS}.")
        if not (options.get("SingleInstanceType") or options.get("SingleAvailabilityZone")):
            raise refusal(
                "InvalidParameterCombination",
                "MinTargetCapacity needs SingleInstanceType or SingleAvailabilityZone.",
            )
