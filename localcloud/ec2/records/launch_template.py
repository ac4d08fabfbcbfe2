"""One launch template and its versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.ec2.utils import random_launch_template_id

from localcloud.ec2.errors import refusal
from localcloud.ec2.filters import tags_of


@dataclass(frozen=True, eq=False)
class TemplateVersion:
    """``data`` has the names of RequestLaunchTemplateData."""

    number: int
    data: Mapping[str, Any]
    description: str
    create_time: datetime


class LaunchTemplate:
    """Numbers of versions are never used again, also if those are deleted."""

    def __init__(self, backend: Any, name: str) -> None:
        self.ec2_backend = backend
        self.id = random_launch_template_id()
        self.name = name
        self.create_time: datetime = backend.now()
        self.versions: dict[int, TemplateVersion] = {}
        self.default_version_number = 1
        self._given = 0

    def add(self, data: Mapping[str, Any], description: str) -> TemplateVersion:
        self._given += 1
        version = TemplateVersion(self._given, data, description, self.ec2_backend.now())
        self.versions[version.number] = version
        self.ec2_backend.touch()
        return version

    @property
    def latest_version_number(self) -> int:
        return max(self.versions)

    def version(self, text: str) -> TemplateVersion:
        """The version of that number, or $Latest or $Default. Raises EC2's error."""
        named = {"$Latest": self.latest_version_number, "$Default": self.default_version_number}
        number = named.get(text) or (int(text) if text.isascii() and text.isdigit() else 0)
        if number not in self.versions:
            raise refusal(
                "InvalidLaunchTemplateId.VersionNotFound",
                f"Could not find the specified version {text} for the launch template with ID"
                f" {self.id}.",
            )
        return self.versions[number]

    # --- as DescribeLaunchTemplates and DescribeLaunchTemplateVersions show it

    @property
    def _shown(self) -> dict[str, Any]:
        backend = self.ec2_backend
        return {
            "LaunchTemplateId": self.id,
            "LaunchTemplateName": self.name,
            "CreatedBy": f"arn:{backend.partition}:iam::{backend.account_id}:root",
        }

    @property
    def shown(self) -> dict[str, Any]:
        return {
            **self._shown,
            "CreateTime": self.create_time,
            "DefaultVersionNumber": self.default_version_number,
            "LatestVersionNumber": self.latest_version_number,
            "Tags": [{"Key": key, "Value": value} for key, value in tags_of(self).items()],
        }

    def shown_version(self, version: TemplateVersion) -> dict[str, Any]:
        return {
            **self._shown,
            "VersionNumber": version.number,
            "VersionDescription": version.description or None,
            "CreateTime": version.create_time,
            "DefaultVersion": version.number == self.default_version_number,
            "LaunchTemplateData": version.data,
        }
