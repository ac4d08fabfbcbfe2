#!/usr/bin/python
"""Which of the named leftovers may be deleted; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ansible.module_utils.cloudtop_resources import Image, Machine, Request, Snapshot, Volume
from ansible.module_utils.ec2_ours import answer
from ansible.module_utils.orphans_plan import Plan, World, plan
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_orphans_plan
short_description: Prove that named leftovers are an owner's and needed by nothing
description:
  - Looks at all of them before anything is deleted. It changes nothing.
  - Fails with one sentence if one is not the owner's, or is needed.
author: The cloudtop authors
options:
  owner:
    description: The owner, whose tag each of them has to carry.
    type: str
    required: true
  machines:
    description: Ids of instances whose request has ended.
    type: list
    elements: str
    default: []
  images:
    description: Ids of images.
    type: list
    elements: str
    default: []
  volumes:
    description: Ids of volumes that have a cloudtop:role and that no machine has.
    type: list
    elements: str
    default: []
  snapshots:
    description: Ids of snapshots that no other image is made of.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up which of them may go
  ec2_orphans_plan:
    owner: alice
    volumes: [vol-0123456789abcdef0]
"""

RETURN = r"""
machines:
  description: Ids of the instances that go; those that are gone already are left out.
  type: list
  elements: str
  returned: always
images:
  description: Ids of the images that go.
  type: list
  elements: str
  returned: always
volumes:
  description: Ids of the volumes that go.
  type: list
  elements: str
  returned: always
snapshots:
  description: Ids of the snapshots that go.
  type: list
  elements: str
  returned: always
"""


def decide(module: AnsibleAWSModule) -> Plan:
    """Looks at EC2, and makes the plan. Raises RefusedError."""
    params = module.params
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())

    def listed(call: str, key: str, filter_name: str, idents: list[str]) -> Iterator[Any]:
        # A filter, as an id that is gone would be an error
        filters = [{"Name": filter_name, "Values": idents}]
        for page in client.get_paginator(call).paginate(Filters=filters) if idents else ():
            yield from page[key]

    reservations = listed("describe_instances", "Reservations", "instance-id", params["machines"])
    machines = [Machine.from_ec2(each) for one in reservations for each in one["Instances"]]
    requests = listed(
        "describe_spot_instance_requests",
        "SpotInstanceRequests",
        "spot-instance-request-id",
        [each.spot_instance_request_id for each in machines if each.spot_instance_request_id],
    )
    volumes = listed("describe_volumes", "Volumes", "volume-id", params["volumes"])
    snapshots = listed("describe_snapshots", "Snapshots", "snapshot-id", params["snapshots"])
    images = client.describe_images(aws_retry=True, Owners=["self"])["Images"]
    world = World(
        machines=machines,
        requests=[Request.from_ec2(each) for each in requests],
        volumes=[Volume.from_ec2(each) for each in volumes],
        snapshots=[Snapshot.from_ec2(each) for each in snapshots],
        images=[Image.from_ec2(each) for each in images],
    )
    return plan(params["owner"], params["images"], world)


def main() -> None:
    answer(
        {
            "owner": {"type": "str", "required": True},
            "machines": {"type": "list", "elements": "str", "default": []},
            "images": {"type": "list", "elements": "str", "default": []},
            "volumes": {"type": "list", "elements": "str", "default": []},
            "snapshots": {"type": "list", "elements": "str", "default": []},
        },
        lambda module: asdict(decide(module)),
        "EC2 could not be asked about the leftovers",
    )


if __name__ == "__main__":
    main()
