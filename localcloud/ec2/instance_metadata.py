"""The instance metadata of one instance (EC2 User Guide, "Instance metadata categories").

Pure: everything that a listing names is there, for a 404 costs cloud-init minutes.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from localcloud.ec2.backend.whole import Backend
from localcloud.ec2.instance_types import facts
from localcloud.ec2.launch.credentials import current
from localcloud.ec2.records.instance import Instance
from localcloud.machines.interface import MetadataTree

Tree = dict[str, MetadataTree | str]


def _time(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _known(tree: dict[str, Any]) -> Tree:
    return {name: value for name, value in tree.items() if value not in (None, "", {})}


def _interface(backend: Backend, instance: Instance) -> Tree:
    nic = instance.nics[0]
    subnet = backend.get_subnet(nic.subnet_id)
    vpc = backend.get_vpc(subnet.vpc_id)
    block = vpc.cidr_block if vpc else ""
    private, public = instance.private_ip_address or "", instance.address or ""
    return _known(
        {
            "device-number": "0",
            "interface-id": nic.id,
            "ipv4-associations": {public: private} if public else {},
            "local-hostname": instance.private_dns_name,
            "local-ipv4s": private,
            "mac": instance.mac_address,
            "owner-id": backend.account_id,
            "public-hostname": instance.public_dns_name,
            "public-ipv4s": public,
            "security-group-ids": "\n".join(group.id for group in instance.security_groups),
            "security-groups": "\n".join(group.name for group in instance.security_groups),
            "subnet-id": subnet.id,
            "subnet-ipv4-cidr-block": subnet.cidr_block,
            "vpc-id": subnet.vpc_id,
            "vpc-ipv4-cidr-block": block,
            "vpc-ipv4-cidr-blocks": block,
        }
    )


def _iam(backend: Backend, instance: Instance) -> Tree:
    profile = instance.iam_instance_profile
    if not profile:
        return {}
    given = current(instance, backend.now())
    info = {
        "Code": "Success",
        "LastUpdated": _time(given.issued),
        "InstanceProfileArn": profile["Arn"],
        "InstanceProfileId": profile["Id"],
    }
    credentials = {
        "Code": "Success",
        "LastUpdated": _time(given.issued),
        "Type": "AWS-HMAC",
        "AccessKeyId": given.access_key,
        "SecretAccessKey": given.secret_key,
        "Token": given.token,
        "Expiration": _time(given.expires),
    }
    role = backend.role_of(instance)
    return {
        "info": json.dumps(info, indent=2),
        "security-credentials": {role: json.dumps(credentials, indent=2)} if role else {},
    }


def _devices(backend: Backend, instance: Instance) -> Tree:
    root = instance.root_device_name
    # EC2 lists what was mapped at launch; what was attached later is not in it
    mapped = [
        one.device.removeprefix("/dev/")
        for one in backend.attached_to(instance)
        if one.delete_on_termination and one.device != root
    ]
    extra = {f"ebs{number}": name for number, name in enumerate(mapped, start=1)}
    return {"ami": root, "root": root, **extra, **instance.ephemeral}


def _public_keys(backend: Backend, instance: Instance) -> Tree:
    pair = backend.key_pairs.get(instance.key_name or "")
    if pair is None:
        return {}
    return {f"0={pair.key_name}": {"openssh-key": pair.public_key.strip() + "\n"}}


def _spot(instance: Instance) -> Tree:
    notice = instance.spot_notice
    if notice is None:
        return {}
    branch: Tree = {"instance-action": json.dumps(notice)}
    if notice["action"] == "terminate":
        branch["termination-time"] = notice["time"]
    return branch


def _events(instance: Instance) -> Tree:
    branch: Tree = {"maintenance": {"history": "[]", "scheduled": "[]"}}
    if instance.rebalance:
        notice = json.dumps({"noticeTime": instance.rebalance})
        branch["recommendations"] = {"rebalance": notice}
    return branch


def _document(backend: Backend, instance: Instance) -> str:
    facts = {
        "accountId": backend.account_id,
        "architecture": instance.architecture,
        "availabilityZone": instance.availability_zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "kernelId": None,
        "marketplaceProductCodes": None,
        "pendingTime": _time(instance.launch_time),
        "privateIp": instance.private_ip_address,
        "ramdiskId": None,
        "region": backend.region_name,
        "version": "2017-09-30",
    }
    return json.dumps(facts, indent=2)


def tree(backend: Backend, instance: Instance) -> MetadataTree:
    """The tree that a machine sees below /latest."""
    zone = backend.zone(instance.availability_zone or "")
    tags = backend.tags.get(instance.id, {})
    opted_in = instance.metadata_options.instance_metadata_tags == "enabled"
    meta = {
        "ami-id": instance.image_id,
        "ami-launch-index": str(instance.ami_launch_index),
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": _devices(backend, instance),
        "events": _events(instance),
        "hibernation": {"configured": "false"},
        "hostname": instance.private_dns_name,
        "iam": _iam(backend, instance),
        "instance-action": "none",
        "instance-id": instance.id,
        "instance-life-cycle": instance.lifecycle or "on-demand",
        "instance-type": instance.instance_type,
        "local-hostname": instance.private_dns_name,
        "local-ipv4": instance.private_ip_address,
        "mac": instance.mac_address,
        "network": {"interfaces": {"macs": {instance.mac_address: _interface(backend, instance)}}},
        "placement": {
            "availability-zone": zone.name,
            "availability-zone-id": zone.zone_id,
            "region": backend.region_name,
        },
        "profile": "default-hvm",
        "public-hostname": instance.public_dns_name,
        "public-ipv4": instance.address,
        "public-keys": _public_keys(backend, instance),
        "reservation-id": backend.reservation_of(instance),
        "security-groups": "\n".join(group.name for group in instance.security_groups),
        "services": {"domain": "amazonaws.com", "partition": backend.partition},
        "spot": _spot(instance),
        "system": facts(instance.instance_type).get("Hypervisor", "nitro"),
        "tags": {"instance": dict(tags)} if opted_in and tags else {},
    }
    latest: Tree = {
        "dynamic": {"instance-identity": {"document": _document(backend, instance)}},
        "meta-data": _known(meta),
    }
    if instance.user_data:
        # Bytes that are no text, such as a gzip, come through as surrogates
        latest["user-data"] = base64.b64decode(str(instance.user_data)).decode(
            errors="surrogateescape"
        )
    return latest
