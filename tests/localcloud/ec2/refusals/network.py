"""Calls about networks, groups, keys, addresses and tags that EC2 refuses."""

from __future__ import annotations

from tests.localcloud.ec2.refusals.machines import Row
from tests.localcloud.ec2.refusals.world import GONE, port

ADDRESSES: list[Row] = [
    (
        "InvalidAllocationID.NotFound",
        "release_address",
        lambda _: {"AllocationId": GONE["allocation"]},
    ),
    ("InvalidIPAddress.InUse", "release_address", lambda w: {"AllocationId": w.allocation}),
    ("MissingParameter", "release_address", lambda _: {}),
    (
        "InvalidAllocationID.NotFound",
        "associate_address",
        lambda w: {"AllocationId": GONE["allocation"], "InstanceId": w.running},
    ),
    (
        "InvalidInstanceID.NotFound",
        "associate_address",
        lambda w: {"AllocationId": w.allocation, "InstanceId": GONE["instance"]},
    ),
    ("MissingParameter", "associate_address", lambda w: {"AllocationId": w.allocation}),
    (
        "InvalidNetworkInterfaceID.NotFound",
        "associate_address",
        lambda w: {"AllocationId": w.allocation, "NetworkInterfaceId": GONE["interface"]},
    ),
    (
        "InvalidAssociationID.NotFound",
        "disassociate_address",
        lambda _: {"AssociationId": GONE["association"]},
    ),
    (
        "InvalidAllocationID.NotFound",
        "describe_addresses",
        lambda _: {"AllocationIds": [GONE["allocation"]]},
    ),
]

GROUPS: list[Row] = [
    (
        "InvalidGroup.Duplicate",
        "create_security_group",
        lambda _: {"GroupName": "twice", "Description": "x"},
    ),
    (
        "InvalidVpcID.NotFound",
        "create_security_group",
        lambda _: {"GroupName": "g", "Description": "x", "VpcId": GONE["vpc"]},
    ),
    ("InvalidGroup.NotFound", "delete_security_group", lambda _: {"GroupId": GONE["group"]}),
    ("CannotDelete", "delete_security_group", lambda _: {"GroupName": "default"}),
    ("InvalidGroup.NotFound", "describe_security_groups", lambda _: {"GroupIds": [GONE["group"]]}),
    (
        "InvalidPermission.Duplicate",
        "authorize_security_group_ingress",
        lambda w: {"GroupId": w.group, **port(22)},
    ),
    (
        "InvalidParameterValue",
        "authorize_security_group_ingress",
        lambda w: {"GroupId": w.group, **port(23, "192.0.2.300/32")},
    ),
    (
        "InvalidGroup.NotFound",
        "authorize_security_group_ingress",
        lambda _: {"GroupId": GONE["group"], **port(23)},
    ),
    (
        "InvalidPermission.NotFound",
        "revoke_security_group_ingress",
        lambda w: {"GroupId": w.group, **port(24)},
    ),
]

NETWORKS: list[Row] = [
    ("InvalidKeyPair.Duplicate", "create_key_pair", lambda _: {"KeyName": "twice"}),
    ("InvalidKeyPair.NotFound", "describe_key_pairs", lambda _: {"KeyNames": ["none"]}),
    (
        "InvalidKey.Format",
        "import_key_pair",
        lambda _: {"KeyName": "none", "PublicKeyMaterial": b"no key"},
    ),
    ("InvalidVpcID.NotFound", "delete_vpc", lambda _: {"VpcId": GONE["vpc"]}),
    ("DependencyViolation", "delete_vpc", lambda w: {"VpcId": w.vpc}),
    ("InvalidVpcID.NotFound", "describe_vpcs", lambda _: {"VpcIds": [GONE["vpc"]]}),
    ("InvalidVpc.Range", "create_vpc", lambda _: {"CidrBlock": "10.0.0.0/8"}),
    (
        "InvalidVpcID.NotFound",
        "create_subnet",
        lambda _: {"VpcId": GONE["vpc"], "CidrBlock": "10.9.3.0/24"},
    ),
    (
        "InvalidSubnet.Conflict",
        "create_subnet",
        lambda w: {"VpcId": w.vpc, "CidrBlock": "10.9.1.0/25"},
    ),
    (
        "InvalidSubnet.Range",
        "create_subnet",
        lambda w: {"VpcId": w.vpc, "CidrBlock": "10.8.0.0/24"},
    ),
    ("InvalidSubnetID.NotFound", "delete_subnet", lambda _: {"SubnetId": GONE["subnet"]}),
    ("InvalidSubnetID.NotFound", "describe_subnets", lambda _: {"SubnetIds": [GONE["subnet"]]}),
    (
        "InvalidSubnetID.NotFound",
        "create_network_interface",
        lambda _: {"SubnetId": GONE["subnet"]},
    ),
    (
        "InvalidGroup.NotFound",
        "create_network_interface",
        lambda w: {"SubnetId": w.subnet, "Groups": [GONE["group"]]},
    ),
    (
        "InvalidNetworkInterfaceID.NotFound",
        "delete_network_interface",
        lambda _: {"NetworkInterfaceId": GONE["interface"]},
    ),
]

TAGS: list[Row] = [
    (
        "InvalidInstanceID.NotFound",
        "create_tags",
        lambda _: {"Resources": [GONE["instance"]], "Tags": [{"Key": "a", "Value": "b"}]},
    ),
    (
        "InvalidVolume.NotFound",
        "create_tags",
        lambda _: {"Resources": [GONE["volume"]], "Tags": [{"Key": "a", "Value": "b"}]},
    ),
    (
        "InvalidSnapshot.NotFound",
        "create_tags",
        lambda _: {"Resources": [GONE["snapshot"]], "Tags": [{"Key": "a", "Value": "b"}]},
    ),
    (
        "InvalidID",
        "create_tags",
        lambda _: {"Resources": ["vol-x"], "Tags": [{"Key": "a", "Value": "b"}]},
    ),
    (
        "InvalidParameterValue",
        "create_tags",
        lambda w: {"Resources": [w.volume], "Tags": [{"Key": "aws:a", "Value": "b"}]},
    ),
    (
        "TagLimitExceeded",
        "create_tags",
        lambda w: {
            "Resources": [w.volume],
            "Tags": [{"Key": str(number), "Value": ""} for number in range(51)],
        },
    ),
]
