"""Elastic IPs: allocated, associated with an instance, moved to another, and released.

The reconciler then leads the machine's ssh to the new address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ec2.utils import random_eip_association_id

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.quotas import Quotas
from localcloud.ec2.errors import invalid, invalid_value, missing, not_rehearsed, refusal
from localcloud.ec2.filters import by_ids, select
from localcloud.ec2.launch.addresses import public_address
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.quotas import ELASTIC_IPS
from localcloud.ec2.records.elastic_ip import ElasticIp
from localcloud.ec2.records.instance import Instance

# States of an instance that has a network interface for good
ASSOCIABLE = ("running", "stopping", "stopped")
UNKNOWN = "InvalidAllocationID.NotFound"

FILTERS = {
    "allocation-id": lambda a: a.allocation_id,
    "association-id": lambda a: a.association_id,
    "domain": lambda a: a.domain,
    "instance-id": lambda a: a.instance_id,
    "network-border-group": lambda a: a.network_border_group,
    "network-interface-id": lambda a: a.network_interface_id,
    "network-interface-owner-id": lambda a: a.network_interface_owner_id,
    "private-ip-address": lambda a: a.private_ip_address,
    "public-ip": lambda a: a.public_ip,
}


class ElasticIps(Quotas):
    def elastic_ip(self, allocation_id: str) -> ElasticIp:
        known = {one.id: one for one in self.addresses}
        return by_ids(known, [allocation_id], UNKNOWN, "allocation ID")[0]

    def find_addresses(self, params: Mapping[str, Any]) -> list[ElasticIp]:
        """DescribeAddresses."""
        known = {one.id: one for one in self.addresses}
        chosen = by_ids(known, params.get("AllocationIds", []), UNKNOWN, "allocation ID")
        wanted = params.get("PublicIps", [])
        for unknown in set(wanted) - {one.public_ip for one in self.addresses}:
            raise refusal("InvalidAddress.NotFound", f"Address '{unknown}' not found.")
        chosen = [one for one in chosen if not wanted or one.public_ip in wanted]
        return select(chosen, params.get("Filters", []), FILTERS)

    def allocate(self, params: Mapping[str, Any]) -> ElasticIp:
        """AllocateAddress, from Amazon's pool and for a VPC."""
        refuse_unknown("AllocateAddress", params)
        domain, pool = params.get("Domain") or "vpc", params.get("PublicIpv4Pool") or "amazon"
        if domain != "vpc":
            raise invalid_value("domain", domain, "It has to be vpc.")
        if pool != "amazon":
            raise refusal(
                "InvalidPublicIpv4PoolID.NotFound", f"The pool ID '{pool}' does not exist"
            )
        group = params.get("NetworkBorderGroup") or self.region_name
        if group != self.region_name:
            raise invalid_value("networkBorderGroup", group, f"Here it is {self.region_name}.")
        tags = tags_for(params, allowed=("elastic-ip",))["elastic-ip"]
        quota = self.quota_value(ELASTIC_IPS)
        if len(self.addresses) >= quota:
            raise refusal(
                "AddressLimitExceeded",
                f"The maximum number of addresses has been reached: {quota:g} in a region.",
            )
        free = public_address(self.cloud.config.network)
        address = ElasticIp(self, domain, free)  # type: ignore[abstract]
        self.addresses.append(address)
        self.set_tags(address.id, tags)
        self.touch()
        return address

    def associate(self, params: Mapping[str, Any]) -> str:
        """AssociateAddress; returns the association's id.

        If the address is associated already, the call has to say AllowReassociation: accounts
        differ in how EC2 reads its absence.
        """
        address = self.elastic_ip(_allocation(params, "mapping an address to a VPC instance"))
        instance = self._holder(params)
        if instance.state not in ASSOCIABLE:
            raise refusal(
                "InvalidInstanceID",
                f"The {instance.state} instance '{instance.id}' is not in a valid state for this"
                " operation.",
            )
        private = params.get("PrivateIpAddress") or instance.private_ip_address
        if private != instance.private_ip_address:
            raise invalid(f"The address {private} is not one of {instance.nics[0].id}'s")
        if address.instance is instance:
            return str(address.association_id)
        held = [one for one in self.addresses if one.instance is instance]
        for one in ([address] if address.instance else []) + held:
            if not params.get("AllowReassociation"):
                raise refusal(
                    "Resource.AlreadyAssociated",
                    f"resource {address.id if one is address else instance.nics[0].id} is already"
                    f" associated with associate-id {one.association_id}",
                )
        self._free(address)
        for one in held:
            self._unbind(one)
        address.instance, address.eni = instance, instance.nics[0]
        address.association_id = random_eip_association_id()
        instance.elastic_ip = address.public_ip
        instance.move_to(instance.loopback)
        self.touch()
        return address.association_id

    def disassociate(self, params: Mapping[str, Any]) -> None:
        """DisassociateAddress: the instance gets a new address of the kind that it began with."""
        if params.get("PublicIp"):
            raise invalid(
                "You must specify an association id when unmapping an address from a VPC instance"
            )
        ident = params.get("AssociationId") or _without("AssociationId")
        known = {one.association_id or "": one for one in self.addresses}
        self._free(by_ids(known, [ident], "InvalidAssociationID.NotFound", "association ID")[0])

    def release(self, params: Mapping[str, Any]) -> None:
        """ReleaseAddress: refused while it is associated, also in a default VPC."""
        address = self.elastic_ip(_allocation(params, "releasing a VPC elastic IP address"))
        group = params.get("NetworkBorderGroup") or self.region_name
        if group != self.region_name:
            raise refusal("InvalidAddress.NotFound", f"Address '{address.public_ip}' not found.")
        if address.instance:
            raise refusal("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
        self.addresses.remove(address)
        self.tags.pop(address.id, None)
        self.touch()

    def leave(self, instance: Instance) -> None:
        """The instance is no more; its Elastic IP stays allocated."""
        for address in self.addresses:
            if address.instance is instance:
                self._unbind(address)

    def _holder(self, params: Mapping[str, Any]) -> Instance:
        """The instance that is meant, by its id or by its network interface's."""
        ident, nic = params.get("InstanceId"), params.get("NetworkInterfaceId")
        if ident and nic:
            raise refusal(
                "InvalidParameterCombination",
                "You may specify instance id or network interface id, but not both",
            )
        if ident:
            return self.instance(ident)
        known = {i.nics[0].id: i for i in self.every_instance() if i.network_interfaces}
        if nic in self.enis and nic not in known:
            raise not_rehearsed("an Elastic IP of a network interface that no machine has")
        return by_ids(
            known, [nic or _without("either an instance ID or a network interface ID")],
            "InvalidNetworkInterfaceID.NotFound", "network interface ID",
        )[0]  # fmt: skip

    def _free(self, address: ElasticIp) -> None:
        """Take it from its instance, which goes to a new address if it has a machine."""
        instance = address.instance
        if instance is None:
            return
        there = instance.loopback and public_address(self.cloud.config.network)
        self._unbind(address)
        instance.move_to(there)

    def _unbind(self, address: ElasticIp) -> None:
        if address.instance:
            address.instance.elastic_ip = None
        address.instance = address.eni = address.association_id = None
        self.touch()


def _allocation(params: Mapping[str, Any], what: str) -> str:
    """The id of the allocation that a call names; addresses name those of EC2-Classic only."""
    ident = params.get("AllocationId")
    if params.get("PublicIp"):
        raise refusal(
            "InvalidParameterCombination" if ident else "InvalidParameterValue",
            f"You must specify an allocation id when {what}",
        )
    return ident or _without("AllocationId")


def _without(parameter: str) -> str:
    raise missing(parameter)
