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

# The same as names of parameters, with what RunInstances alone has
LAUNCH = (*dict.fromkeys(name.partition(".")[0] for name in _LAUNCH), "PrivateIpAddress")
_TEMPLATE = ("LaunchTemplateId", "LaunchTemplateName", "Version")
_OVERRIDE = (
    "AvailabilityZone", "BlockDeviceMappings", "IamInstanceProfile", "ImageId", "InstanceType",
    "KeyName", "MaxPrice", "MetadataOptions", "Priority", "SubnetId", "WeightedCapacity",
)  # fmt: skip
_CHOICE = (
    "AllocationStrategy", "MinTargetCapacity", "SingleAvailabilityZone", "SingleInstanceType",
)  # fmt: skip
_TARGET = (
    "DefaultTargetCapacityType", "OnDemandTargetCapacity", "SpotTargetCapacity",
    "TotalTargetCapacity",
)  # fmt: skip
_SPOT = ("InstanceInterruptionBehavior", "MaxPrice", "SpotInstanceType", "ValidUntil")

# The words of a launch template about a launch
_DATA = tuple(
    f"LaunchTemplateData.{name}"
    for name in (
        *(one for one in _LAUNCH if one != "SubnetId"), "DisableApiStop", "DisableApiTermination",
        "InstanceInitiatedShutdownBehavior", "MetadataOptions", "TagSpecifications",
        "InstanceMarketOptions.MarketType",
        *(f"InstanceMarketOptions.SpotOptions.{one}" for one in _SPOT),
    )
)  # fmt: skip

# By call, the names that its own code reads; a dot leads into a structure or a list of such
KNOWN: Mapping[str, frozenset[str]] = {
    "RunInstances": frozenset({
        *_LAUNCH, "ClientToken", "DisableApiStop", "DisableApiTermination", "MaxCount",
        "InstanceInitiatedShutdownBehavior", "MetadataOptions", "MinCount", "PrivateIpAddress",
        "TagSpecifications", "InstanceMarketOptions.MarketType",
        *(f"InstanceMarketOptions.SpotOptions.{name}" for name in _SPOT),
        *(f"LaunchTemplate.{name}" for name in _TEMPLATE),
    }),
    "CopyImage": frozenset({
        "ClientToken", "CopyImageTags", "Description", "Encrypted", "KmsKeyId", "Name",
        "SourceImageId", "SourceRegion", "TagSpecifications",
    }),
    # Clients sign a URL of the source region, which this cloud does not need: it has all regions
    "CopySnapshot": frozenset({
        "Description", "DestinationRegion", "Encrypted", "KmsKeyId", "PresignedUrl",
        "SourceRegion", "SourceSnapshotId", "TagSpecifications",
    }),
    "CreateNetworkInterface": frozenset({
        "ClientToken", "Description", "Groups", "Ipv6AddressCount", "Ipv6Addresses",
        "PrivateIpAddress", "PrivateIpAddresses", "SecondaryPrivateIpAddressCount", "SubnetId",
        "TagSpecifications",
    }),
    "CreateFleet": frozenset({
        "ClientToken", "ExcessCapacityTerminationPolicy", "TagSpecifications",
        "TerminateInstancesWithExpiration", "Type", "ValidFrom", "ValidUntil",
        *(f"LaunchTemplateConfigs.LaunchTemplateSpecification.{name}" for name in _TEMPLATE),
        *(f"LaunchTemplateConfigs.Overrides.{name}" for name in _OVERRIDE),
        *(f"OnDemandOptions.{name}" for name in _CHOICE),
        *(f"SpotOptions.{name}" for name in _CHOICE),
        "SpotOptions.InstanceInterruptionBehavior", "SpotOptions.InstancePoolsToUseCount",
        *(f"TargetCapacitySpecification.{name}" for name in _TARGET),
    }),
    "DeleteFleets": frozenset({"FleetIds", "TerminateInstances"}),
    "DescribeFleetHistory": frozenset({
        "EventType", "FleetId", "MaxResults", "NextToken", "StartTime",
    }),
    "DescribeFleetInstances": frozenset({"Filters", "FleetId", "MaxResults", "NextToken"}),
    "ModifyFleet": frozenset({
        "ExcessCapacityTerminationPolicy", "FleetId",
        *(f"TargetCapacitySpecification.{name}" for name in _TARGET),
    }),
    "DescribeFleets": frozenset({"Filters", "FleetIds", "MaxResults", "NextToken"}),
    "CreateLaunchTemplate": frozenset({
        "ClientToken", "LaunchTemplateName", "TagSpecifications", "VersionDescription", *_DATA,
    }),
    "CreateLaunchTemplateVersion": frozenset({
        "ClientToken", "LaunchTemplateId", "LaunchTemplateName", "SourceVersion",
        "VersionDescription", *_DATA,
    }),
    "ModifyLaunchTemplate": frozenset({
        "ClientToken", "DefaultVersion", "LaunchTemplateId", "LaunchTemplateName",
    }),
    "DeleteLaunchTemplate": frozenset({"LaunchTemplateId", "LaunchTemplateName"}),
    "DeleteLaunchTemplateVersions": frozenset({
        "LaunchTemplateId", "LaunchTemplateName", "Versions",
    }),
    "DescribeLaunchTemplateVersions": frozenset({
        "Filters", "LaunchTemplateId", "LaunchTemplateName", "MaxResults", "MaxVersion",
        "MinVersion", "NextToken", "Versions",
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
    "CreateSnapshots": frozenset({
        "CopyTagsFromSource", "Description", "InstanceSpecification.ExcludeBootVolume",
        "InstanceSpecification.ExcludeDataVolumeIds", "InstanceSpecification.InstanceId",
        "TagSpecifications",
    }),
    "AllocateAddress": frozenset({
        "Domain", "NetworkBorderGroup", "PublicIpv4Pool", "TagSpecifications",
    }),
    "CreateImage": frozenset({
        "BlockDeviceMappings", "Description", "InstanceId", "Name", "NoReboot",
        "TagSpecifications",
    }),
    "ModifyInstanceMetadataOptions": frozenset({
        "HttpEndpoint", "HttpProtocolIpv6", "HttpPutResponseHopLimit", "HttpTokens", "InstanceId",
        "InstanceMetadataTags",
    }),
    "ModifyVolume": frozenset({"Iops", "Size", "Throughput", "VolumeId", "VolumeType"}),
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
