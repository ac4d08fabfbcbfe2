"""The filters of DescribeInstanceTypes (API Reference): each name leads into the type's facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

NAMES = (
    "auto-recovery-supported", "bare-metal", "burstable-performance-supported",
    "current-generation", "dedicated-hosts-supported", "ebs-info.attachment-limit-type",
    "ebs-info.ebs-optimized-info.baseline-bandwidth-in-mbps",
    "ebs-info.ebs-optimized-info.baseline-iops",
    "ebs-info.ebs-optimized-info.baseline-throughput-in-mbps",
    "ebs-info.ebs-optimized-info.maximum-bandwidth-in-mbps",
    "ebs-info.ebs-optimized-info.maximum-iops",
    "ebs-info.ebs-optimized-info.maximum-throughput-in-mbps", "ebs-info.ebs-optimized-support",
    "ebs-info.encryption-support", "ebs-info.maximum-ebs-attachments", "ebs-info.nvme-support",
    "free-tier-eligible", "hibernation-supported", "hypervisor",
    "instance-storage-info.disk.count", "instance-storage-info.disk.size-in-gb",
    "instance-storage-info.disk.type", "instance-storage-info.encryption-support",
    "instance-storage-info.nvme-support", "instance-storage-info.total-size-in-gb",
    "instance-storage-supported", "instance-type", "memory-info.size-in-mib",
    "network-info.bandwidth-weightings", "network-info.efa-info.maximum-efa-interfaces",
    "network-info.efa-supported", "network-info.ena-support",
    "network-info.encryption-in-transit-supported",
    "network-info.flexible-ena-queues-support", "network-info.ipv4-addresses-per-interface",
    "network-info.ipv6-addresses-per-interface", "network-info.ipv6-supported",
    "network-info.maximum-network-cards", "network-info.maximum-network-interfaces",
    "network-info.network-performance", "nitro-enclaves-support",
    "nitro-tpm-info.supported-versions", "nitro-tpm-support",
    "processor-info.supported-architecture",
    "processor-info.supported-features", "processor-info.sustained-clock-speed-in-ghz",
    "reboot-migration-support", "supported-boot-mode", "supported-root-device-type",
    "supported-usage-class", "supported-virtualization-type", "vcpu-info.default-cores",
    "vcpu-info.default-threads-per-core", "vcpu-info.default-vcpus", "vcpu-info.valid-cores",
    "vcpu-info.valid-threads-per-core",
)  # fmt: skip


def _values(facts: Any, path: tuple[str, ...]) -> Iterable[Any]:
    """All values at the end of the path, through each list on the way."""
    if isinstance(facts, list):
        return [value for one in facts for value in _values(one, path)]
    if not path or facts is None:
        return [] if facts is None else [facts]
    return _values(_member(facts, path[0]), path[1:])


def _member(facts: Mapping[str, Any], name: str) -> Any:
    """``size-in-gb`` is SizeInGB; a list has the plural: ``disk`` is Disks."""
    word = name.replace("-", "")
    wanted = (word, f"{word}s", f"{word}es")
    return next((value for key, value in facts.items() if key.lower() in wanted), None)


def _at(path: tuple[str, ...], facts: Any) -> object:
    return list(_values(facts, path))


TYPE_FILTERS: Mapping[str, Callable[[Any], object]] = {
    name: partial(_at, tuple(name.split("."))) for name in NAMES
}
