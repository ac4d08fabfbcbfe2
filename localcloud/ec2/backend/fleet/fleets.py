"""CreateFleet of type instant: launches from several pools in one call, at once or not at all."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.fleet.launch_templates import ORIGIN
from localcloud.ec2.backend.fleet.pools import (
    ON_DEMAND_STRATEGIES,
    SPOT_STRATEGIES,
    Given,
    Pool,
    Share,
    alike,
    shares,
)
from localcloud.ec2.backend.run_instances import Launch, RunInstances
from localcloud.ec2.errors import invalid, invalid_value, missing, not_rehearsed, refusal
from localcloud.ec2.filters import select
from localcloud.ec2.instance_types import DEFAULT_TYPE, zones_offering
from localcloud.ec2.launch.options import require_known
from localcloud.ec2.market.market import is_place
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.fleet import Fleet

SPOT, ON_DEMAND = "spot", "on-demand"
TYPES = ("instant", "request", "maintain")
TAGGABLE = ("fleet", "instance", "volume", "network-interface")
# API Reference, SpotOptionsRequest and DeleteFleets
MOST_UNITS, MOST_DELETED = 1000, 25
# An override lays these over its template as they are (API Reference,
# FleetLaunchTemplateOverridesRequest)
SAME = (
    "BlockDeviceMappings", "IamInstanceProfile", "ImageId", "InstanceType", "KeyName",
    "MetadataOptions",
)  # fmt: skip
UNFULFILLABLE = (
    "UnfulfillableCapacity",
    "Unable to fulfill capacity due to your request configuration. Please adjust your request and"
    " try again.",
)
FILTERS = {
    "activity-status": lambda fleet: fleet.activity.replace("_", "-"),
    "excess-capacity-termination-policy": lambda fleet: None,
    "fleet-state": lambda fleet: fleet.state.replace("_", "-"),
    "replace-unhealthy-instances": lambda fleet: False,
    "type": lambda fleet: fleet.type,
}


@dataclass(frozen=True)
class Wanted:
    """The units of one lifecycle, and the options that go with it."""

    lifecycle: str
    units: float
    options: Given

    @property
    def strategy(self) -> str:
        return str(self.options.get("AllocationStrategy") or "lowest-price")


class Outcome:
    """Launches that are checked, with their pools, and the errors of those that cannot be."""

    def __init__(self) -> None:
        self.launches: list[tuple[Pool, Launch]] = []
        self.errors: list[tuple[Pool, str, str]] = []

    @property
    def units(self) -> float:
        return sum(pool.weight * launch.count for pool, launch in self.launches)


class Fleets(RunInstances):
    def make_fleet(self, params: Given) -> Fleet:
        """CreateFleet."""
        token = params.get("ClientToken")
        for ident in self.made_before("CreateFleet", token, params):
            if ident in self.fleets_by_id:
                return self.fleets_by_id[ident]
        kind = params.get("Type") or "maintain"
        require_known("type", kind, TYPES)
        if kind != "instant":
            raise not_rehearsed(f"fleets of type '{kind}', only of type 'instant'")
        refuse_unknown("CreateFleet", params)
        tags = tags_for(params, allowed=TAGGABLE)
        wanted = _wanted(params)
        pools = [pool for config in self._configs(params) for pool in self._pools(config, params)]
        fleet = Fleet(self, params, self._shown_configs(params), Fleet.new_id())
        outcomes: list[tuple[Wanted, Outcome]] = []
        for each in wanted:
            planned = [launch for _, one in outcomes for _, launch in one.launches]
            outcomes.append((each, self._chosen(each, pools, fleet.id, planned)))
        self.fleets_by_id[fleet.id] = fleet
        self.set_tags(fleet.id, tags["fleet"])
        for each, outcome in outcomes:
            self._make(fleet, each, outcome)
        self.remember("CreateFleet", token, params, [fleet.id])
        self.touch()
        return fleet

    def fleet_launches(self, params: Given) -> list[Given]:
        """The parameters of each launch that CreateFleet may make. Raises EC2's errors."""
        lifecycles = {one.lifecycle for one in _wanted(params)}
        return [
            _of_lifecycle(pool, lifecycle)
            for config in self._configs(params)
            for pool in self._pools(config, params)
            for lifecycle in lifecycles
        ]

    def find_fleets(self, params: Given) -> list[Fleet]:
        """DescribeFleets: one of type instant is shown only if its id is named."""
        refuse_unknown("DescribeFleets", params)
        chosen = [self._fleet(ident) for ident in params.get("FleetIds", [])]
        return select(chosen, params.get("Filters", []), FILTERS)

    def fleet_instances(self, params: Given) -> None:
        """DescribeFleetInstances, which EC2 has for fleets of other types."""
        fleet = self._fleet(params.get("FleetId") or _no("FleetId"))
        raise refusal(
            "UnsupportedOperation",
            f"DescribeFleetInstances does not support fleets of type instant, as {fleet.id} is."
            " Instead, use DescribeFleets, specifying the instant fleet ID in the request.",
        )

    def delete_fleet_records(self, params: Given) -> tuple[list[Fleet], list[tuple[str, str]]]:
        """DeleteFleets: fleets that are deleted now, which ends their instances; ids and codes of
        those that cannot be."""
        refuse_unknown("DeleteFleets", params)
        ids = params.get("FleetIds") or _no("FleetId")
        if params.get("TerminateInstances") is None:
            raise missing("TerminateInstances")
        if len(ids) > MOST_DELETED:
            raise invalid(f"Up to {MOST_DELETED} fleets of type instant are deleted at once.")
        deleted, failed = [], []
        for ident in dict.fromkeys(ids):
            fleet = self.fleets_by_id.get(ident)
            if fleet is None:
                failed.append((ident, "fleetIdDoesNotExist"))
            elif fleet.is_deleted:
                failed.append((ident, "fleetNotInDeletableState"))
            else:
                if fleet.live_ids:
                    self.terminate(fleet.live_ids)
                fleet.is_deleted = True
                deleted.append(fleet)
        self.touch()
        return deleted, failed

    def _fleet(self, ident: str) -> Fleet:
        if ident not in self.fleets_by_id:
            raise refusal("InvalidFleetId.NotFound", f"The fleet ID '{ident}' does not exist")
        return self.fleets_by_id[ident]

    # --- pools ------------------------------------------------------------------------

    def _configs(self, params: Given) -> Sequence[Given]:
        configs: Sequence[Given] = params.get("LaunchTemplateConfigs") or _no(
            "LaunchTemplateConfigs"
        )
        for config in configs:
            given = config.get("LaunchTemplateSpecification") or _no("LaunchTemplateSpecification")
            if not given.get("Version"):
                raise missing("LaunchTemplateSpecification.Version")
        return configs

    def _pools(self, config: Given, params: Given) -> Iterator[Pool]:
        given = config["LaunchTemplateSpecification"]
        birth = [
            one for one in params.get("TagSpecifications", []) if one["ResourceType"] != "fleet"
        ]
        launch = self.merged({"LaunchTemplate": given, "TagSpecifications": birth})
        if launch.pop("InstanceMarketOptions", None):
            raise invalid(
                "A launch template of an EC2 Fleet cannot have InstanceMarketOptions: the fleet"
                " itself says what is spot."
            )
        template = self.template(given)
        named = {
            "LaunchTemplateId": template.id,
            "Version": str(template.version(given["Version"]).number),
        }
        for override in config.get("Overrides") or [{}]:
            for zone in self._zones(launch, override):
                yield self._pool(launch, named, override, zone)

    def _zones(self, launch: Given, override: Given) -> Sequence[str]:
        """The zones that an override leaves open, or one empty name for what is fixed."""
        nics = launch.get("NetworkInterfaces") or [{}]
        placed = (launch.get("Placement") or {}).get("AvailabilityZone")
        subnet = override.get("SubnetId") or nics[0].get("SubnetId")
        if subnet or placed or override.get("AvailabilityZone"):
            return [""]
        kind = override.get("InstanceType") or launch.get("InstanceType") or DEFAULT_TYPE
        offered = zones_offering(self.region_name).get(kind, ())
        return [zone for zone in offered if zone in self.get_default_subnets()] or [""]

    def _pool(self, launch: Given, named: Given, override: Given, zone: str) -> Pool:
        params = {**copy.deepcopy(dict(launch))}
        params.update({name: override[name] for name in SAME if name in override})
        place = override.get("AvailabilityZone") or zone
        if place:
            params["Placement"] = {**params.get("Placement", {}), "AvailabilityZone": place}
        if subnet := override.get("SubnetId"):
            if nics := params.get("NetworkInterfaces"):
                nics[0] = {**nics[0], "SubnetId": subnet}
            else:
                params["SubnetId"] = subnet
        kind = params.get("InstanceType") or DEFAULT_TYPE
        at = self._zone_of(params)
        now, known = self.now(), is_place(kind, at)
        weight = float(override.get("WeightedCapacity") or 1)
        return Pool(
            params={**params, "MaxPrice": override.get("MaxPrice")},
            shown={
                "LaunchTemplateSpecification": named,
                "Overrides": {
                    **override,
                    "InstanceType": kind,
                    **({"AvailabilityZone": at} if at else {}),
                },
            },
            kind=kind,
            zone=at,
            price=self.market.price(kind, at, now) / weight if known else float("inf"),
            room=known and self.market.has_room(kind, at, now),
            weight=weight,
            priority=float(override.get("Priority", "inf")),
        )

    def _zone_of(self, params: Given) -> str:
        nics = params.get("NetworkInterfaces") or [{}]
        subnet = params.get("SubnetId") or nics[0].get("SubnetId")
        for by_zone in self.subnets.values():
            for one in by_zone.values():
                if one.id == subnet:
                    return str(one.availability_zone)
        return str((params.get("Placement") or {}).get("AvailabilityZone") or "")

    def _shown_configs(self, params: Given) -> list[Given]:
        shown: list[Given] = []
        for config in self._configs(params):
            given = config["LaunchTemplateSpecification"]
            template = self.template(given)
            named = {
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "Version": given["Version"],
            }
            overrides = config.get("Overrides", [])
            shown.append({"LaunchTemplateSpecification": named, "Overrides": overrides})
        return shown

    # --- the choice -------------------------------------------------------------------

    def _chosen(
        self, wanted: Wanted, pools: Sequence[Pool], fleet_id: str, beside: Sequence[Launch]
    ) -> Outcome:
        """The launches of one lifecycle: all of it, a part with errors, or nothing."""
        options = wanted.options
        groups = [list(pools)]
        if options.get("SingleInstanceType"):
            groups = alike(pools, wanted.strategy, lambda pool: pool.kind)
        if options.get("SingleAvailabilityZone"):
            groups = [
                part
                for group in groups
                for part in alike(group, wanted.strategy, lambda pool: pool.zone)
            ]
        least = options.get("MinTargetCapacity") or 0
        errors: list[tuple[Pool, str, str]] = []
        for group in groups:
            outcome = self._tried(wanted, group, fleet_id, beside)
            errors += outcome.errors
            if outcome.launches and outcome.units >= least:
                outcome.errors = errors
                return outcome
        nothing = Outcome()
        nothing.errors = errors or [(pool, *UNFULFILLABLE) for pool in pools[:1]]
        return nothing

    def _tried(
        self, wanted: Wanted, pools: Sequence[Pool], fleet_id: str, beside: Sequence[Launch]
    ) -> Outcome:
        outcome, several = Outcome(), wanted.options.get("InstancePoolsToUseCount") or 1
        order = shares(wanted.strategy, pools, wanted.units, several)
        closed: set[int] = set()
        # Each pool gets its share; what some could not take goes to the others in their order
        for share in [*order, *(Share(one.pool, wanted.units) for one in order)]:
            missing_units = wanted.units - outcome.units
            units = min(share.units, missing_units)
            if units > 0 and id(share.pool) not in closed:
                full = self._fill(outcome, share.pool, units, wanted, fleet_id, beside)
                closed |= set() if full else {id(share.pool)}
        return outcome

    def _fill(
        self, outcome: Outcome, pool: Pool, units: float, wanted: Wanted, fleet_id: str,
        beside: Sequence[Launch],
    ) -> bool:  # fmt: skip
        """Whether the pool takes all these units; if it does not, the error is noted."""
        params = _of_lifecycle(pool, wanted.lifecycle)
        params[ORIGIN] = {**params.get(ORIGIN, {}), "aws:ec2:fleet-id": fleet_id}
        count = pool.machines(units)
        while count > 0:
            others = [*beside, *(launch for _, launch in outcome.launches)]
            try:
                launch = self.prepared(params, 1, count, others)
            except EC2ClientError as error:
                outcome.errors.append((pool, error.code, error.message))
                return False
            outcome.launches.append((pool, launch))
            count -= launch.count
        return True

    def _make(self, fleet: Fleet, wanted: Wanted, outcome: Outcome) -> None:
        kinds: dict[int, dict[str, Any]] = {}
        for pool, launch in outcome.launches:
            try:
                reservation = self.perform(launch)
            except EC2ClientError as error:
                # No address was left for it
                outcome.errors.append((pool, error.code, error.message))
                continue
            entry = kinds.setdefault(
                id(pool),
                {
                    "LaunchTemplateAndOverrides": pool.shown,
                    "Lifecycle": wanted.lifecycle,
                    "InstanceIds": [],
                    "InstanceType": pool.kind,
                },
            )
            entry["InstanceIds"] += [one.id for one in reservation.instances]
            fulfilled = fleet.fulfilled.get(wanted.lifecycle, 0.0)
            fleet.fulfilled[wanted.lifecycle] = fulfilled + pool.weight * launch.count
        fleet.launched += kinds.values()
        fleet.errors += [
            {
                "LaunchTemplateAndOverrides": pool.shown,
                "Lifecycle": wanted.lifecycle,
                "ErrorCode": code,
                "ErrorMessage": message,
            }
            for pool, code, message in outcome.errors
        ]


def _of_lifecycle(pool: Pool, lifecycle: str) -> dict[str, Any]:
    """The parameters of a launch from the pool, on demand or as spot."""
    params = {name: value for name, value in pool.params.items() if name != "MaxPrice"}
    if lifecycle == ON_DEMAND:
        return params
    price = pool.params.get("MaxPrice")
    spot = {"MaxPrice": price} if price else {}
    return {**params, "InstanceMarketOptions": {"MarketType": SPOT, "SpotOptions": spot}}


def _wanted(params: Given) -> list[Wanted]:
    """The units by lifecycle, those on demand first. Raises EC2's errors."""
    target = params.get("TargetCapacitySpecification") or _no("TargetCapacitySpecification")
    total = target.get("TotalTargetCapacity")
    if total is None:
        raise missing("TargetCapacitySpecification.TotalTargetCapacity")
    if not 1 <= total <= MOST_UNITS:
        raise invalid_value("totalTargetCapacity", total, f"From 1 to {MOST_UNITS}.")
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
    for lifecycle, strategies in ((ON_DEMAND, ON_DEMAND_STRATEGIES), (SPOT, SPOT_STRATEGIES)):
        _require_options(options[lifecycle], strategies)
    return [Wanted(name, float(count), options[name]) for name, count in units.items() if count]


def _require_options(options: Given, strategies: tuple[str, ...]) -> None:
    strategy = options.get("AllocationStrategy") or "lowest-price"
    require_known("allocationStrategy", strategy, strategies)
    if options.get("InstancePoolsToUseCount") is not None:
        if strategy != "lowest-price":
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


def _no(parameter: str) -> Any:
    raise missing(parameter)
