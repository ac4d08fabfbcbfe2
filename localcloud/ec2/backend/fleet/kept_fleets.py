"""Fleets of the types request and maintain: launched after the call, and kept at their target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from moto.ec2.exceptions import EC2ClientError

from localcloud.ec2.backend.fleet.fleets import Fleets, no
from localcloud.ec2.backend.fleet.pools import Given
from localcloud.ec2.backend.fleet.targets import ON_DEMAND, SPOT, wanted_of
from localcloud.ec2.errors import refusal
from localcloud.ec2.filters import select
from localcloud.ec2.launch.options import require_known
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.fleet import INSTANT, MAINTAIN, POLICIES, REQUEST, Event, Fleet, Member
from localcloud.ec2.records.instance import Instance

# Between a launch of which something was refused and the next
RETRY_AFTER = timedelta(seconds=15)
EVENT_KINDS = ("fleet-change", "instance-change", "service-error")
INSTANCE_FILTERS = {"instance-type": lambda instance: instance.instance_type}


class KeptFleets(Fleets):
    def step_fleets(self) -> None:
        """Bring every fleet in line with time, its target and its machines."""
        for fleet in list(self.fleets_by_id.values()):
            if fleet.type == INSTANT or fleet.is_deleted:
                continue
            try:
                self._step_fleet(fleet)
            except EC2ClientError as error:
                # Its template is gone, or nothing that it names is left
                fleet.has_begun = True
                self._try_again(fleet, error.code, error.message)

    def _step_fleet(self, fleet: Fleet) -> None:
        now, params = self.now(), fleet.params
        if params.get("ValidUntil") and now >= params["ValidUntil"]:
            fleet.note("fleet-change", "expired", "The fleet has reached its end.")
            self.end_fleet(fleet, terminate=bool(params.get("TerminateInstancesWithExpiration")))
            return
        early = params.get("ValidFrom") and now < params["ValidFrom"]
        waits = fleet.retry_at and now < fleet.retry_at
        if early or waits or (fleet.type == REQUEST and fleet.has_begun):
            return
        fleet.has_begun = True
        lacking = [
            replace(one, units=one.units - fleet.units(one.lifecycle))
            for one in wanted_of(params, least=0)
            if fleet.units(one.lifecycle) < one.units
        ]
        if not lacking:
            return
        fleet.errors, fleet.retry_at = [], None
        self.launch_for(fleet, lacking)
        self.touch()
        for one in fleet.errors:
            self._try_again(fleet, one["ErrorCode"], one["ErrorMessage"])
        if not fleet.errors:
            fleet.note("fleet-change", "progress", f"It has {fleet.units():g} units.")

    def _try_again(self, fleet: Fleet, code: str, message: str) -> None:
        fleet.retry_at = self.now() + RETRY_AFTER
        fleet.note("service-error", "launchSpecUnusable", f"{code}: {message}")

    # --- calls ------------------------------------------------------------------------

    def change_fleet(self, params: Given) -> None:
        """ModifyFleet: another target; whatever is too many ends, unless the policy keeps it."""
        refuse_unknown("ModifyFleet", params)
        fleet = self.fleet(params.get("FleetId") or no("FleetId"))
        if fleet.type != MAINTAIN:
            raise refusal(
                "UnsupportedOperation",
                f"You can only modify an EC2 Fleet request of type maintain; {fleet.id} is of type"
                f" {fleet.type}.",
            )
        if fleet.is_deleted:
            raise refusal("IncorrectState", f"The fleet {fleet.id} is in state {fleet.state}.")
        changed = dict(fleet.params)
        if policy := params.get("ExcessCapacityTerminationPolicy"):
            require_known("excessCapacityTerminationPolicy", policy, POLICIES)
            changed["ExcessCapacityTerminationPolicy"] = policy
        if target := params.get("TargetCapacitySpecification"):
            default = fleet.params["TargetCapacitySpecification"].get("DefaultTargetCapacityType")
            changed["TargetCapacitySpecification"] = {
                **({"DefaultTargetCapacityType": default} if default else {}),
                **target,
            }
        wanted = {one.lifecycle: one.units for one in wanted_of(changed, least=0)}
        fleet.params, fleet.retry_at, fleet.errors = changed, None, []
        fleet.note("fleet-change", "modify_succeeded", f"The target is {fleet.target} units.")
        if fleet.excess_policy == "termination":
            for lifecycle in (ON_DEMAND, SPOT):
                if surplus := self._surplus(fleet, lifecycle, wanted.get(lifecycle, 0.0)):
                    self.terminate(surplus)
        self.touch()

    def _surplus(self, fleet: Fleet, lifecycle: str, units: float) -> list[str]:
        """Ids of those without which the target is still met, the dearest per unit first.

        The service model says so of the strategy lowest-price alone, and of the others nothing
        that could be counted here.
        """
        surplus, has = [], fleet.units(lifecycle)
        some = [pair for pair in fleet.active.items() if pair[1].lifecycle == lifecycle]
        for ident, member in sorted(some, key=lambda pair: -self._price(*pair)):
            protected = self.instance(ident).disable_api_termination
            if has - member.weight >= units and not protected:
                surplus.append(ident)
                has -= member.weight
        return surplus

    def _price(self, ident: str, member: Member) -> float:
        zone = self.instance(ident).availability_zone or ""
        return self.market.price(member.kind, zone, self.now()) / member.weight

    def fleet_instances(self, params: Given) -> Sequence[Instance]:
        """DescribeFleetInstances, which EC2 has for fleets of these types."""
        refuse_unknown("DescribeFleetInstances", params)
        fleet = self.fleet(params.get("FleetId") or no("FleetId"))
        if fleet.type == INSTANT:
            raise refusal(
                "UnsupportedOperation",
                f"DescribeFleetInstances does not support fleets of type instant, as {fleet.id} is."
                " Instead, use DescribeFleets, specifying the instant fleet ID in the request.",
            )
        active = [self.instance(ident) for ident in fleet.active]
        return select(active, params.get("Filters", []), INSTANCE_FILTERS, tagged=False)

    def fleet_history(self, params: Given) -> list[Event]:
        """DescribeFleetHistory, the oldest first."""
        refuse_unknown("DescribeFleetHistory", params)
        fleet = self.fleet(params.get("FleetId") or no("FleetId"))
        begin = params.get("StartTime") or no("StartTime")
        kind = params.get("EventType")
        if kind:
            require_known("eventType", kind, EVENT_KINDS)
        return [one for one in fleet.history if one.time >= begin and kind in (None, one.kind)]
