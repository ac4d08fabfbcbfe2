"""CloudFormation's stacks in front of the rehearsal cloud: which resources one may have.

Moto makes each by a function of its own, reads some of its properties, drops the others, and knows
nothing of machines: what a machine has or is made of is refused before anything is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.cloudformation import models
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import ResourceMap
from moto.ec2.models import ec2_backends
from moto.ec2.models.core import TaggedEC2Resource

from localcloud.ec2.backend.whole import Backend

# Those of the services that are here
REHEARSED = ("AWS::EC2::", "AWS::IAM::", "AWS::Logs::", "AWS::S3::", "AWS::SSM::")
MACHINES = frozenset(
    f"AWS::EC2::{name}"
    for name in (
        "EC2Fleet", "EIP", "EIPAssociation", "Instance", "LaunchTemplate", "NatGateway",
        "NetworkInterface", "SpotFleet", "Volume", "VolumeAttachment",
    )
)  # fmt: skip


class _UsersTags(dict[str, Any]):
    """Takes none of a service."""

    def __setitem__(self, key: str, value: Any) -> None:
        if not key.startswith("aws:"):
            super().__setitem__(key, value)

    def update(self, other: Mapping[str, Any]) -> None:  # type: ignore[override]
        for key, value in other.items():
            self[key] = value


class Resources(ResourceMap):
    """Implements ``moto.cloudformation.models.ResourceMap``."""

    def load(self) -> None:
        _require_rehearsed(self._template)
        super().load()

    def create(self, template: dict[str, Any]) -> bool:
        """Moto gives CloudFormation's own tags by the call that refuses users such keys."""
        self.tags = _UsersTags(self.tags)
        ready = super().create(template)
        for name, resource in list(self._parsed_resources.items()):
            if isinstance(resource, TaggedEC2Resource):
                tags = {
                    "aws:cloudformation:stack-name": str(self["AWS::StackName"]),
                    "aws:cloudformation:stack-id": str(self["AWS::StackId"]),
                    "aws:cloudformation:logical-id": name,
                }
                backend = ec2_backends[self._account_id][self._region_name]
                assert isinstance(backend, Backend)
                backend.tag_for_service(getattr(resource, "physical_resource_id", name), tags)
        return ready

    def update(self, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        _require_rehearsed(template)
        super().update(template, parameters)


def _require_rehearsed(template: Mapping[str, Any]) -> None:
    for name, resource in template.get("Resources", {}).items():
        kind = resource.get("Type", "")
        if kind in MACHINES or not kind.startswith(REHEARSED):
            raise ValidationError(
                message=f"The rehearsal cloud does not support {kind}, as {name} is, in a stack."
            )


def require_rehearsed_stacks() -> None:
    """Have moto refuse stacks with other resources."""
    vars(models)["ResourceMap"] = Resources
