"""Launch templates."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult

from localcloud.ec2.filters import page
from localcloud.ec2.responses.base import BaseResponses

# The longest page (API Reference, DescribeLaunchTemplates)
PAGE = 200


def _warned(shown: dict[str, Any], warnings: list[dict[str, str]]) -> ActionResult:
    return ActionResult({**shown, **({"Warning": {"Errors": warnings}} if warnings else {})})


class LaunchTemplateResponses(BaseResponses):
    def create_launch_template(self) -> ActionResult:
        template, warnings = self.backend.create_template(self.given)
        return _warned({"LaunchTemplate": template.shown}, warnings)

    def create_launch_template_version(self) -> ActionResult:
        template, version, warnings = self.backend.create_version(self.given)
        return _warned({"LaunchTemplateVersion": template.shown_version(version)}, warnings)

    def modify_launch_template(self) -> ActionResult:
        return ActionResult({"LaunchTemplate": self.backend.change_template(self.given).shown})

    def delete_launch_template(self) -> ActionResult:
        # Its tags are gone with it
        return ActionResult({"LaunchTemplate": self.backend.remove_template(self.given).shown})

    def delete_launch_template_versions(self) -> ActionResult:
        template, gone, kept = self.backend.remove_versions(self.given)
        named = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name}
        return ActionResult(
            {
                "SuccessfullyDeletedLaunchTemplateVersions": [
                    {**named, "VersionNumber": int(number)} for number in gone
                ],
                "UnsuccessfullyDeletedLaunchTemplateVersions": [
                    {
                        **named,
                        "VersionNumber": int(number) if number.isdigit() else None,
                        "ResponseError": {"Code": code, "Message": message},
                    }
                    for number, code, message in kept
                ],
            }
        )

    def describe_launch_templates(self) -> ActionResult:
        templates = self.backend.find_templates(self.given)
        shown, token = page([one.shown for one in templates], self.given, low=1, high=PAGE)
        return ActionResult({"LaunchTemplates": shown, "NextToken": token})

    def describe_launch_template_versions(self) -> ActionResult:
        versions = [
            template.shown_version(version)
            for template, version in self.backend.find_versions(self.given)
        ]
        shown, token = page(versions, self.given, low=1, high=PAGE)
        return ActionResult({"LaunchTemplateVersions": shown, "NextToken": token})

    def get_launch_template_data(self) -> ActionResult:
        instance = self.backend.instance(self.one("InstanceId") or "")
        return ActionResult({"LaunchTemplateData": self.backend.data_of(instance)})
