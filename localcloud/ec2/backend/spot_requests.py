"""RequestSpotInstances, CancelSpotInstanceRequests, and spot's rules on stop and start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.instances import Change, Instances
from localcloud.ec2.errors import invalid, invalid_value, missing, not_rehearsed, refusal
from localcloud.ec2.filters import by_ids, select
from localcloud.ec2.instance_types import facts
from localcloud.ec2.launch.options import BEHAVIORS, TYPES, require_known
from localcloud.ec2.launch.planner import Planner
from localcloud.ec2.market.market import Market, standard
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.spot_request import FILTERS, SpotRequest

# A launch specification cannot have these (service model of RequestSpotInstances)
UNKNOWN_CODE = "InvalidSpotInstanceRequestID.NotFound"


class SpotRequests(Instances):
    @property
    def market(self) -> Market:
        return self.cloud.market

    def ask(self, params: Mapping[str, Any]) -> list[SpotRequest]:
        """RequestSpotInstances."""
        token = params.get("ClientToken")
        ids = self.made_before("RequestSpotInstances", token, params)
        known = [self.spot_instance_requests[i] for i in ids if i in self.spot_instance_requests]
        if known:
            return known
        refuse_unknown("RequestSpotInstances", params)
        spec = params.get("LaunchSpecification")
        if not spec:
            raise missing("LaunchSpecification")
        count = params.get("InstanceCount", 1)
        if not 1 <= count <= 50:
            raise invalid_value("instanceCount", count, "It has to be from 1 to 50.")
        self._require_terms(params)
        tags = tags_for(params, allowed=("spot-instances-request",))["spot-instances-request"]
        plan = Planner(self, spec).plan()
        self.require_spot_class(plan.instance_type)
        self.require_spot_role()
        price = self.price(params.get("SpotPrice"), plan.instance_type)
        self.within_quota(plan.instance_type, count, count, spot=True)
        requests = [SpotRequest(self, params, price, plan.groups) for _ in range(count)]
        for request in requests:
            self.spot_instance_requests[request.id] = request
            self.set_tags(request.id, tags)
            if self.account.bad_parameters:
                request.enter(
                    "closed", "bad-parameters", "Your Spot request failed due to bad parameters."
                )
        self.remember("RequestSpotInstances", token, params, [one.id for one in requests])
        return requests

    def require_spot_class(self, kind: str) -> None:
        if "spot" not in facts(kind)["SupportedUsageClasses"]:
            raise invalid(f"The instance type '{kind}' is not offered as spot.")

    def _require_terms(self, params: Mapping[str, Any]) -> None:
        kind = params.get("Type") or "one-time"
        behavior = params.get("InstanceInterruptionBehavior") or "terminate"
        require_known("type", kind, TYPES)
        require_known("instanceInterruptionBehavior", behavior, BEHAVIORS)
        if behavior != "terminate" and kind != "persistent":
            raise refusal(
                "InvalidParameterCombination",
                f"The interruption behavior '{behavior}' needs a request of type 'persistent'.",
            )
        if params.get("BlockDurationMinutes"):
            raise not_rehearsed("spot blocks")
        start, end = params.get("ValidFrom"), params.get("ValidUntil")
        if end and end <= max(self.now(), start or self.now()):
            raise invalid_value("validUntil", end, "It has to be in the future.")

    def price(self, given: str | None, instance_type: str) -> float:
        if not given:
            # The default is the on-demand price; ten times our spot price is above any of ours
            return standard(instance_type, f"{self.region_name}a") * 10
        try:
            price = float(given)
        except ValueError:
            price = -1.0
        if not 0 < price < float("inf"):
            raise invalid(f"Invalid spot price: '{given}'. It has to be a number above 0.")
        if round(price, 6) == 0:
            raise invalid(f"Invalid spot price: '{given}'. It has six decimals at most.")
        return price

    def spot_requests(self, params: Mapping[str, Any]) -> list[SpotRequest]:
        ids = params.get("SpotInstanceRequestIds", [])
        requests = by_ids(
            self.spot_instance_requests, ids, UNKNOWN_CODE, "spot instance request ID"
        )
        return select(requests, params.get("Filters", []), FILTERS)

    def cancel(self, ids: Sequence[str]) -> list[SpotRequest]:
        """CancelSpotInstanceRequests: the record stays, and so does a running instance."""
        if not ids:
            raise missing("SpotInstanceRequestId")
        chosen = by_ids(self.spot_instance_requests, ids, UNKNOWN_CODE, "spot instance request ID")
        for request in chosen:
            if not request.ended:
                running = request.state in ("active", "disabled")
                request.enter(
                    "cancelled",
                    "request-canceled-and-instance-running"
                    if running
                    else "canceled-before-fulfillment",
                )
        return chosen

    def request_of(self, instance: Instance) -> SpotRequest | None:
        return self.spot_instance_requests.get(instance.spot_instance_request_id or "")

    def start(self, ids: Sequence[str]) -> list[Change]:
        for instance in self.instances_of(ids):
            request = self.request_of(instance)
            if instance.state != "stopped" or not instance.spot_instance_request_id:
                continue
            if request is None or request.stopped_by_ec2 or request.ended:
                state = f"{request.state}/{request.code}" if request else "gone"
                raise refusal(
                    "IncorrectSpotRequestState",
                    f"You can't start the Spot Instance '{instance.id}' because the associated"
                    f" Spot Instance request is not in an appropriate state to support start:"
                    f" it is {state}.",
                )
            zone = instance.availability_zone or ""
            self.within_quota(instance.instance_type, 1, 1, spot=True)
            if not self.market.has_room(instance.instance_type, zone, self.now()):
                raise refusal(
                    "InsufficientInstanceCapacity",
                    f"There is no Spot capacity available for {instance.instance_type} in {zone}.",
                )
        return super().start(ids)

    def stop(self, ids: Sequence[str]) -> list[Change]:
        for instance in self.instances_of(ids):
            if instance.spot_instance_request_id and not self.may_stop(instance):
                raise refusal(
                    "UnsupportedOperation",
                    f"You can't stop the Spot Instance '{instance.id}' because it is associated"
                    " with a one-time or cancelled Spot Instance request. You can only stop Spot"
                    " Instances associated with persistent Spot Instance requests.",
                )
        return super().stop(ids)

    def may_stop(self, instance: Instance) -> bool:
        request = self.request_of(instance)
        if request is None or request.instance_id != instance.id:
            # A machine whose request has moved on is about to end
            return False
        return request.persistent and not request.ended
