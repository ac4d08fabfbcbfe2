"""Which parameters of a call the rehearsal cloud acts on: it refuses the others.

EC2 does something for each of them, so a call that has one and is taken all the same would do
another thing here than there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.ec2.errors import not_rehearsed

_NIC = (
    "AssociatePublicIpAddress", "DeleteOnTermination", "Description", "DeviceIndex", "Groups",
    "NetworkInterfaceId", "PrivateIpAddress", "PrivateIpAddresses", "SubnetId",
)  # fmt: skip
# What a launch has, whether by RunInstances or by a request's specification
_LAUNCH = (
    "BlockDeviceMappings", "EbsOptimized", "IamInstanceProfile", "ImageId", "InstanceType",
    "KeyName", "Monitoring", "Placement.AvailabilityZone", "SecurityGroupIds", "SecurityGroups",
    "SubnetId", "UserData", *(f"NetworkInterfaces.{name}" for name in _NIC),
)  # fmt: skip

# By call, the names that its own code reads; a dot leads into a structure or a list of such
KNOWN: Mapping[str, frozenset[str]] = {
    "RunInstances": frozenset({
        *_LAUNCH, "ClientToken", "DisableApiStop", "DisableApiTermination", "MaxCount",
        "InstanceInitiatedShutdownBehavior", "MetadataOptions", "MinCount", "PrivateIpAddress",
        "TagSpecifications",
    }),
    "RequestSpotInstances": frozenset({
        "BlockDurationMinutes", "ClientToken", "InstanceCount", "InstanceInterruptionBehavior",
        "SpotPrice", "TagSpecifications", "Type", "ValidFrom", "ValidUntil",
        *(f"LaunchSpecification.{name}" for name in _LAUNCH),
        # boto3's own text lists it here, although the service model does not
        "LaunchSpecification.PrivateIpAddress",
    }),
    "CreateVolume": frozenset({
        "AvailabilityZone", "ClientToken", "Encrypted", "Iops", "KmsKeyId", "MultiAttachEnabled",
        "Size", "SnapshotId", "TagSpecifications", "Throughput", "VolumeType",
    }),
    "CreateSnapshot": frozenset({"Description", "TagSpecifications", "VolumeId"}),
    "AllocateAddress": frozenset({
        "Domain", "NetworkBorderGroup", "PublicIpv4Pool", "TagSpecifications",
    }),
    "CreateImage": frozenset({
        "BlockDeviceMappings", "Description", "InstanceId", "Name", "NoReboot",
        "TagSpecifications",
    }),
    "ModifyInstanceAttribute": frozenset({
        "Attribute", "BlockDeviceMappings", "DisableApiStop", "DisableApiTermination",
        "EbsOptimized", "Groups", "InstanceId", "InstanceInitiatedShutdownBehavior",
        "InstanceType", "SourceDestCheck", "UserData", "Value",
    }),
}  # fmt: skip
# Values that ask for what is so without them
NOTHING = (None, False, 0, "", "default", "interface")


def refuse_unknown(call: str, params: Mapping[str, Any]) -> None:
    """Raises EC2's UnsupportedOperation for a parameter that would be dropped."""
    for name in _unknown(params, KNOWN[call] | {"DryRun"}, ""):
        raise not_rehearsed(f"{name} in {call}")


def _unknown(params: Mapping[str, Any], known: frozenset[str], inside: str) -> Iterator[str]:
    for key, value in params.items():
        name = f"{inside}{key}"
        if name in known or _asks_nothing(value):
            continue
        if not any(one.startswith(f"{name}.") for one in known):
            yield name
            continue
        for part in value if isinstance(value, list) else [value]:
            yield from _unknown(part, known, f"{name}.")


def _asks_nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_asks_nothing(one) for one in value.values())
    if isinstance(value, list):
        return all(_asks_nothing(one) for one in value)
    return value in NOTHING
