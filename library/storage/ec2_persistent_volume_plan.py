#!/usr/bin/python
"""The one volume of a cloudtop, and the next step for it; nothing is changed."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from ansible.module_utils.cloudtop_options import CLOUDTOP, LOOK, arguments
from ansible.module_utils.cloudtop_resources import Volume
from ansible.module_utils.ec2_offers import (
    by_choice,
    latest_prices,
    offered_zones,
    price_history,
    usable_zones,
)
from ansible.module_utils.ec2_ours import Cloudtop, answer, filters_of
from ansible.module_utils.ec2_requests import look
from ansible.module_utils.persistent_volume_plan import (
    NOBODY,
    Offers,
    Plan,
    Wanted,
    World,
    end,
    find,
    plan,
    refuse_name,
    shown,
)
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import describe_volumes
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_persistent_volume_plan
short_description: Look at the one volume of a cloudtop and decide what comes next
description:
  - Finds the volume by its tags, and says whether it has to be created, grown or deleted. It
    changes nothing.
  - Fails with one sentence if there are several volumes, if one is broken or in another zone than
    the wanted one, and if none may be made.
author: The cloudtop authors
options:
  question:
    description:
      - The question. C(find) is the volume as it is. C(present) is the step after which there is
        one that is large enough. C(absent) is whether it is deleted.
    type: str
    choices: [find, present, absent]
    required: true
  instance_type:
    description: The type that has to be offered where a new volume is made.
    type: str
    default: ""
  instance_types:
    description: Further types, any of which would do; zones that offer more of them come first.
    type: list
    elements: str
    default: []
  zone:
    description: Zone for a new volume; empty for the best one.
    type: str
    default: ""
  size:
    description: GiB. A volume that is larger stays.
    type: int
    default: 0
  type:
    description: EBS volume type of a new volume.
    type: str
    default: gp3
  delete:
    description: The cloudtop's name, to delete its data for good; empty keeps the volume.
    type: str
    default: ""
  bid:
    description:
      - The bid for the machine, in dollars an hour. No new volume is made if it is below EC2's
        price of now in every zone that the machine can be in. 0 is compared with nothing.
    type: float
    default: 0
  moved_to:
    description:
      - In check mode alone, the zone that an earlier step would have taken the volume to; empty
        for none.
    type: str
    default: ""
  wait:
    description: Whether a new volume is made all the same.
    type: bool
    default: false
extends_documentation_fragment:
  - cloudtop_options.look
  - cloudtop_options
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the volume and the next step for it
  ec2_persistent_volume_plan:
    name: cloudtop
    owner: alice
    question: present
    instance_type: m5d.4xlarge
    size: 50
"""

RETURN = r"""
step:
  description: One of create, grow, delete and keep.
  type: str
  returned: always
volume:
  description: Its id (empty for none), zone, size (after it has grown), tags and instance.
  type: dict
  returned: always
create:
  description: Options of M(ec2_volume_once) for a new volume.
  type: dict
  returned: always
"""


def offers_of(client: Any, types: list[str]) -> Offers:
    """The zones of the region for the types; those with more of the types come first."""
    usable = usable_zones(client, types)
    first, *others = [usable[each] for each in types]
    prices = {
        each: latest_prices(price_history(client, each)) if zones else {}
        for each, zones in usable.items()
    }
    by_type = {each: sorted(usable[each]) for each in types}
    by_type[types[0]] = by_choice(first, others, prices[types[0]])
    return Offers(sorted(offered_zones(client, types[0])), by_type, prices)


def decide(module: AnsibleAWSModule) -> Plan:
    """Looks at EC2, and makes the plan. Raises RefusedError."""
    params = module.params
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, dict(NOBODY))
    refuse_name(cloudtop)
    client = module.client("ec2")
    filters = filters_of(cloudtop.identity)
    volumes = [Volume.from_ec2(each) for each in describe_volumes(client, Filters=filters)]
    if params["question"] == "absent":
        return end(cloudtop, volumes, params["delete"])
    volume = find(cloudtop, volumes)
    if params["question"] == "find":
        return Plan("keep", shown(volume))
    types = list(dict.fromkeys([params["instance_type"], *params["instance_types"]]))
    world = World(volumes)
    if volume is None:
        live = [each.id for each in look(client, cloudtop.identity).live]
        offers = AWSRetry.jittered_backoff()(offers_of)(client, types)
        world = replace(world, requests=live, offers=offers)
    wanted = Wanted(
        types,
        params["size"],
        params["type"],
        params["zone"],
        bid=params["bid"],
        waits=params["wait"],
        moved_to=params["moved_to"] if module.check_mode else "",
    )
    return plan(cloudtop, wanted, world)


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP, LOOK),
            "question": {
                "type": "str",
                "choices": ["find", "present", "absent"],
                "required": True,
            },
            "instance_type": {"type": "str", "default": ""},
            "instance_types": {"type": "list", "elements": "str", "default": []},
            "zone": {"type": "str", "default": ""},
            "size": {"type": "int", "default": 0},
            "type": {"type": "str", "default": "gp3"},
            "delete": {"type": "str", "default": ""},
            "bid": {"type": "float", "default": 0},
            "moved_to": {"type": "str", "default": ""},
            "wait": {"type": "bool", "default": False},
        },
        lambda module: asdict(decide(module)),
        "EC2 could not be asked about the volume",
    )


if __name__ == "__main__":
    main()
