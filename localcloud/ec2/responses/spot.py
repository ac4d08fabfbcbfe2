"""Spot requests and spot prices."""

from __future__ import annotations

from moto.core.responses import ActionResult

from localcloud.ec2.errors import invalid
from localcloud.ec2.filters import page
from localcloud.ec2.market import PRODUCTS
from localcloud.ec2.responses.base import BaseAnswers

# Filter names of DescribeSpotPriceHistory and the parameters that say the same
PRICE_FILTERS = {
    "availability-zone": "AvailabilityZone",
    "instance-type": "InstanceTypes",
    "product-description": "ProductDescriptions",
}


class SpotAnswers(BaseAnswers):
    def request_spot_instances(self) -> ActionResult:
        self.error_on_dryrun()
        return ActionResult({"SpotInstanceRequests": self.backend.ask(self.given)})

    def describe_spot_instance_requests(self) -> ActionResult:
        self.error_on_dryrun()
        found = self.backend.spot_requests(self.given)
        shown, token = page(found, self.given, ids="SpotInstanceRequestIds")
        return ActionResult({"SpotInstanceRequests": shown, "NextToken": token})

    def cancel_spot_instance_requests(self) -> ActionResult:
        self.error_on_dryrun()
        ids = self.one("SpotInstanceRequestIds") or []
        cancelled = [
            {"SpotInstanceRequestId": request.id, "State": request.state}
            for request in self.backend.cancel(ids)
        ]
        return ActionResult({"CancelledSpotInstanceRequests": cancelled})

    def describe_spot_price_history(self) -> ActionResult:
        self.error_on_dryrun()
        wanted = self.given
        zones = [wanted["AvailabilityZone"]] if wanted.get("AvailabilityZone") else []
        for given in wanted.get("Filters", []):
            name, values = given.get("Name"), given.get("Values", [])
            if name == "availability-zone":
                zones = values
            elif name in PRICE_FILTERS:
                wanted[PRICE_FILTERS[name]] = values
            else:
                raise invalid(f"The filter '{name}' is invalid. Valid: {', '.join(PRICE_FILTERS)}")
        for product in wanted.get("ProductDescriptions", []):
            if "Linux" not in product and "Windows" not in product and "SUSE" not in product:
                raise invalid(f"Invalid product description '{product}'. Here: {PRODUCTS[0]}")
        backend = self.backend
        history = backend.market.history(
            backend.region_name, backend.now(), {**wanted, "AvailabilityZone": None}
        )
        found = [one for one in history if not zones or one["AvailabilityZone"] in zones]
        shown, token = page(found, wanted, low=1)
        return ActionResult({"SpotPriceHistory": shown, "NextToken": token})
