#!/usr/bin/python
"""One picture of a cloudtop's spot requests and their instances, and a wait with one deadline."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible.module_utils.ec2_ours import (
    LACKING_CODES,
    LIVE,
    generation_of,
    instance_store_disks,
    instances_of,
    requests_of,
    tags_of,
)
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import (
    AnsibleEC2Error,
    describe_volumes,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

DOCUMENTATION = r"""
---
module: ec2_spot_request_info
short_description: Look at spot requests of given tags together with their instances
description:
  - Returns the requests that carry the tags, the instances of each, and their root volumes.
  - A relaunched instance has no tags, so it is found by the request that made it.
  - With O(wait_for) it waits until that request is active with its instance running.
  - Without it, a live instance is returned with the number of its instance-store disks.
author: The cloudtop authors
options:
  tags:
    description: Every request looked at has these tags, with exactly these values.
    type: dict
    required: true
  wait_for:
    description: Id of the request to wait for.
    type: str
    default: ""
  deadline:
    description: Seconds to wait at most.
    type: int
    default: 600
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure the live request is known
  ec2_spot_request_info:
    tags:
      cloudtop:name: cloudtop
      cloudtop:owner: alice
"""

RETURN = r"""
live:
  description: Requests that can still make or hold an instance (open, active, disabled).
  type: list
  elements: dict
  returned: always
dead:
  description: Requests that have ended and that EC2 still remembers (it does for four hours).
  type: list
  elements: dict
  returned: always
instances:
  description: Ids of all our instances, those that are gone too while EC2 remembers them.
  type: list
  elements: str
  returned: always
orphans:
  description: Instances that are ours and not gone, and of no live request.
  type: list
  elements: dict
  returned: always
verdict:
  description:
    - What became of the awaited request, or of the only live one.
    - One of running, waiting, stopped-by-user, refused, dead and none.
  type: str
  returned: always
"""

GONE = ("shutting-down", "terminated")
# EC2 will not change its mind about these; all other codes of an open request may pass.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
FINAL_CODES = (
    "bad-parameters",
    "canceled-before-fulfillment",
    "limit-exceeded",
    "schedule-expired",
    "system-error",
)
POLL_SECONDS = 3


def verdict_of(request: dict[str, Any] | None) -> str:
    """What became of a request, in one word, from the picture ``look`` makes of it.

    A request that is marked to lose its instance is ``waiting``: EC2 takes the instance
    within two minutes, so nothing that starts on it now would end.
    """
    if request is None:
        return "none"
    state, code, instance = request["state"], request["code"], request["instance"]
    if state not in LIVE:
        return "dead"
    if code in FINAL_CODES:
        return "refused"
    if state == "disabled" and code == "instance-stopped-by-user":
        # An instance that is still stopping can not be started
        return "stopped-by-user" if instance.get("state") == "stopped" else "waiting"
    running = state == "active" and instance.get("state") == "running"
    return "running" if running and not code.startswith("marked-for-") else "waiting"


def picture(request: dict[str, Any]) -> dict[str, Any]:
    """The part of a request that the role decides by, without its instance."""
    spec = request.get("LaunchSpecification", {})
    valid_until = request.get("ValidUntil")
    return {
        "id": request["SpotInstanceRequestId"],
        "kind": request.get("Type", ""),
        "state": request["State"],
        "code": request.get("Status", {}).get("Code", ""),
        "message": request.get("Status", {}).get("Message", ""),
        "instance_id": request.get("InstanceId", ""),
        "generation": generation_of(request),
        "bid": float(request.get("SpotPrice", 0)),
        "interruption": request.get("InstanceInterruptionBehavior", "terminate"),
        "instance_type": spec.get("InstanceType", ""),
        "image": spec.get("ImageId", ""),
        "key_name": spec.get("KeyName", ""),
        "security_groups": sorted(group["GroupId"] for group in spec.get("SecurityGroups", [])),
        "valid_until": valid_until.isoformat() if isinstance(valid_until, datetime) else "",
        "instance": {},
    }


@dataclass(frozen=True)
class Picture:
    """All that EC2 showed at one look."""

    requests: list[dict[str, Any]]
    instances: list[str]
    orphans: list[dict[str, Any]]

    def result(self, verdict: str) -> dict[str, Any]:
        """What the module returns."""
        return {
            "live": [request for request in self.requests if request["state"] in LIVE],
            "dead": [request for request in self.requests if request["state"] not in LIVE],
            "instances": self.instances,
            "orphans": self.orphans,
            "verdict": verdict,
        }


def look(client: Any, tags: dict[str, str]) -> Picture:
    """All requests with their newest instance, and the instances of no live request."""
    requests = [picture(request) for request in requests_of(client, tags)]
    live = {request["id"]: request for request in requests if request["state"] in LIVE}
    instances = instances_of(client, tags, [request["id"] for request in requests])
    orphans = []
    for instance in instances:
        owner = live.get(instance.get("SpotInstanceRequestId", ""))
        if instance["State"]["Name"] in GONE:
            continue
        if owner is None:
            orphans.append(picture_of_instance(client, instance))
        # A reaped instance runs two minutes beside the one that replaces it
        elif owner["instance_id"] in ("", instance["InstanceId"]):
            owner["instance"] = picture_of_instance(client, instance)
    for request in requests:
        waits = request["state"] == "open" and not request["instance"]
        request["lacking"] = waits and request["code"] in LACKING_CODES
    return Picture(requests, [instance["InstanceId"] for instance in instances], orphans)


def picture_of_instance(client: Any, instance: dict[str, Any]) -> dict[str, Any]:
    """The part of an instance that the role decides by, with its root volume's tags."""
    root = [
        mapping["Ebs"]["VolumeId"]
        for mapping in instance.get("BlockDeviceMappings", [])
        if mapping["DeviceName"] == instance.get("RootDeviceName")
    ]
    volumes = describe_volumes(client, VolumeIds=root) if root else []
    return {
        "id": instance["InstanceId"],
        "type": instance.get("InstanceType", ""),
        "state": instance["State"]["Name"],
        "address": instance.get("PublicIpAddress", ""),
        "zone": instance["Placement"]["AvailabilityZone"],
        "tags": tags_of(instance),
        "root_volume": root[0] if root else "",
        "root_tags": tags_of(volumes[0]) if volumes else {},
    }


def wait(client: Any, tags: dict[str, str], request_id: str, deadline: int) -> dict[str, Any]:
    """Look until the verdict on the request is final, at most ``deadline`` seconds.

    A request that was just made can be invisible for a while (EC2 is eventually
    consistent), so one that is not there is waited for, too.
    """
    end = time.monotonic() + deadline
    while True:
        seen = look(client, tags)
        asked = [request for request in seen.requests if request["id"] == request_id]
        verdict = verdict_of(asked[0] if asked else None)
        if verdict not in ("none", "waiting") or time.monotonic() >= end:
            return seen.result(verdict)
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "tags": {"type": "dict", "required": True},
            "wait_for": {"type": "str", "default": ""},
            "deadline": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    client, tags = module.client("ec2"), module.params["tags"]
    try:
        if module.params["wait_for"]:
            found = wait(client, tags, module.params["wait_for"], module.params["deadline"])
        else:
            seen = look(client, tags)
            live = [request for request in seen.requests if request["state"] in LIVE]
            for request in live:
                if request["instance"]:
                    kind = request["instance"]["type"]
                    request["instance"]["disks"] = instance_store_disks(client, kind)
            found = seen.result(verdict_of(live[0] if len(live) == 1 else None))
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
