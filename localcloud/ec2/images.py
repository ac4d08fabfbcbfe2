"""AMIs: only images that a machine can boot from exist here."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moto.ec2.models.amis import Ami

from localcloud.ec2.base import Base
from localcloud.ec2.filters import by_ids, select
from localcloud.machine import MachineImage

# Canonical's account, whose images cloudtop asks for on AWS
OWNER = "099720109477"
ROOT_DEVICE = "/dev/sda1"
# What the base image's file is made for; a root volume cannot be smaller
ROOT_GIB = 8

FILTERS = {
    "architecture": lambda image: image.architecture,
    "block-device-mapping.device-name": lambda image: image.root_device_name,
    "block-device-mapping.volume-type": lambda image: "gp3",
    "creation-date": lambda image: image.creation_date,
    "description": lambda image: image.description,
    "ena-support": lambda image: True,
    "hypervisor": lambda image: image.hypervisor,
    "image-id": lambda image: image.id,
    "image-type": lambda image: image.image_type,
    "is-public": lambda image: image.is_public,
    "name": lambda image: image.name,
    "owner-alias": lambda image: image.owner_alias,
    "owner-id": lambda image: image.owner_id,
    "root-device-name": lambda image: image.root_device_name,
    "root-device-type": lambda image: image.root_device_type,
    "state": lambda image: image.state,
    "virtualization-type": lambda image: image.virtualization_type,
}


def base_name(image: MachineImage, given: str) -> str:
    """An honest name: what the image was made from, never Canonical's own names."""
    digest = image.root.parent.name[:12]
    if given:
        return f"localcloud/{Path(given).name}-{digest}"
    release = platform.freedesktop_os_release()
    return f"localcloud/{release['ID']}-{release.get('VERSION_ID', 'rolling')}-amd64-{digest}"


def image_id(image: MachineImage) -> str:
    """The same for the same image, on every computer."""
    return f"ami-{hashlib.sha256(image.root.parent.name.encode()).hexdigest()[:17]}"


class Image(Ami):
    """An AMI; ``machine`` holds the files that it boots from."""

    def __init__(self, backend: Any, ami_id: str, name: str, machine: MachineImage) -> None:
        # Not moto's: it would make a volume and a snapshot
        self.ec2_backend = backend
        self.id = ami_id
        self.name = name
        self.machine = machine
        self.description = "Base image of the rehearsal cloud"
        self.state = "available"
        self.image_type = "machine"
        self.image_location = f"{OWNER}/{name}"
        self.owner_id = OWNER
        self.owner_alias = None
        self.architecture = "x86_64"
        self.virtualization_type = "hvm"
        self.hypervisor = "xen"
        self.platform = None
        self.platform_details = "Linux/UNIX"
        self.usage_operation = "RunInstances"
        self.root_device_name = ROOT_DEVICE
        self.root_device_type = "ebs"
        self.boot_mode = "uefi-preferred"
        self.sriov = self.sriov_net_support = "simple"
        self.ena_support = True
        self.imds_support = "v2.0"
        self.kernel_id = None
        self.instance_id = None
        self.creation_date = backend.now()
        self.product_codes: set[str] = set()
        self.launch_permissions = [{"Group": "all"}]

    @property
    def public(self) -> bool:
        return True

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return [
            {
                "DeviceName": self.root_device_name,
                "Ebs": {
                    "SnapshotId": f"snap-{self.id.removeprefix('ami-')}",
                    "VolumeSize": ROOT_GIB,
                    "DeleteOnTermination": True,
                    "VolumeType": "gp3",
                    "Encrypted": False,
                },
            }
        ]


class Images(Base):
    def _load_amis(self) -> None:
        """Moto would load 1301 images here, none of which any machine can boot."""

    def register_base(self) -> None:
        """The base image of now; one of before stays, for requests that name it,
        until its files are gone: an AMI that cannot boot must not exist."""
        machine = self.cloud.image
        current = image_id(machine)
        if current in self.amis:
            self.amis[current].machine = machine  # type: ignore[attr-defined]
        else:
            name = base_name(machine, self.cloud.config.base_image)
            self.amis[current] = Image(self, current, name, machine)
        for ident, image in list(self.amis.items()):
            if isinstance(image, Image) and not image.machine.root.exists():
                self.deregister_image(ident)

    def image(self, ami_id: str) -> Image:
        found = by_ids(self.amis, [ami_id], "InvalidAMIID.NotFound", "image id")[0]
        assert isinstance(found, Image)
        return found

    def images(self, params: Mapping[str, Any]) -> Sequence[Ami]:
        found = by_ids(self.amis, params.get("ImageIds", []), "InvalidAMIID.NotFound", "image id")
        owners = ["self" if o == self.account_id else o for o in params.get("Owners", [])]
        if owners:
            mine = self.account_id
            found = [
                image
                for image in found
                if image.owner_id in owners or ("self" in owners and image.owner_id == mine)
            ]
        return select(found, params.get("Filters", []), FILTERS)
