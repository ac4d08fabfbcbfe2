"""The filters of DescribeImages, and the values that they look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _ebs(key: str) -> Callable[[Any], object]:
    return lambda image: [
        mapped["Ebs"].get(key) for mapped in image.block_device_mappings if "Ebs" in mapped
    ]


def _reason(key: str) -> Callable[[Any], object]:
    return lambda image: (image.state_reason or {}).get(key)


def _nothing(_image: Any) -> object:
    """For a filter by something that no image of the rehearsal cloud has."""
    return None


FILTERS: dict[str, Callable[[Any], object]] = {
    "architecture": lambda image: image.architecture,
    "block-device-mapping.delete-on-termination": _ebs("DeleteOnTermination"),
    "block-device-mapping.device-name": lambda image: [
        mapped["DeviceName"] for mapped in image.block_device_mappings
    ],
    "block-device-mapping.encrypted": _ebs("Encrypted"),
    "block-device-mapping.snapshot-id": _ebs("SnapshotId"),
    "block-device-mapping.volume-size": _ebs("VolumeSize"),
    "block-device-mapping.volume-type": _ebs("VolumeType"),
    "boot-mode": lambda image: image.boot_mode,
    "creation-date": lambda image: image.creation_date,
    "description": lambda image: image.description,
    "ena-support": lambda image: image.ena_support,
    "free-tier-eligible": lambda image: False,
    "hypervisor": lambda image: image.hypervisor,
    "image-allowed": lambda image: True,
    "image-id": lambda image: image.id,
    "image-type": lambda image: image.image_type,
    "is-public": lambda image: image.is_public,
    "kernel-id": _nothing,
    "manifest-location": lambda image: image.image_location,
    "name": lambda image: image.name,
    "owner-alias": lambda image: image.owner_alias,
    "owner-id": lambda image: image.owner_id,
    "platform": _nothing,
    "product-code": _nothing,
    "product-code.type": _nothing,
    "ramdisk-id": _nothing,
    "root-device-name": lambda image: image.root_device_name,
    "root-device-type": lambda image: image.root_device_type,
    "source-image-id": lambda image: image.source_image_id,
    "source-image-region": lambda image: image.source_image_region,
    "source-instance-id": lambda image: image.instance_id,
    "sriov-net-support": lambda image: image.sriov_net_support,
    "state": lambda image: image.state,
    "state-reason-code": _reason("Code"),
    "state-reason-message": _reason("Message"),
    "virtualization-type": lambda image: image.virtualization_type,
}
for _name in (
    "image-watermark.source-image-creation-time", "image-watermark.source-image-id",
    "image-watermark.source-image-region", "image-watermark.watermark-creation-time",
    "image-watermark.watermark-key", "instance-type-specification.supported-instance-type",
    "instance-type-specification.unsupported-instance-type", "public-ssm-parameter-name",
    "scan-result.critical-fix-available-since", "scan-result.finding-scan-date",
    "scan-result.high-fix-available-since", "scan-result.highest-finding-severity-label",
    "scan-result.informational-fix-available-since", "scan-result.low-fix-available-since",
    "scan-result.medium-fix-available-since",
):  # fmt: skip
    FILTERS[_name] = _nothing
