"""RunInstances: machines at once or a refusal, on demand or as spot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.ec2.models.instances import Reservation

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.fleet.launch_templates import ORIGIN, LaunchTemplates
from localcloud.ec2.backend.spot_requests import SpotRequests
from localcloud.ec2.errors import invalid, invalid_value, missing, refusal
from localcloud.ec2.instance_types import DEFAULT_TYPE, facts
from localcloud.ec2.launch.options import TAGGABLE, SpotTerms, require_options, spot_terms
from localcloud.ec2.launch.planner import Planner
from localcloud.ec2.parameters import LAUNCH, refuse_unknown
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.launch_plan import LaunchPlan
from localcloud.ec2.records.spot_request import SpotRequest

Given = Mapping[str, Any]
Tags = Mapping[str, Mapping[str, str]]
# Dollars an hour (API Reference, SpotMarketOptions)
LOWEST_PRICE = 0.001
MOST = 50
# Options that a request of RunInstances has beside its launch specification, for each launch anew
OPTIONS = (
    "DisableApiStop", "DisableApiTermination", "InstanceInitiatedShutdownBehavior",
    "MetadataOptions",
)  # fmt: skip


@dataclass(frozen=True)
class Launch:
    """A checked launch, which can be made: ``terms`` is None on demand, ``tags`` are by kind."""

    params: Given
    plan: LaunchPlan
    terms: SpotTerms | None
    tags: Tags
    count: int

    @property
    def spot(self) -> bool:
        return self.terms is not None


class RunInstances(SpotRequests, LaunchTemplates):
    def run(self, params: Given) -> Reservation:
        """RunInstances."""
        token = params.get("ClientToken")
        for ident in self.made_before("RunInstances", token, params):
            if ident in self.reservations:
                return self.reservations[ident]
        refuse_unknown("RunInstances", params)
        low, high = (params.get(name) for name in ("MinCount", "MaxCount"))
        if low is None or high is None:
            raise missing("MinCount" if low is None else "MaxCount")
        if not 1 <= low <= high <= MOST:
            raise invalid_value("maxCount", high, f"It has to be from minCount to {MOST}.")
        reservation = self.begin(self.merged(params), low, high)
        self.remember("RunInstances", token, params, [reservation.id])
        return reservation

    def begin(self, params: Given, low: int, high: int) -> Reservation:
        """As many machines as there may be, from ``low`` to ``high``. Checks everything first."""
        return self.perform(self.prepared(params, low, high))

    def prepared(self, params: Given, low: int, high: int, beside: Sequence[Launch] = ()) -> Launch:
        """A launch that nothing is wrong with, ``beside`` others that are about to be made too.

        Raises EC2's errors, also for a spot machine that there is not at once.
        """
        require_options(params)
        terms = spot_terms(params, self.now())
        tags = tags_for(params, allowed=TAGGABLE)
        if tags["spot-instances-request"] and terms is None:
            raise invalid("A launch on demand makes no 'spot-instances-request' to tag.")
        plan = self._planned(params, terms)
        more = [(one.plan.instance_type, one.count) for one in beside if one.spot is bool(terms)]
        count = self.within_quota(
            plan.instance_type, low, high, spot=terms is not None, beside=more
        )
        return Launch(params, plan, terms, tags, count)

    def perform(self, launch: Launch) -> Reservation:
        requests = self._requests(launch)
        reservation = self.launch(
            launch.plan,
            count=launch.count,
            options=launch.params,
            spot_request_ids=[one.id for one in requests],
        )
        instances: list[Instance] = reservation.instances  # type: ignore[assignment]
        for instance, request in zip(instances, requests, strict=bool(requests)):
            self._fulfil(request, instance, launch.tags["spot-instances-request"])
        for instance in instances:
            self._tag(instance, launch)
        return reservation

    def _planned(self, params: Given, terms: SpotTerms | None) -> LaunchPlan:
        kind = params.get("InstanceType") or DEFAULT_TYPE
        facts(kind)
        zones = self.market.zones_by_price(self.region_name, kind, self.now()) if terms else ()
        plan = Planner(self, params).plan(zones)
        if terms:
            self._require_spot(plan, terms)
        return plan

    def _require_spot(self, plan: LaunchPlan, terms: SpotTerms) -> None:
        self.require_spot_class(plan.instance_type)
        bid = self.price(terms.price, plan.instance_type)
        if bid < LOWEST_PRICE:
            raise invalid_value("maxPrice", terms.price, f"It has to be at least {LOWEST_PRICE}.")
        self.require_spot_role()
        price = self.market.price(plan.instance_type, plan.zone, self.now())
        if bid < price:
            raise refusal(
                "SpotMaxPriceTooLow",
                f"Your Spot request price of {terms.price} is lower than the minimum required Spot"
                f" request fulfillment price of {price:g}.",
            )
        if not self.market.has_room(plan.instance_type, plan.zone, self.now()):
            raise refusal(
                "InsufficientInstanceCapacity",
                "There is no Spot capacity available that matches your request.",
            )

    def _requests(self, launch: Launch) -> list[SpotRequest]:
        """One for each spot machine, which nothing knows yet."""
        params, terms = launch.params, launch.terms
        if terms is None:
            return []
        asked = {
            "LaunchSpecification": {name: params[name] for name in LAUNCH if name in params},
            "Type": terms.kind,
            "InstanceInterruptionBehavior": terms.behavior,
            "ValidUntil": terms.valid_until,
        }
        bid = self.price(terms.price, launch.plan.instance_type)
        groups = launch.plan.groups
        requests = [SpotRequest(self, asked, bid, groups) for _ in range(launch.count)]
        for request in requests:
            # It has its machine: it never waits for seven days
            request.valid_until = terms.valid_until
            request.options = {name: params[name] for name in OPTIONS if name in params}
        return requests

    def _fulfil(self, request: SpotRequest, instance: Instance, tags: Mapping[str, str]) -> None:
        self.spot_instance_requests[request.id] = request
        self.set_tags(request.id, tags)
        request.instance_id = instance.id
        request.launched_availability_zone = instance.availability_zone
        request.enter("active", "fulfilled")

    def _tag(self, instance: Instance, launch: Launch) -> None:
        self.tag_for_service(instance.id, launch.params.get(ORIGIN, {}))
        self.set_tags(instance.id, launch.tags["instance"])
        self.set_tags(instance.nics[0].id, launch.tags["network-interface"])
        for attachment in self.attached_to(instance):
            self.set_tags(attachment.volume_id, launch.tags["volume"])
