"""The filters of DescribeInstances and DescribeInstanceStatus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localcloud.ec2.describe.more_instance_filters import MORE_FILTERS, MORE_STATUS_FILTERS
from localcloud.ec2.records.instance import Instance


def _mapped(name: str) -> Callable[[Instance], list[Any]]:
    return lambda instance: [entry["Ebs"][name] for entry in instance.block_device_mappings]


def _groups(name: str) -> Callable[[Instance], list[str]]:
    return lambda instance: [getattr(group, name) for group in instance.security_groups]


def _profile(name: str) -> Callable[[Instance], str | None]:
    return lambda instance: (instance.iam_instance_profile or {}).get(name)


FILTERS: dict[str, Callable[[Instance], object]] = {
    **MORE_FILTERS,
    "architecture": lambda i: i.architecture,
    "availability-zone": lambda i: i.availability_zone,
    "block-device-mapping.attach-time": _mapped("AttachTime"),
    "block-device-mapping.delete-on-termination": _mapped("DeleteOnTermination"),
    "block-device-mapping.device-name": lambda i: [
        entry["DeviceName"] for entry in i.block_device_mappings
    ],
    "block-device-mapping.status": _mapped("Status"),
    "block-device-mapping.volume-id": _mapped("VolumeId"),
    "client-token": lambda i: i.client_token,
    "dns-name": lambda i: i.public_dns_name,
    "group-id": _groups("id"),
    "group-name": _groups("name"),
    "hypervisor": lambda i: i.hypervisor,
    "iam-instance-profile.arn": _profile("Arn"),
    "iam-instance-profile.id": _profile("Id"),
    "iam-instance-profile.name": lambda i: i.profile_name,
    "image-id": lambda i: i.image_id,
    "instance-id": lambda i: i.id,
    "instance-lifecycle": lambda i: i.lifecycle,
    "instance-state-code": lambda i: i.state_code,
    "instance-state-name": lambda i: i.state,
    "instance-type": lambda i: i.instance_type,
    "instance.group-id": _groups("id"),
    "instance.group-name": _groups("name"),
    "ip-address": lambda i: i.address,
    "key-name": lambda i: i.key_name,
    "launch-index": lambda i: i.ami_launch_index,
    "launch-time": lambda i: i.launch_time,
    "monitoring-state": lambda i: i.monitoring_state,
    "network-interface.network-interface-id": lambda i: [n.id for n in i.network_interfaces],
    "network-interface.subnet-id": lambda i: [n.subnet_id for n in i.network_interfaces],
    "network-interface.vpc-id": lambda i: [n.vpc_id for n in i.network_interfaces],
    "owner-id": lambda i: i.owner_id,
    "placement-group-name": lambda i: None,
    "private-dns-name": lambda i: i.private_dns_name,
    "private-ip-address": lambda i: i.private_ip_address,
    "reason": lambda i: i.state_transition_reason,
    "root-device-name": lambda i: i.root_device_name,
    "root-device-type": lambda i: i.root_device_type,
    "source-dest-check": lambda i: i.source_dest_check,
    "spot-instance-request-id": lambda i: i.spot_instance_request_id,
    "state-reason-code": lambda i: i.state_reason.code,
    "subnet-id": lambda i: i.subnet_id,
    "tenancy": lambda i: "default",
    "virtualization-type": lambda i: i.virtualization_type,
    "vpc-id": lambda i: i.vpc_id,
}

STATUS_FILTERS: dict[str, Callable[[Instance], object]] = {
    **MORE_STATUS_FILTERS,
    "availability-zone": lambda i: i.availability_zone,
    "instance-state-code": lambda i: i.state_code,
    "instance-state-name": lambda i: i.state,
    "instance-status.status": lambda i: i.instance_status["Status"],
    "system-status.status": lambda i: i.system_status["Status"],
}
