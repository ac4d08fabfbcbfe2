"""A picture of a cloudtop's spot requests and their instances, and a wait with one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ansible.module_utils import cloudtop_resources as resources
from ansible.module_utils import cloudtop_rules as rules
from ansible.module_utils.ec2_ours import generation_of, instances_of, requests_of
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import describe_volumes

POLL_SECONDS = 3


@dataclass(frozen=True)
class Request:
    """A spot request as EC2 shows it, and its instance as ``shown_instance`` shows that."""

    ec2: resources.Request
    instance: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return str(self.ec2.spot_instance_request_id)

    @property
    def state(self) -> str:
        return str(self.ec2.state)

    @property
    def code(self) -> str:
        return str(self.ec2.status_code)

    @property
    def message(self) -> str:
        """EC2's own words, without a full stop."""
        return str(self.ec2.status_message).removesuffix(".")

    @property
    def instance_type(self) -> str:
        return str(self.ec2.instance_type)

    @property
    def generation(self) -> int:
        return int(generation_of(self.ec2.tags))

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
        valid_until = self.ec2.valid_until
        return {
            "id": self.id,
            "kind": self.ec2.type,
            "state": self.state,
            "code": self.code,
            "message": self.ec2.status_message,
            "instance_id": self.ec2.instance_id,
            "generation": self.generation,
            "bid": self.ec2.spot_price,
            "interruption": self.ec2.instance_interruption_behavior,
            "instance_type": self.instance_type,
            "image": self.ec2.image_id,
            "key_name": self.ec2.key_name,
            "security_groups": sorted(self.ec2.security_group_ids),
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
    instances = instances_of(client, tags, [each["SpotInstanceRequestId"] for each in requests])

    def volume(ident: str) -> dict[str, Any]:
        volumes = describe_volumes(client, VolumeIds=[ident])
        return dict(volumes[0]) if volumes else {}

    return picture(requests, instances, volume)


def picture(
    requests: Iterable[dict[str, Any]],
    instances: Iterable[dict[str, Any]],
    volume: Callable[[str], Mapping[str, Any]],
) -> Picture:
    """The picture of a cloudtop's requests and instances as EC2 describes them, the latter oldest
    first; ``volume`` describes the root volume of that id, and is empty for one that is gone."""
    known = [resources.Request.from_ec2(each) for each in requests]
    live = {each.spot_instance_request_id: each for each in known if rules.is_live(each)}
    ids, orphans, machines = [], [], {}
    for instance in instances:
        ids.append(instance["InstanceId"])
        request = live.get(instance.get("SpotInstanceRequestId", ""))
        if instance["State"]["Name"] in rules.GONE:
            continue
        if request is None:
            orphans.append(shown_instance(instance, volume))
        # A reaped instance runs two minutes beside the one that replaces it
        elif request.instance_id in ("", instance["InstanceId"]):
            machines[request.spot_instance_request_id] = shown_instance(instance, volume)
    return Picture(
        [Request(each, machines.get(each.spot_instance_request_id, {})) for each in known],
        ids,
        orphans,
    )


def shown_instance(
    instance: dict[str, Any], volume: Callable[[str], Mapping[str, Any]]
) -> dict[str, Any]:
    """The part of an instance that decisions go by, with its root volume's tags."""
    machine = resources.Machine.from_ec2(instance)
    root = machine.root_volume_id
    return {
        "id": machine.instance_id,
        "type": machine.instance_type,
        "state": machine.state,
        "address": machine.public_ip_address,
        "zone": machine.availability_zone,
        "profile": machine.instance_profile,
        "tags": machine.tags,
        "root_volume": root,
        "image": machine.image_id,
        "root_tags": resources.tags_of(volume(root)) if root else {},
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
