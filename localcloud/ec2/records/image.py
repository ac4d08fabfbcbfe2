"""One AMI: only images that a machine can boot from exist here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.ec2.models.amis import Ami

from localcloud.ec2.errors import refusal
from localcloud.machines.interface import MachineImage

# Canonical's account, whose images cloudtop asks for on AWS
OWNER = "099720109477"
ROOT_DEVICE = "/dev/sda1"
# The size of the base image's disk; a root volume cannot be smaller
ROOT_GIB = 8


@dataclass(frozen=True)
class Traits:
    """Facts that an instance has from its image, and hands on to an image made of it."""

    root_device_name: str
    boot_mode: str | None = None
    ena_support: bool = False
    imds_support: str | None = None
    sriov_net_support: str | None = None
    architecture: str = "x86_64"


class Image(Ami):
    """An AMI. ``block_device_mappings`` are as DescribeImages shows them."""

    def __init__(
        self, backend: Any, ami_id: str, name: str, owner: str, traits: Traits,
        description: str | None = None,
    ) -> None:  # fmt: skip
        # Not moto's: it would make a volume and a snapshot
        self.ec2_backend = backend
        self.id = ami_id
        self.name = name
        self.description = description
        self.image_type = "machine"
        self.image_location = f"{owner}/{name}"
        self.owner_id = owner
        self.owner_alias = None
        self.architecture = traits.architecture
        self.virtualization_type = "hvm"
        self.hypervisor = "xen"
        self.platform = None
        self.platform_details = "Linux/UNIX"
        self.usage_operation = "RunInstances"
        self.root_device_name = traits.root_device_name
        self.root_device_type = "ebs"
        self.boot_mode = traits.boot_mode  # type: ignore[assignment]
        self.sriov_net_support = traits.sriov_net_support
        self.ena_support = traits.ena_support
        self.imds_support = traits.imds_support
        self.kernel_id = None
        self.instance_id = None
        self.source_image_id: str | None = None
        self.source_image_region: str | None = None
        self.creation_date = backend.now()
        self.product_codes: set[str] = set()
        self.launch_permissions: list[dict[str, str]] = []

    @property
    def traits(self) -> Traits:
        return Traits(
            root_device_name=self.root_device_name,
            boot_mode=self.boot_mode,
            ena_support=self.ena_support,
            imds_support=self.imds_support,
            sriov_net_support=self.sriov_net_support,
            architecture=self.architecture or "",
        )

    @property
    def public(self) -> bool:
        return self.is_public

    @property
    def state(self) -> str:  # type: ignore[override]
        return "available"

    @property
    def state_reason(self) -> dict[str, str] | None:
        return None

    @property
    def root(self) -> Mapping[str, Any]:
        """The root device's part of the mapping."""
        return next(
            dict(entry["Ebs"])
            for entry in self.block_device_mappings
            if entry["DeviceName"] == self.root_device_name
        )

    @property
    def snapshot_ids(self) -> list[str]:
        """Ids of snapshots that have to stay as long as the image."""
        return []

    def boots_from(self) -> MachineImage:
        """Raises EC2's error when its files are gone."""
        raise NotImplementedError

    def require_host(self) -> None:
        """Raises an error if this computer runs no machine of the image's architecture."""
        if reason := self.ec2_backend.cloud.host.hindrance(self.architecture):
            raise refusal(
                "UnsupportedOperation",
                f"The rehearsal cloud cannot run {self.architecture} machines: {reason}",
            )


class BaseImage(Image):
    """The image that machines begin with; ``machine`` holds the files that it boots from."""

    def __init__(
        self, backend: Any, ami_id: str, name: str, machine: MachineImage, architecture: str
    ) -> None:
        mode = "uefi-preferred" if architecture == "x86_64" else "uefi"
        traits = Traits(ROOT_DEVICE, mode, True, "v2.0", "simple", architecture)
        super().__init__(backend, ami_id, name, OWNER, traits, "Base image of the rehearsal cloud")
        self.machine = machine
        self.launch_permissions = [{"Group": "all"}]

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

    def boots_from(self) -> MachineImage:
        return self.machine
