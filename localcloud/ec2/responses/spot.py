"""Spot requests and spot prices."""

from __future__ import annotations

from moto.core.responses import ActionResult

from localcloud.ec2.describe.price_history import History
from localcloud.ec2.filters import page
from localcloud.ec2.responses.base import BaseResponses


class SpotResponses(BaseResponses):
    def request_spot_instances(self) -> ActionResult:
        return ActionResult({"SpotInstanceRequests": self.backend.ask(self.given)})

    def describe_spot_instance_requests(self) -> ActionResult:
        requests = self.backend.spot_requests(self.given)
        shown, token = page(requests, self.given, ids="SpotInstanceRequestIds")
        return ActionResult({"SpotInstanceRequests": shown, "NextToken": token})

    def cancel_spot_instance_requests(self) -> ActionResult:
        ids = self.one("SpotInstanceRequestIds") or []
        cancelled = [
            {"SpotInstanceRequestId": request.id, "State": request.state}
            for request in self.backend.cancel(ids)
        ]
        return ActionResult({"CancelledSpotInstanceRequests": cancelled})

    def describe_spot_price_history(self) -> ActionResult:
        backend = self.backend
        zone_ids = {zone.name: zone.zone_id for zone in backend.describe_availability_zones()}
        history = History(
            backend.market, backend.region_name, zone_ids, self.given, backend.now()
        )  # fmt: skip
        shown, token = history.page()
        return ActionResult({"SpotPriceHistory": shown, "NextToken": token})
