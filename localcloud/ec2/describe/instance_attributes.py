"""One attribute of an instance, as DescribeInstanceAttribute shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.ec2.errors import invalid_value
from localcloud.ec2.records.instance import Instance


def _value(name: str, of: Callable[[Instance], object]) -> Callable[[Instance], dict[str, Any]]:
    """An attribute in a structure with a Value, which is empty if it has none."""

    def shown(instance: Instance) -> dict[str, Any]:
        value = of(instance)
        return {name: "" if value in (None, "") else {"Value": value}}

    return shown


def _groups(instance: Instance) -> dict[str, Any]:
    groups = [{"GroupId": group.id, "GroupName": group.name} for group in instance.security_groups]
    return {"Groups": groups}


# By the values that the parameter Attribute may have (API Reference)
ATTRIBUTES: Mapping[str, Callable[[Instance], dict[str, Any]]] = {
    "blockDeviceMapping": lambda i: {"BlockDeviceMappings": i.block_device_mappings},
    "disableApiStop": _value("DisableApiStop", lambda i: i.disable_api_stop),
    "disableApiTermination": _value("DisableApiTermination", lambda i: i.disable_api_termination),
    "ebsOptimized": _value("EbsOptimized", lambda i: bool(i.ebs_optimized)),
    "enaSupport": _value("EnaSupport", lambda i: bool(i.ena_support)),
    "enclaveOptions": lambda i: {"EnclaveOptions": {"Enabled": False}},
    "groupSet": _groups,
    "instanceInitiatedShutdownBehavior": _value(
        "InstanceInitiatedShutdownBehavior", lambda i: i.instance_initiated_shutdown_behavior
    ),
    "instanceType": _value("InstanceType", lambda i: i.instance_type),
    "kernel": _value("KernelId", lambda i: None),
    "productCodes": lambda i: {"ProductCodes": []},
    "ramdisk": _value("RamdiskId", lambda i: None),
    "rootDeviceName": _value("RootDeviceName", lambda i: i.root_device_name),
    "sourceDestCheck": _value("SourceDestCheck", lambda i: i.source_dest_check),
    "sriovNetSupport": _value("SriovNetSupport", lambda i: i.traits.sriov_net_support),
    "userData": _value("UserData", lambda i: i.user_data),
}


def shown(instance: Instance, attribute: str) -> dict[str, Any]:
    """By the names of the service model. Raises EC2's error for an attribute that is none."""
    if attribute not in ATTRIBUTES:
        raise invalid_value("attribute", attribute, "Unknown attribute.")
    return {"InstanceId": instance.id, **ATTRIBUTES[attribute](instance)}
