"""Network interfaces of their own: records until a machine has them, which none here can.

A machine's one interface is made with it and goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface

from localcloud.ec2.backend.base import Base, tags_for
from localcloud.ec2.errors import invalid, missing, refusal
from localcloud.ec2.filters import by_ids
from localcloud.ec2.launch.addresses import private_address
from localcloud.ec2.parameters import refuse_unknown


class NetworkInterfaces(Base):
    def make_network_interface(self, params: Mapping[str, Any]) -> NetworkInterface:
        """CreateNetworkInterface. Moto makes up a group that is not there, and any address."""
        token = params.get("ClientToken")
        for ident in self.made_before("CreateNetworkInterface", token, params):
            if ident in self.enis:
                return self.enis[ident]
        refuse_unknown("CreateNetworkInterface", params)
        tags = tags_for(params, allowed=("network-interface",))["network-interface"]
        known = {one.id: one for by_zone in self.subnets.values() for one in by_zone.values()}
        ident = params.get("SubnetId") or _no_subnet()
        subnet = by_ids(known, [ident], "InvalidSubnetID.NotFound", "subnet ID")[0]
        groups = params.get("Groups") or []
        self._require_groups(groups, subnet.vpc_id)
        several = [dict(one) for one in params.get("PrivateIpAddresses") or []]
        chosen = [one["PrivateIpAddress"] for one in several if one.get("Primary")]
        address = private_address(subnet, params.get("PrivateIpAddress") or next(iter(chosen), ""))
        interface: NetworkInterface = self.create_network_interface(
            subnet, address, several, groups, params.get("Description"),
            secondary_ips_count=params.get("SecondaryPrivateIpAddressCount"),
            ipv6_addresses=[one["Ipv6Address"] for one in params.get("Ipv6Addresses") or []],
            ipv6_address_count=params.get("Ipv6AddressCount") or 0,
        )  # fmt: skip
        subnet.request_ip(address, interface)  # type: ignore[arg-type]
        self.set_tags(interface.id, tags)
        self.remember("CreateNetworkInterface", token, params, [interface.id])
        self.touch()
        return interface

    def _require_groups(self, groups: Sequence[str], vpc_id: str) -> None:
        for ident in groups:
            group = self.get_security_group_from_id(ident)
            if group and group.vpc_id != vpc_id:
                raise refusal(
                    "InvalidParameter",
                    f"Security group {ident} belongs to {group.vpc_id}, not {vpc_id}",
                )
        by_ids(self.groups.get(vpc_id, {}), groups, "InvalidGroup.NotFound", "security group")

    def delete_network_interface(self, eni_id: str) -> None:
        """Refused while a machine has it; moto lets it go."""
        interface = self.enis.get(eni_id)
        if interface and interface.instance:
            raise invalid(f"Network interface '{eni_id}' is currently in use.")
        super().delete_network_interface(eni_id)
        if interface:
            interface.subnet.del_subnet_ip(interface.private_ip_address)
            self.tags.pop(eni_id, None)
        self.touch()

    def refuse_if_interface(self, subnet_id: str = "", group_id: str | None = None) -> None:
        """Raise EC2's error if an interface is in the subnet, or of the group."""
        for one in self.enis.values():
            if subnet_id and one.subnet_id == subnet_id:
                raise refusal(
                    "DependencyViolation",
                    f"The subnet '{subnet_id}' has dependencies and cannot be deleted.",
                )
            if group_id and any(group.id == group_id for group in one._group_set):
                raise refusal(
                    "DependencyViolation", f"resource {group_id} has a dependent object: {one.id}"
                )


def _no_subnet() -> str:
    raise missing("SubnetId")
