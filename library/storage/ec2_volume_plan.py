#!/usr/bin/python
"""Which volume takes the place of a cloudtop's, and what is left to do; nothing is changed."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.cloudtop_options import CLOUDTOP, arguments
from ansible.module_utils.cloudtop_resources import Snapshot, Volume
from ansible.module_utils.ec2_offers import cheapest_zones, offered_zones
from ansible.module_utils.ec2_ours import Cloudtop, answer, filters_of
from ansible.module_utils.ec2_requests import look
from ansible.module_utils.persistent_volume_plan import NOBODY
from ansible.module_utils.volume_plan import (
    Replacement,
    Wanted,
    World,
    move,
    refuse_other_half,
    refuse_request,
    refuse_unfit,
    refuse_zone,
    replacement,
    sorted_volumes,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_volume_plan
short_description: Decide which volume takes the place of a cloudtop's
description:
  - Looks at the cloudtop's volumes, snapshots and requests. It changes nothing.
  - Fails with one sentence if nothing may be done.
author: The cloudtop authors
options:
  question:
    description:
      - The question. C(replacement) is the volume of a snapshot; one that is there is waited for
        and proven to fit. C(zone) is whether a switch to a zone can begin. C(move) is what is
        left of that switch.
    type: str
    choices: [replacement, zone, move]
    required: true
  snapshot:
    description: The snapshot's label or id.
    type: str
    default: ""
  to_zone:
    description: The zone that a switch goes to; empty for a restore.
    type: str
    default: ""
  again:
    description: Whether a free volume that was made of that snapshot before is replaced, too.
    type: bool
    default: false
  instance_type:
    description: The type that has to be offered where the volume is made.
    type: str
    default: ""
  zone:
    description: The zone if there is no volume to replace; empty for the cheapest.
    type: str
    default: ""
  new:
    description: Id of the volume that was made, if EC2 lists it or not.
    type: str
    default: ""
  deadline:
    description: Seconds in which the volume has to be ready.
    type: int
    default: 180
extends_documentation_fragment:
  - cloudtop_options
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up which volume takes whose place
  ec2_volume_plan:
    name: cloudtop
    owner: alice
    question: replacement
    snapshot: before-upgrade
    instance_type: m5d.4xlarge
"""

RETURN = r"""
done:
  description: Whether nothing is left to do.
  type: bool
  returned: for a replacement
new:
  description: Id of the new volume; empty while it has to be made, and once all is done.
  type: str
  returned: for a replacement
old:
  description: The volume that it replaces, as the role persistent_volume shows one.
  type: dict
  returned: for a replacement
create:
  description: Options of M(ec2_volume_once) for the new volume; empty if there is one.
  type: dict
  returned: for a replacement
aside:
  description: Ids of volumes that are set aside before that.
  type: list
  elements: str
  returned: for a replacement
aside_tags:
  description: The tags that those get.
  type: dict
  returned: for a replacement
left:
  description: One of none, all and tags.
  type: str
  returned: for a move
volume:
  description: Id of the volume that the cloudtop has.
  type: str
  returned: for a move
snapshot:
  description: Id of the snapshot that the half moved volume was made of.
  type: str
  returned: for a move
rest:
  description: Label of the snapshot that no machine has changed the volume since.
  type: str
  returned: for a move
mark:
  description: Tags that the volume gets before that snapshot.
  type: dict
  returned: for a move
refused:
  description: Why the real run would refuse; nothing else is returned then.
  type: str
  returned: in check mode, if what an earlier step makes is not there
"""

POLL_SECONDS = 3


class Edge:
    """Looks at EC2, and answers one question."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        params = module.params
        self.params = params
        self.dry = module.check_mode
        self.client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
        self.cloudtop = Cloudtop(params["name"], params["owner"], module.region, dict(NOBODY))
        self.wanted = Wanted(params["snapshot"], params["to_zone"], params["again"], params["zone"])
        volumes = self._pages("describe_volumes", "Volumes")
        self.world = World([Volume.from_ec2(each) for each in volumes])

    def answer(self) -> dict[str, Any]:
        """The module's result. Raises RefusedError."""
        if self.params["question"] == "move":
            return asdict(move(self.cloudtop, self.wanted, self.world, datetime.now(UTC)))
        if self.params["question"] == "zone":
            volumes = sorted_volumes(self.cloudtop, self.wanted, self.world)
            refuse_other_half(volumes.half, self.wanted, "")
            zones = cheapest_zones(self.client, self.params["instance_type"])
            offered = sorted(offered_zones(self.client, self.params["instance_type"]))
            refuse_zone(self.cloudtop, self.wanted, self.params["instance_type"], zones, offered)
            return {}
        change = self._replacement()
        return {
            "done": change.done,
            "new": "" if change.done else change.new,
            "old": change.old,
            "create": change.create,
            "aside": change.aside,
            "aside_tags": change.aside_tags,
        }

    def _replacement(self) -> Replacement:
        picture = look(self.client, self.cloudtop.identity)
        snapshots = self._pages("describe_snapshots", "Snapshots")
        self.world = replace(
            self.world,
            snapshots=[Snapshot.from_ec2(each) for each in snapshots],
            requests=[each.id for each in picture.live],
            instances=picture.instances,
        )
        change = replacement(self.cloudtop, self.wanted, self.world)
        if change.create and not change.create["zone"]:
            zones = cheapest_zones(self.client, self.params["instance_type"])
            self.world = replace(self.world, zones=zones)
            change = replacement(self.cloudtop, self.wanted, self.world)
        new = self.params["new"] or change.new
        if change.done or not new:
            return change
        refuse_unfit(self._ready(new), new, self.wanted, change)
        if not self.dry:
            refuse_request(self.wanted, self.world.requests)
        return replace(change, new=new, create={}, aside=[])

    def _pages(self, call: str, key: str) -> list[Any]:
        """All with the cloudtop's tags, and what the asterisk of a filter finds beside them."""
        filters = filters_of(self.cloudtop.identity)
        pages = self.client.get_paginator(call).paginate(Filters=filters)
        return [each for page in pages for each in page[key]]

    def _ready(self, volume_id: str) -> Volume | None:
        """The volume, once EC2 has made it; as it is at the deadline."""
        end = time.monotonic() + self.params["deadline"]
        by_id = [{"Name": "volume-id", "Values": [volume_id]}]
        while True:
            volumes = self.client.describe_volumes(aws_retry=True, Filters=by_id)["Volumes"]
            volume = Volume.from_ec2(volumes[0]) if volumes else None
            if (volume and volume.state != "creating") or time.monotonic() >= end:
                return volume
            time.sleep(POLL_SECONDS)


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP),
            "question": {
                "type": "str",
                "choices": ["replacement", "zone", "move"],
                "required": True,
            },
            "snapshot": {"type": "str", "default": ""},
            "to_zone": {"type": "str", "default": ""},
            "again": {"type": "bool", "default": False},
            "instance_type": {"type": "str", "default": ""},
            "zone": {"type": "str", "default": ""},
            "new": {"type": "str", "default": ""},
            "deadline": {"type": "int", "default": 180},
        },
        lambda module: Edge(module).answer(),
        "EC2 could not be asked about the volumes",
    )


if __name__ == "__main__":
    main()
