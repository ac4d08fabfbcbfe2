"""One look at a cloudtop's spot requests and their instances, and a wait with one deadline."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.ec2_ours import generation_of, instances_of, requests_of
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import describe_volumes

POLL_SECONDS = 3


@dataclass(frozen=True)
class Request:
    """A spot request as EC2 shows it, and its instance as ``shown_instance`` shows that."""

    ec2: dict[str, Any]
    instance: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.ec2["SpotInstanceRequestId"])

    @property
    def state(self) -> str:
        return str(rules.state_of(self.ec2))

    @property
    def code(self) -> str:
        return str(rules.code_of(self.ec2))

    @property
    def message(self) -> str:
        """EC2's own words, without a full stop."""
        return str((self.ec2.get("Status") or {}).get("Message", "")).removesuffix(".")

    @property
    def instance_type(self) -> str:
        return str((self.ec2.get("LaunchSpecification") or {}).get("InstanceType", ""))

    @property
    def generation(self) -> int:
        return int(generation_of(self.ec2))

    @property
    def is_live(self) -> bool:
        return bool(rules.is_live(self.ec2))

    @property
    def lacking(self) -> bool:
        """Whether EC2 has no machine for it now."""
        return bool(rules.is_lacking(self.ec2, bool(self.instance)))

    @property
    def verdict(self) -> str:
        return str(rules.verdict(self.ec2, self.instance.get("state", "")))

    def shown(self) -> dict[str, Any]:
        """The request in a module's result."""
        spec = self.ec2.get("LaunchSpecification") or {}
        valid_until = self.ec2.get("ValidUntil")
        return {
            "id": self.id,
            "kind": self.ec2.get("Type", ""),
            "state": self.state,
            "code": self.code,
            "message": (self.ec2.get("Status") or {}).get("Message", ""),
            "instance_id": self.ec2.get("InstanceId", ""),
            "generation": self.generation,
            "bid": float(self.ec2.get("SpotPrice") or 0),
            "interruption": self.ec2.get("InstanceInterruptionBehavior", "terminate"),
            "instance_type": self.instance_type,
            "image": spec.get("ImageId", ""),
            "key_name": spec.get("KeyName", ""),
            "security_groups": sorted(group["GroupId"] for group in spec.get("SecurityGroups", [])),
            "valid_until": valid_until.isoformat() if isinstance(valid_until, datetime) else "",
            "instance": self.instance,
            "lacking": self.lacking,
        }


@dataclass(frozen=True)
class Picture:
    """All that EC2 showed at one look."""

    requests: list[Request]
    # Ids of all our instances, those that are gone too while EC2 remembers them
    instances: list[str] = field(default_factory=list)
    # Ids of those that are not gone and of no live request
    orphans: list[dict[str, Any]] = field(default_factory=list)

    @property
    def live(self) -> list[Request]:
        return [each for each in self.requests if each.is_live]

    @property
    def dead(self) -> list[Request]:
        return [each for each in self.requests if not each.is_live]

    def request(self, request_id: str) -> Request | None:
        """The request of that id, live or dead; None while EC2 does not show it."""
        return next((each for each in self.requests if each.id == request_id), None)

    def shown(self, verdict: str) -> dict[str, Any]:
        """The picture in a module's result."""
        return {
            "live": [each.shown() for each in self.live],
            "dead": [each.shown() for each in self.dead],
            "instances": self.instances,
            "orphans": self.orphans,
            "verdict": verdict,
        }


def look(client: Any, tags: dict[str, str]) -> Picture:
    """All requests with their newest instance, and the instances of no live request."""
    requests = requests_of(client, tags)
    live = {each["SpotInstanceRequestId"]: each for each in requests if rules.is_live(each)}
    instances = instances_of(client, tags, [each["SpotInstanceRequestId"] for each in requests])
    orphans, machines = [], {}
    for instance in instances:
        request = live.get(instance.get("SpotInstanceRequestId", ""))
        if rules.machine_state(instance) in rules.GONE:
            continue
        if request is None:
            orphans.append(shown_instance(client, instance))
        # A reaped instance runs two minutes beside the one that replaces it
        elif request.get("InstanceId", "") in ("", instance["InstanceId"]):
            machines[request["SpotInstanceRequestId"]] = shown_instance(client, instance)
    return Picture(
        [Request(each, machines.get(each["SpotInstanceRequestId"], {})) for each in requests],
        [instance["InstanceId"] for instance in instances],
        orphans,
    )


def shown_instance(client: Any, instance: dict[str, Any]) -> dict[str, Any]:
    """The part of an instance that decisions go by, with its root volume's tags."""
    root = [
        mapping["Ebs"]["VolumeId"]
        for mapping in instance.get("BlockDeviceMappings", [])
        if mapping["DeviceName"] == instance.get("RootDeviceName")
    ]
    volumes = describe_volumes(client, VolumeIds=root) if root else []
    return {
        "id": instance["InstanceId"],
        "type": instance.get("InstanceType", ""),
        "state": rules.machine_state(instance),
        "address": instance.get("PublicIpAddress", ""),
        "zone": instance["Placement"]["AvailabilityZone"],
        "tags": rules.tags_of(instance),
        "root_volume": root[0] if root else "",
        "root_tags": rules.tags_of(volumes[0]) if volumes else {},
    }


def wait(
    client: Any,
    tags: dict[str, str],
    request_id: str,
    deadline: float,
    passing: Collection[str] = ("none", "waiting"),
) -> tuple[Picture, str]:
    """Look until the verdict on the request is none of ``passing``, at most ``deadline`` seconds.

    Returns the last picture and the verdict. A request that was just made can be invisible for
    a while (EC2 is eventually consistent), so one that is not there is waited for, too.
    """
    end = time.monotonic() + deadline
    while True:
        picture = look(client, tags)
        request = picture.request(request_id)
        verdict = request.verdict if request else "none"
        if verdict not in passing or time.monotonic() >= end:
            return picture, verdict
        time.sleep(POLL_SECONDS)
