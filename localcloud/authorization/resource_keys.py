"""The condition keys of a resource, as a policy can ask for them.

From the resource types of the AWS Service Authorization Reference for Amazon EC2; names are in
lower case, for the names of keys differ by no case. A resource that is not there has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.ec2.backend.whole import Backend

Keys = dict[str, str]


def _instance(backend: Backend, ident: str) -> Mapping[str, Any]:
    for one in backend.every_instance():
        if one.id == ident:
            return {
                "ec2:InstanceID": one.id,
                "ec2:InstanceProfile": (one.iam_instance_profile or {}).get("Arn"),
                "ec2:InstanceType": one.instance_type,
                "ec2:InstanceMarketType": one.lifecycle or "on-demand",
                "ec2:AvailabilityZone": one.availability_zone,
                "ec2:EbsOptimized": bool(one.ebs_optimized),
                "ec2:MetadataHttpTokens": one.metadata_options.http_tokens,
                "ec2:RootDeviceType": "ebs",
                "ec2:Tenancy": "default",
            }
    return {}


def _volume(backend: Backend, ident: str) -> Mapping[str, Any]:
    one = backend.volumes.get(ident)
    if one is None:
        return {}
    made_of = one.snapshot_id
    return {
        "ec2:VolumeID": one.id,
        "ec2:VolumeType": one.volume_type,
        "ec2:VolumeSize": one.size,
        "ec2:VolumeIops": one.iops,
        "ec2:VolumeThroughput": one.throughput,
        "ec2:Encrypted": bool(one.encrypted),
        "ec2:AvailabilityZone": one.availability_zone,
        "ec2:ParentSnapshot": resource_arn(backend, "snapshot", made_of) if made_of else None,
    }


def _snapshot(backend: Backend, ident: str) -> Mapping[str, Any]:
    one = backend.snapshots.get(ident)
    if one is None:
        return {}
    return {
        "ec2:SnapshotID": one.id,
        "ec2:Owner": one.owner_id,
        "ec2:VolumeSize": one.volume_size,
        "ec2:Encrypted": bool(one.encrypted),
    }


def _elastic_ip(backend: Backend, ident: str) -> Mapping[str, Any]:
    for one in backend.addresses:
        if one.id == ident:
            return {
                "ec2:AllocationId": one.id,
                "ec2:PublicIpAddress": one.public_ip,
                "ec2:Domain": one.domain,
            }
    return {}


def _network_interface(backend: Backend, ident: str) -> Mapping[str, Any]:
    for instance in backend.every_instance():
        for one in instance.nics.values():
            if one.id == ident:
                subnet = backend.get_subnet(one.subnet_id)
                return {
                    "ec2:NetworkInterfaceID": one.id,
                    "ec2:AvailabilityZone": instance.availability_zone,
                    "ec2:Subnet": backend.arn("subnet", subnet.id),
                    "ec2:Vpc": backend.arn("vpc", subnet.vpc_id),
                }
    return {}


def _image(backend: Backend, ident: str) -> Mapping[str, Any]:
    one = backend.amis.get(ident)
    if one is None:
        return {}
    return {"ec2:ImageID": one.id, "ec2:Owner": one.owner_id, "ec2:RootDeviceType": "ebs"}


def _security_group(backend: Backend, ident: str) -> Mapping[str, Any]:
    return {"ec2:SecurityGroupID": ident}


OF_KIND: Mapping[str, Callable[[Backend, str], Mapping[str, Any]]] = {
    "instance": _instance,
    "volume": _volume,
    "snapshot": _snapshot,
    "elastic-ip": _elastic_ip,
    "network-interface": _network_interface,
    "image": _image,
    "security-group": _security_group,
}


def keys_of(backend: Backend, kind: str, ident: str) -> Keys:
    of_kind = OF_KIND.get(kind)
    own = of_kind(backend, ident) if of_kind else {}
    keys = {
        name.lower(): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in own.items()
        if value not in (None, "")
    }
    for key, value in backend.tags.get(ident, {}).items():
        keys |= {f"{family}:resourcetag/{key.lower()}": value for family in ("aws", "ec2")}
    return keys


def resource_arn(backend: Backend, kind: str, ident: str) -> str:
    """Snapshots and images have no account in theirs."""
    account = "" if kind in ("snapshot", "image") else backend.account_id
    return f"arn:{backend.partition}:ec2:{backend.region_name}:{account}:{kind}/{ident}"
