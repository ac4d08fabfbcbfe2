"""CreateFleet: pools, the choice among them, and launches from several in one call."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.fleet.launch_templates import ORIGIN
from localcloud.ec2.backend.fleet.pools import Given, Pool, Share, alike, shares
from localcloud.ec2.backend.fleet.targets import ON_DEMAND, SPOT, Wanted, require_terms, wanted_of
from localcloud.ec2.backend.run_instances import Launch, RunInstances
from localcloud.ec2.errors import invalid, missing, refusal
from localcloud.ec2.filters import select
from localcloud.ec2.instance_types import DEFAULT_TYPE, zones_offering
from localcloud.ec2.launch.options import require_known
from localcloud.ec2.market.market import is_place
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.fleet import INSTANT, Fleet, Member

TYPES = (INSTANT, "request", "maintain")
TAGGABLE = ("fleet", "instance", "volume", "network-interface")
# API Reference, DeleteFleets
MOST_DELETED, MOST_OTHERS_DELETED = 25, 100
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
    "excess-capacity-termination-policy": lambda fleet: fleet.excess_policy,
    "fleet-state": lambda fleet: fleet.state.replace("_", "-"),
    "replace-unhealthy-instances": lambda fleet: False,
    "type": lambda fleet: fleet.type,
}


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
        refuse_unknown("CreateFleet", params)
        require_terms(kind, params, self.now())
        # Machines of the other types get their tags by the launch template
        tags = tags_for(params, allowed=TAGGABLE if kind == INSTANT else ("fleet",))
        wanted = wanted_of(params)
        pools = self._all_pools(params)
        fleet = Fleet(self, params, self._shown_configs(params), Fleet.new_id())
        outcomes = self._outcomes(fleet, wanted, pools) if kind == INSTANT else []
        self.fleets_by_id[fleet.id] = fleet
        self.set_tags(fleet.id, tags["fleet"])
        for each, outcome in outcomes:
            self._make(fleet, each, outcome)
        self.remember("CreateFleet", token, params, [fleet.id])
        self.touch()
        return fleet

    def launch_for(self, fleet: Fleet, wanted: Sequence[Wanted]) -> None:
        """Launch so much more for it, as far as it goes; the fleet has the errors then."""
        outcomes = self._outcomes(fleet, wanted, self._all_pools(fleet.params))
        for each, outcome in outcomes:
            self._make(fleet, each, outcome)

    def _all_pools(self, params: Given) -> list[Pool]:
        return [pool for config in self._configs(params) for pool in self._pools(config, params)]

    def _outcomes(
        self, fleet: Fleet, wanted: Sequence[Wanted], pools: Sequence[Pool]
    ) -> list[tuple[Wanted, Outcome]]:
        outcomes: list[tuple[Wanted, Outcome]] = []
        for each in wanted:
            planned = [launch for _, one in outcomes for _, launch in one.launches]
            outcomes.append((each, self._chosen(each, pools, fleet.id, planned)))
        return outcomes

    def fleet_launches(self, params: Given) -> list[Given]:
        """The parameters of each launch that CreateFleet may make. Raises EC2's errors."""
        lifecycles = {one.lifecycle for one in wanted_of(params)}
        return [
            _of_lifecycle(pool, lifecycle)
            for pool in self._all_pools(params)
            for lifecycle in lifecycles
        ]

    def find_fleets(self, params: Given) -> list[Fleet]:
        """DescribeFleets: one of type instant is shown only if its id is named."""
        refuse_unknown("DescribeFleets", params)
        chosen = [self.fleet(ident) for ident in params.get("FleetIds", [])]
        if not chosen:
            chosen = [one for one in self.fleets_by_id.values() if one.type != INSTANT]
        return select(chosen, params.get("Filters", []), FILTERS)

    def delete_fleet_records(
        self, params: Given
    ) -> tuple[list[tuple[Fleet, str]], list[tuple[str, str]]]:
        """DeleteFleets: fleets that are deleted now, with their states before; ids and codes of
        those that cannot be."""
        refuse_unknown("DeleteFleets", params)
        ids = params.get("FleetIds") or no("FleetId")
        ends = params.get("TerminateInstances")
        if ends is None:
            raise missing("TerminateInstances")
        kinds = Counter(one.type == INSTANT for one in map(self.fleets_by_id.get, ids) if one)
        if kinds[True] > MOST_DELETED or kinds[False] > MOST_OTHERS_DELETED:
            raise invalid(
                f"Up to {MOST_DELETED} fleets of type instant and {MOST_OTHERS_DELETED} others are"
                " deleted at once."
            )
        deleted, failed = [], []
        for ident in dict.fromkeys(ids):
            fleet = self.fleets_by_id.get(ident)
            if fleet is None:
                failed.append((ident, "fleetIdDoesNotExist"))
            elif fleet.is_deleted and (fleet.ends_machines or not ends):
                failed.append((ident, "fleetNotInDeletableState"))
            else:
                deleted.append((fleet, fleet.state))
                self.end_fleet(fleet, terminate=ends or fleet.type == INSTANT)
        return deleted, failed

    def end_fleet(self, fleet: Fleet, *, terminate: bool) -> None:
        """It launches nothing any more."""
        if terminate and fleet.live_ids:
            self.terminate(fleet.live_ids)
        fleet.is_deleted, fleet.ends_machines = True, terminate
        self.touch()

    def fleet(self, ident: str) -> Fleet:
        if ident not in self.fleets_by_id:
            raise refusal("InvalidFleetId.NotFound", f"The fleet ID '{ident}' does not exist")
        return self.fleets_by_id[ident]

    # --- pools ------------------------------------------------------------------------

    def _configs(self, params: Given) -> Sequence[Given]:
        configs: Sequence[Given] = params.get("LaunchTemplateConfigs") or no(
            "LaunchTemplateConfigs"
        )
        for config in configs:
            given = config.get("LaunchTemplateSpecification") or no("LaunchTemplateSpecification")
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
        for pool, launch in outcome.launches:
            try:
                reservation = self.perform(launch)
            except EC2ClientError as error:
                # No address was left for it
                outcome.errors.append((pool, error.code, error.message))
                continue
            ids = [one.id for one in reservation.instances]
            fleet.add(ids, Member(wanted.lifecycle, pool.weight, pool.kind, pool.shown))
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


def no(parameter: str) -> Any:
    """Raises EC2's error for one that is missing."""
    raise missing(parameter)
