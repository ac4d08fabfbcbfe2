"""Elastic IPs."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult

from localcloud.ec2.errors import invalid_value
from localcloud.ec2.filters import page
from localcloud.ec2.responses.base import BaseResponses


class AddressResponses(BaseResponses):
    def allocate_address(self) -> ActionResult:
        return ActionResult(self.backend.allocate(self.given))

    def describe_addresses(self) -> ActionResult:
        return ActionResult({"Addresses": self.backend.find_addresses(self.given)})

    def describe_addresses_attribute(self) -> ActionResult:
        """No address has the one attribute that there is, a name of its own in the DNS."""
        attribute = self.one("Attribute") or "domain-name"
        if attribute != "domain-name":
            raise invalid_value("attribute", attribute, "It has to be domain-name.")
        addresses = self.backend.find_addresses({"AllocationIds": self.one("AllocationIds") or []})
        shown, token = page(addresses, self.given, low=1)
        facts = [{"PublicIp": one.public_ip, "AllocationId": one.id} for one in shown]
        return ActionResult({"Addresses": facts, "NextToken": token})

    def associate_address(self) -> ActionResult:
        return ActionResult({"AssociationId": self.backend.associate(self.given)})

    def disassociate_address(self) -> ActionResult:
        self.backend.disassociate(self.given)
        return EmptyResult()

    def release_address(self) -> ActionResult:
        self.backend.release(self.given)
        return EmptyResult()
