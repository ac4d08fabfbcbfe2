"""Which resources an action touches, each of which a policy has to permit.

From the AWS Service Authorization Reference, "Actions, resources, and condition keys for Amazon
EC2". A Describe that is not here has the one resource ``*``; the resources of any other
are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from localcloud.authorization.launches import template_id
from localcloud.ec2.backend.whole import Backend

Given = Mapping[str, Any]
# A kind as ARNs have it, and an id; a resource that does not exist yet has the id *
Resource = tuple[str, str]
Touched = Callable[[Backend, Given], list[Resource]]

NEW = "*"
# Kinds by the beginnings of ids, if moto has another name than ARNs have
KINDS = {**EC2_PREFIX_TO_RESOURCE, "sir": "spot-instances-request", "eipalloc": "elastic-ip"}


def _ids(given: Given, kind: str, *names: str) -> list[Resource]:
    resources: list[Resource] = []
    for name in names:
        value = given.get(name)
        some = value if isinstance(value, list) else [value] if value else []
        resources += [(kind, str(each)) for each in some]
    return resources


def _named(kind: str, *names: str) -> Touched:
    return lambda _backend, given: _ids(given, kind, *names)


def _of_attachment(backend: Backend, given: Given) -> list[Resource]:
    resources = _ids(given, "volume", "VolumeId") + _ids(given, "instance", "InstanceId")
    volume = backend.volumes.get(given.get("VolumeId", ""))
    if not given.get("InstanceId") and volume and volume.attachment:
        resources.append(("instance", volume.attachment.instance_id))
    return resources


def _of_association(backend: Backend, given: Given) -> list[Resource]:
    resources = _ids(given, "elastic-ip", "AllocationId")
    resources += _ids(given, "instance", "InstanceId")
    resources += _ids(given, "network-interface", "NetworkInterfaceId")
    for instance in backend.every_instance():
        if instance.id == given.get("InstanceId") and 0 in instance.nics:
            resources.append(("network-interface", instance.nics[0].id))
    return resources


def _of_disassociation(backend: Backend, given: Given) -> list[Resource]:
    for address in backend.addresses:
        if address.association_id and address.association_id == given.get("AssociationId"):
            nic = address.network_interface_id
            return [("elastic-ip", address.id), *([("network-interface", nic)] if nic else [])]
    return [("elastic-ip", str(given.get("AssociationId", NEW)))]


def _of_tags(_backend: Backend, given: Given) -> list[Resource]:
    # An id of no kind is like no ARN that a policy could have, but for *
    return [(KINDS.get(get_prefix(each), "unknown"), each) for each in given.get("Resources", [])]


def _of_instance_change(backend: Backend, given: Given) -> list[Resource]:
    return _ids(given, "instance", "InstanceId") + _ids(given, "security-group", "Groups")


def _made(kind: str, *rest: tuple[str, str]) -> Touched:
    """A new one of a kind, and what it is made of: kinds and the parameters that name them."""
    return lambda _backend, given: [
        (kind, NEW),
        *(each for of, name in rest for each in _ids(given, of, name)),
    ]


def _of_copied_image(_backend: Backend, given: Given) -> list[Resource]:
    return [("image", NEW), ("snapshot", NEW), *_ids(given, "image", "SourceImageId")]


def _of_copied_snapshot(_backend: Backend, given: Given) -> list[Resource]:
    return [("snapshot", NEW), *_ids(given, "snapshot", "SourceSnapshotId")]


def _of_snapshot_set(backend: Backend, given: Given) -> list[Resource]:
    ident = given.get("InstanceSpecification", {}).get("InstanceId", "")
    instance = backend.known(ident)
    volumes = backend.attached_to(instance) if instance else []
    return [
        ("snapshot", NEW),
        ("instance", ident or NEW),
        *(("volume", one.volume_id) for one in volumes),
    ]


def _of_fleet(backend: Backend, given: Given) -> list[Resource]:
    configs = given.get("LaunchTemplateConfigs", [])
    named = [config.get("LaunchTemplateSpecification", {}) for config in configs]
    return [("fleet", NEW), *(("launch-template", template_id(backend, one)) for one in named)]


def _of_run(backend: Backend, given: Given) -> list[Resource]:
    """The template; what is launched by it, or without one, is looked at beside this."""
    template = given.get("LaunchTemplate")
    return [("launch-template", template_id(backend, template))] if template else []


def _of_template(backend: Backend, given: Given) -> list[Resource]:
    return [("launch-template", template_id(backend, given))]


def _of_image(backend: Backend, given: Given) -> list[Resource]:
    return [("image", NEW), ("snapshot", NEW), *_ids(given, "instance", "InstanceId")]


ACTIONS: Mapping[str, Touched] = {
    "AllocateAddress": _made("elastic-ip"),
    "AssociateAddress": _of_association,
    "AttachVolume": _of_attachment,
    "CancelSpotInstanceRequests": _named("spot-instances-request", "SpotInstanceRequestIds"),
    "CopyImage": _of_copied_image,
    "CopySnapshot": _of_copied_snapshot,
    "CreateFleet": _of_fleet,
    "CreateImage": _of_image,
    "CreateLaunchTemplate": _made("launch-template"),
    "CreateLaunchTemplateVersion": _of_template,
    "CreateSnapshot": _made("snapshot", ("volume", "VolumeId")),
    "CreateSnapshots": _of_snapshot_set,
    "CreateTags": _of_tags,
    "CreateVolume": _made("volume", ("snapshot", "SnapshotId")),
    "DeleteFleets": _named("fleet", "FleetIds"),
    "DescribeFleetHistory": _named("fleet", "FleetId"),
    "DescribeFleetInstances": _named("fleet", "FleetId"),
    "DeleteLaunchTemplate": _of_template,
    "DeleteLaunchTemplateVersions": _of_template,
    "DeleteSnapshot": _named("snapshot", "SnapshotId"),
    "DeleteTags": _of_tags,
    "DeleteVolume": _named("volume", "VolumeId"),
    "DeregisterImage": _named("image", "ImageId"),
    "DescribeImageAttribute": _named("image", "ImageId"),
    "DescribeInstanceAttribute": _named("instance", "InstanceId"),
    "DescribeSnapshotAttribute": _named("snapshot", "SnapshotId"),
    "DescribeVolumeAttribute": _named("volume", "VolumeId"),
    "DetachVolume": _of_attachment,
    "DisassociateAddress": _of_disassociation,
    "GetConsoleOutput": _named("instance", "InstanceId"),
    "ModifyFleet": _named("fleet", "FleetId"),
    "ModifyInstanceAttribute": _of_instance_change,
    "ModifyInstanceMetadataOptions": _named("instance", "InstanceId"),
    "ModifyLaunchTemplate": _of_template,
    "ModifyVolume": _named("volume", "VolumeId"),
    "RebootInstances": _named("instance", "InstanceIds"),
    "ReleaseAddress": _named("elastic-ip", "AllocationId"),
    "RunInstances": _of_run,
    "StartInstances": _named("instance", "InstanceIds"),
    "StopInstances": _named("instance", "InstanceIds"),
    "TerminateInstances": _named("instance", "InstanceIds"),
}


def action_resources(backend: Backend, action: str, given: Given) -> list[Resource] | None:
    """The resources, none for an action that has none, and None if they are unknown."""
    of = ACTIONS.get(action)
    if of:
        # EC2 refuses a call that names nothing; a policy has to permit it on everything
        return of(backend, given) or ([] if action == "RunInstances" else None)
    return [] if action.startswith("Describe") else None


def tagged_at_birth(given: Given) -> Iterable[tuple[str, dict[str, str]]]:
    """Kinds and tags of a call that tags what it makes, which needs CreateTags too."""
    for each in given.get("TagSpecifications", []):
        yield str(each.get("ResourceType", "unknown")), tags(each.get("Tags", []))


def tags(given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in given if "Key" in each}
