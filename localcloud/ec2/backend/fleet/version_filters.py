"""The filters of DescribeLaunchTemplates and DescribeLaunchTemplateVersions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

TEMPLATE_FILTERS: Mapping[str, Callable[[Any], object]] = {
    "create-time": lambda t: t.create_time,
    "launch-template-name": lambda t: t.name,
}


def _data(*path: str) -> Callable[[Any], object]:
    def seen(version: Any) -> object:
        value = version["LaunchTemplateData"]
        for name in path:
            value = (value or {}).get(name)
        return value

    return seen


# They look at a version as it is shown
VERSION_FILTERS: Mapping[str, Callable[[Any], object]] = {
    "create-time": lambda v: v["CreateTime"],
    "ebs-optimized": _data("EbsOptimized"),
    "http-endpoint": _data("MetadataOptions", "HttpEndpoint"),
    "http-protocol-ipv4": lambda v: None,
    "host-resource-group-arn": lambda v: None,
    "http-tokens": _data("MetadataOptions", "HttpTokens"),
    "iam-instance-profile": lambda v: list(
        (v["LaunchTemplateData"].get("IamInstanceProfile") or {}).values()
    ),
    "image-id": _data("ImageId"),
    "instance-type": _data("InstanceType"),
    "is-default-version": lambda v: v["DefaultVersion"],
    "kernel-id": lambda v: None,
    "license-configuration-arn": lambda v: None,
    "network-card-index": lambda v: None,
    "ram-disk-id": lambda v: None,
}
