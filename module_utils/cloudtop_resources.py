"""A cloudtop's resources in EC2 as typed values, from its request to its images.

EC2's dictionaries, as boto3 returns them, end here: ``from_ec2`` makes a value of one. Fields have
EC2's names, sizes are GiB, and times are those of boto3, with their zone. EC2 leaves out what does
not apply; then a text is empty, a number 0, and a time None.

Standard library only, like ``cloudtop_rules``: Ansible's modules and the command line use both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Description = Mapping[str, Any]


def tags_of(description: Description | None) -> dict[str, str]:
    """The tags of a resource as a plain mapping."""
    return {tag["Key"]: tag["Value"] for tag in (description or {}).get("Tags") or []}


def profile_of(description: Description) -> str:
    """The name of the instance profile of a machine or launch specification; empty for none."""
    profile = description.get("IamInstanceProfile") or {}
    return str(profile.get("Name") or profile.get("Arn", "").rpartition("/")[2])


@dataclass(frozen=True)
class Request:
    """A spot instance request; type, image, key pair, profile and groups are those of its launch
    specification.

    ``spot_price`` is the bid in dollars an hour, ``type`` is ``persistent`` or ``one-time``.
    """

    spot_instance_request_id: str
    state: str = ""
    status_code: str = ""
    status_message: str = ""
    status_update_time: datetime | None = None
    type: str = ""
    spot_price: float = 0.0
    instance_interruption_behavior: str = "terminate"
    instance_id: str = ""
    instance_type: str = ""
    image_id: str = ""
    key_name: str = ""
    instance_profile: str = ""
    security_group_ids: tuple[str, ...] = ()
    availability_zone: str = ""
    create_time: datetime | None = None
    valid_until: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_ec2(cls, description: Description) -> Request:
        """From DescribeSpotInstanceRequests."""
        status = description.get("Status") or {}
        spec = description.get("LaunchSpecification") or {}
        groups = (str(group["GroupId"]) for group in spec.get("SecurityGroups") or [])
        return cls(
            spot_instance_request_id=description["SpotInstanceRequestId"],
            state=description.get("State", ""),
            status_code=status.get("Code", ""),
            status_message=status.get("Message", ""),
            status_update_time=status.get("UpdateTime"),
            type=description.get("Type", ""),
            spot_price=float(description.get("SpotPrice") or 0),
            instance_interruption_behavior=description.get(
                "InstanceInterruptionBehavior", "terminate"
            ),
            instance_id=description.get("InstanceId", ""),
            instance_type=spec.get("InstanceType", ""),
            image_id=spec.get("ImageId", ""),
            key_name=spec.get("KeyName", ""),
            instance_profile=profile_of(spec),
            security_group_ids=tuple(groups),
            availability_zone=(spec.get("Placement") or {}).get("AvailabilityZone", ""),
            create_time=description.get("CreateTime"),
            valid_until=description.get("ValidUntil"),
            tags=tags_of(description),
        )


@dataclass(frozen=True)
class Machine:
    """An instance; ``root_volume_id`` is empty while EC2 shows no root disk of it."""

    instance_id: str
    instance_type: str = ""
    state: str = ""
    availability_zone: str = ""
    public_ip_address: str = ""
    launch_time: datetime | None = None
    spot_instance_request_id: str = ""
    root_volume_id: str = ""
    image_id: str = ""
    instance_profile: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_ec2(cls, description: Description) -> Machine:
        """From DescribeInstances."""
        disks = {
            disk["DeviceName"]: (disk.get("Ebs") or {}).get("VolumeId", "")
            for disk in description.get("BlockDeviceMappings") or []
        }
        return cls(
            instance_id=description["InstanceId"],
            instance_type=description.get("InstanceType", ""),
            state=(description.get("State") or {}).get("Name", ""),
            availability_zone=(description.get("Placement") or {}).get("AvailabilityZone", ""),
            public_ip_address=description.get("PublicIpAddress") or "",
            launch_time=description.get("LaunchTime"),
            spot_instance_request_id=description.get("SpotInstanceRequestId", ""),
            root_volume_id=disks.get(description.get("RootDeviceName", ""), ""),
            image_id=description.get("ImageId", ""),
            instance_profile=profile_of(description),
            tags=tags_of(description),
        )


@dataclass(frozen=True)
class Attachment:
    """A volume's being at an instance."""

    instance_id: str
    delete_on_termination: bool = False


@dataclass(frozen=True)
class Volume:
    """An EBS volume; ``snapshot_id`` is what it was made of."""

    volume_id: str
    state: str = ""
    size: int = 0
    availability_zone: str = ""
    volume_type: str = ""
    encrypted: bool = False
    snapshot_id: str = ""
    create_time: datetime | None = None
    attachments: tuple[Attachment, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def instance_ids(self) -> list[str]:
        """The instances that it is attached to."""
        return [each.instance_id for each in self.attachments]

    @classmethod
    def from_ec2(cls, description: Description) -> Volume:
        """From DescribeVolumes."""
        return cls(
            volume_id=description["VolumeId"],
            state=description.get("State", ""),
            size=description.get("Size", 0),
            availability_zone=description.get("AvailabilityZone", ""),
            volume_type=description.get("VolumeType", ""),
            encrypted=bool(description.get("Encrypted")),
            snapshot_id=description.get("SnapshotId") or "",
            create_time=description.get("CreateTime"),
            attachments=tuple(
                Attachment(each["InstanceId"], bool(each.get("DeleteOnTermination")))
                for each in description.get("Attachments") or []
            ),
            tags=tags_of(description),
        )


@dataclass(frozen=True)
class Snapshot:
    """A snapshot; ``volume_size`` is the size of the disk it was taken of, ``progress`` is
    EC2's (say ``40%``)."""

    snapshot_id: str
    volume_id: str = ""
    volume_size: int = 0
    state: str = ""
    progress: str = ""
    start_time: datetime | None = None
    encrypted: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its label; empty for one that AWS took on a schedule."""
        return self.tags.get("cloudtop:label", "")

    @classmethod
    def from_ec2(cls, description: Description) -> Snapshot:
        """From DescribeSnapshots."""
        return cls(
            snapshot_id=description["SnapshotId"],
            volume_id=description.get("VolumeId", ""),
            volume_size=description.get("VolumeSize", 0),
            state=description.get("State", ""),
            progress=description.get("Progress", ""),
            start_time=description.get("StartTime"),
            encrypted=bool(description.get("Encrypted")),
            tags=tags_of(description),
        )


@dataclass(frozen=True)
class Image:
    """An AMI. ``creation_date`` is EC2's text, which sorts by time.

    ``size`` is the GiB of all its disks and ``root_size`` of the first; ``devices`` are their names
    and ``snapshot_ids`` what they are made of.
    """

    image_id: str
    name: str = ""
    creation_date: str = ""
    size: int = 0
    state: str = ""
    snapshot_ids: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""
    root_device_name: str = ""
    root_size: int = 0
    devices: tuple[str, ...] = ()

    @classmethod
    def from_ec2(cls, description: Description) -> Image:
        """From DescribeImages."""
        mapped = [each for each in description.get("BlockDeviceMappings") or [] if "Ebs" in each]
        disks = [each["Ebs"] for each in mapped]
        return cls(
            image_id=description["ImageId"],
            name=description.get("Name", ""),
            creation_date=description.get("CreationDate", ""),
            size=sum(disk.get("VolumeSize", 0) for disk in disks),
            state=description.get("State", ""),
            snapshot_ids=tuple(disk["SnapshotId"] for disk in disks if disk.get("SnapshotId")),
            tags=tags_of(description),
            architecture=description.get("Architecture", ""),
            root_device_name=description.get("RootDeviceName", ""),
            root_size=disks[0].get("VolumeSize", 0) if disks else 0,
            devices=tuple(each.get("DeviceName", "") for each in mapped),
        )


@dataclass(frozen=True)
class Disks:
    """Instance-store disks of one size, in GB."""

    count: int
    size_gb: int = 0


@dataclass(frozen=True)
class InstanceType:
    """A type of machine; ``architectures`` are as EC2 names them (``arm64``)."""

    instance_type: str
    vcpus: int = 0
    memory_mib: int = 0
    architectures: tuple[str, ...] = ()
    disks: tuple[Disks, ...] = ()
    nvme_support: str = ""
    usage_classes: tuple[str, ...] = ()

    @property
    def store_disks(self) -> int:
        """How many instance-store disks a machine of it has."""
        return sum(each.count for each in self.disks)

    @property
    def store_is_mapped(self) -> bool:
        """Whether a machine of it has only those disks that its launch mapped.

        These are not NVMe (types that run on Xen: c3, d2, h1, i2, m3, r3, x1 and others).
        """
        return self.nvme_support == "unsupported"

    @classmethod
    def from_ec2(cls, description: Description) -> InstanceType:
        """From DescribeInstanceTypes."""
        store = description.get("InstanceStorageInfo", {})
        return cls(
            instance_type=description["InstanceType"],
            vcpus=description.get("VCpuInfo", {}).get("DefaultVCpus", 0),
            memory_mib=description.get("MemoryInfo", {}).get("SizeInMiB", 0),
            architectures=tuple(
                description.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
            ),
            disks=tuple(
                Disks(each["Count"], each.get("SizeInGB", 0)) for each in store.get("Disks", [])
            ),
            nvme_support=store.get("NvmeSupport", ""),
            usage_classes=tuple(description.get("SupportedUsageClasses", [])),
        )


@dataclass(frozen=True)
class Address:
    """An Elastic IP; without an ``association_id`` it is at no instance."""

    allocation_id: str
    public_ip: str = ""
    association_id: str = ""
    instance_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_ec2(cls, description: Description) -> Address:
        """From DescribeAddresses."""
        return cls(
            allocation_id=description["AllocationId"],
            public_ip=description.get("PublicIp", ""),
            association_id=description.get("AssociationId", ""),
            instance_id=description.get("InstanceId", ""),
            tags=tags_of(description),
        )
