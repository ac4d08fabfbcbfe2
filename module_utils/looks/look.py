"""One look at EC2 that the roles of a play go by: what it showed, while it is fresh. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible.module_utils.cloudtop_resources import Image, InstanceType, Volume
from ansible.module_utils.ec2_ours import Cloudtop, has_tags, own_instances
from ansible.module_utils.ec2_requests import Picture, picture

# After that much time a look is one of the past: whoever goes by it looks anew
FRESH_SECONDS = 30.0
# Fields of EC2's descriptions that are times
TIMES = frozenset({"CreateTime", "LaunchTime", "StartTime", "UpdateTime", "ValidUntil"})
WHOSE = ("name", "owner", "region")


class NotShownError(Exception):
    """The look does not have a part: it was not looked at, or AWS did not answer."""


@dataclass(frozen=True)
class Look:
    """The parts that AWS answered, as it describes them, of one cloudtop."""

    cloudtop: Cloudtop
    parts: Mapping[str, Any]

    @classmethod
    def of(cls, shown: Mapping[str, Any], cloudtop: Cloudtop, now: float) -> Look | None:
        """The look of a fact; None for one of another cloudtop, or of the past.

        ``now`` is seconds since 1970, as the fact's ``at``.
        """
        whose = (cloudtop.name, cloudtop.owner, cloudtop.region)
        if tuple(shown.get(key) for key in WHOSE) != whose:
            return None
        if not 0 <= now - float(shown["at"]) <= FRESH_SECONDS:
            return None
        return cls(cloudtop, shown["parts"])

    def part(self, name: str) -> Any:
        """A part as AWS describes it. Raises NotShownError."""
        if name not in self.parts:
            raise NotShownError(name)
        return with_times(self.parts[name])

    def own(self, name: str) -> list[dict[str, Any]]:
        """Those of a part with exactly the cloudtop's tags."""
        return [each for each in self.part(name) if has_tags(each, self.cloudtop.identity)]

    @property
    def volumes(self) -> list[Volume]:
        return [Volume.from_ec2(each) for each in self.part("volumes")]

    @property
    def images(self) -> list[Image]:
        return [Image.from_ec2(each) for each in self.part("images")]

    @property
    def picture(self) -> Picture:
        """The requests and their instances; a root disk that is not ours yet has no tags."""
        asked, identity = self.part("requests"), self.cloudtop.identity
        requests = [each for each in asked["requests"] if has_tags(each, identity)]
        ids = [each["SpotInstanceRequestId"] for each in requests]
        instances = own_instances([*asked["instances"], *self.part("instances")], identity, ids)
        disks = {each["VolumeId"]: each for each in self.part("volumes")}
        return picture(requests, instances, lambda ident: disks.get(ident, {}))

    def disks(self, instance_type: str) -> int:
        """How many instance-store disks a machine of the type has. Raises NotShownError."""
        known = [InstanceType.from_ec2(each) for each in self.part("types")]
        for each in known:
            if each.instance_type == instance_type:
                return int(each.store_disks)
        raise NotShownError(instance_type)


def with_times(value: Any) -> Any:
    """AWS's descriptions with times as boto3 has them, from those that a fact holds as text."""
    if isinstance(value, Mapping):
        return {
            str(key): datetime.fromisoformat(each) if key in TIMES and each else with_times(each)
            for key, each in value.items()
        }
    return [with_times(each) for each in value] if isinstance(value, list) else value
