"""A launch specification, resolved: everything that a launch needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.ec2.records.image import Image
from localcloud.machines.interface import MachineImage

if TYPE_CHECKING:
    from moto.ec2.models.security_groups import SecurityGroup


@dataclass(frozen=True)
class LaunchPlan:
    """All of it exists and fits together. ``devices`` are EbsBlockDevice facts by name,
    the root device first; ``ephemeral`` are device names of instance-store disks by virtual name,
    those only that EC2 attaches; ``user_data`` is base64."""

    image: Image
    machine: MachineImage
    instance_type: str
    zone: str
    subnet_id: str
    groups: tuple[SecurityGroup, ...]
    key_name: str | None
    profile_name: str
    profile_arn: str
    profile_id: str
    user_data: str | None
    devices: Mapping[str, Mapping[str, Any]]
    ephemeral: Mapping[str, str]
    public_address: bool
    private_ip: str | None
    ebs_optimized: bool
    monitoring: bool
