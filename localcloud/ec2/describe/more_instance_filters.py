"""The filters of DescribeInstances that look at parts of an instance, or at what none here has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.ec2.records.instance import Instance

Getter = Callable[[Instance], object]


def _metadata(name: str) -> Getter:
    return lambda instance: getattr(instance.metadata_options, name)


def _nic(of: Callable[[Any], object]) -> Getter:
    return lambda instance: [of(nic) for nic in instance.network_interfaces]


def _associated(of: Getter) -> Getter:
    """A value of its public address, if it has one."""
    return lambda instance: of(instance) if instance.address else None


def _allocation(name: str) -> Getter:
    def seen(instance: Instance) -> object:
        addresses = instance.ec2_backend.addresses
        return [getattr(one, name) for one in addresses if one.instance is instance]

    return seen


def _groups(name: str) -> Getter:
    return lambda instance: [getattr(group, name) for group in instance.security_groups]


_ASSOCIATION: Mapping[str, Getter] = {
    "allocation-id": _allocation("allocation_id"),
    "association-id": _allocation("association_id"),
    "carrier-ip": lambda i: None,
    "customer-owned-ip": lambda i: None,
    "ip-owner-id": _associated(lambda i: "amazon" if not i.elastic_ip else i.owner_id),
    "public-dns-name": _associated(lambda i: i.public_dns_name),
    "public-ip": _associated(lambda i: i.address),
}
_NIC: Mapping[str, Getter] = {
    "addresses.primary": _nic(lambda nic: True),
    "addresses.private-dns-name": lambda i: i.private_dns_name or None,
    "addresses.private-ip-address": lambda i: i.private_ip_address,
    "attachment.delete-on-termination": _nic(lambda nic: nic.delete_on_termination),
    "attachment.device-index": _nic(lambda nic: 0),
    "attachment.instance-id": _nic(lambda nic: nic.instance.id),
    "attachment.instance-owner-id": lambda i: i.owner_id,
    "attachment.network-card-index": _nic(lambda nic: 0),
    "attachment.status": _nic(lambda nic: "attached"),
    "availability-zone": lambda i: i.availability_zone if i.live else None,
    "description": _nic(lambda nic: nic.description or ""),
    "group-id": _groups("id"),
    "group-name": _groups("name"),
    "mac-address": _nic(lambda nic: nic.mac_address),
    "owner-id": _nic(lambda nic: nic.owner_id),
    "private-dns-name": lambda i: i.private_dns_name or None,
    "private-ip-address": lambda i: i.private_ip_address,
    "public-dns-name": _associated(lambda i: i.public_dns_name),
    "requester-managed": _nic(lambda nic: False),
    "operator.managed": _nic(lambda nic: False),
    "ipv6-native": _nic(lambda nic: False),
    "deny-all-igw-traffic": _nic(lambda nic: False),
    "source-dest-check": _nic(lambda nic: nic.source_dest_check),
    "status": _nic(lambda nic: "in-use"),
    "tag-key": _nic(lambda nic: list(nic.ec2_backend.tags.get(nic.id, {}))),
    "tag-value": _nic(lambda nic: list(nic.ec2_backend.tags.get(nic.id, {}).values())),
    **{f"association.{name}": getter for name, getter in _ASSOCIATION.items()},
    **{f"addresses.association.{name}": getter for name, getter in _ASSOCIATION.items()},
}
# No instance of the rehearsal cloud has these, so no value of theirs matches
_ABSENT = (
    "affinity", "capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
    "capacity-reservation-specification.capacity-reservation-target"
    ".capacity-reservation-resource-group-arn", "host-id", "ipv6-address", "kernel-id",
    "operator.principal", "outpost-arn", "placement-partition-number", "platform", "product-code",
    "product-code.type", "ramdisk-id", "requester-id", "tpm-support",
    "network-interface.ipv4-prefixes.ipv4-prefix", "network-interface.ipv6-address",
    "network-interface.ipv6-addresses.ipv6-address",
    "network-interface.ipv6-addresses.is-primary-ipv6",
    "network-interface.ipv6-prefixes.ipv6-prefix", "network-interface.operator.principal",
    "network-interface.outpost-arn", "network-interface.requester-id",
)  # fmt: skip
MORE_FILTERS: Mapping[str, Getter] = {
    **{name: lambda i: None for name in _ABSENT},
    **{f"network-interface.{name}": getter for name, getter in _NIC.items()},
    "boot-mode": lambda i: i.traits.boot_mode,
    "ebs-optimized": lambda i: bool(i.ebs_optimized),
    "ena-support": lambda i: bool(i.ena_support),
    "enclave-options.enabled": lambda i: False,
    "hibernation-options.configured": lambda i: False,
    "metadata-options.http-endpoint": _metadata("http_endpoint"),
    "metadata-options.http-protocol-ipv4": lambda i: "enabled",
    "metadata-options.http-protocol-ipv6": _metadata("http_protocol_ipv6"),
    "metadata-options.http-put-response-hop-limit": _metadata("http_put_response_hop_limit"),
    "metadata-options.http-tokens": _metadata("http_tokens"),
    "metadata-options.instance-metadata-tags": _metadata("instance_metadata_tags"),
    "metadata-options.state": lambda i: "applied",
    "operator.managed": lambda i: False,
    "platform-details": lambda i: i.platform_details,
    "reservation-id": lambda i: i.ec2_backend.reservation_of(i),
    "state-reason-message": lambda i: i.state_reason.message,
    "usage-operation": lambda i: i.usage_operation,
    "usage-operation-update-time": lambda i: i.launch_time,
}
_EVENT = (
    "code", "description", "instance-event-id", "not-after", "not-before", "not-before-deadline",
)  # fmt: skip
# DescribeInstanceStatus: no event is ever planned here
MORE_STATUS_FILTERS: Mapping[str, Getter] = {
    **{f"event.{name}": lambda i: None for name in _EVENT},
    "instance-status.reachability": lambda i: _reachability(i.instance_status),
    "operator.managed": lambda i: False,
    "operator.principal": lambda i: None,
    "system-status.reachability": lambda i: _reachability(i.system_status),
}


def _reachability(status: Mapping[str, Any]) -> object:
    return [detail["Status"] for detail in status.get("Details", [])]
