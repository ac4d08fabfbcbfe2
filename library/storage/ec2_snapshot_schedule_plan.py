#!/usr/bin/python
"""The volume that a schedule takes snapshots of, and its old snapshots; nothing is changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.module_utils.cloudtop_options import CLOUDTOP, LOOK, arguments
from ansible.module_utils.cloudtop_resources import Image, Snapshot, Volume
from ansible.module_utils.ec2_ours import Cloudtop, answer, filters_of
from ansible.module_utils.looks.gather import all_of, role_calls
from ansible.module_utils.persistent_volume_plan import NOBODY
from ansible.module_utils.snapshot_schedule_plan import (
    left_behind,
    marks,
    refuse_keep,
    role,
    surplus,
)
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import describe_volumes
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_snapshot_schedule_plan
short_description: Decide which volume a schedule takes snapshots of, and which snapshots go
description:
  - The volume that is meant carries the tag cloudtop:scheduled. It changes nothing.
  - Fails with one sentence for a number of snapshots that no schedule keeps, and for a role that is
    not ours.
author: The cloudtop authors
options:
  question:
    description:
      - The question. C(set), C(moved) and C(gone) are which volumes get and lose the tag; there is
        a schedule, or one if another volume has the tag, or none. C(left) is which snapshots go
        that no policy deletes any more.
    type: str
    choices: [set, moved, gone, left]
    required: true
  volume:
    description: Id of the cloudtop's volume, if EC2 lists it or not.
    type: str
    default: ""
  policy:
    description: Id of the policy.
    type: str
    default: ""
  keep:
    description: How many snapshots are kept.
    type: int
    default: 7
  role:
    description: Name of the schedule's role, for C(set).
    type: str
    default: ""
  policy_name:
    description: Name of that role's policy.
    type: str
    default: take-snapshots
extends_documentation_fragment:
  - cloudtop_options.look
  - cloudtop_options
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the volumes to mark
  ec2_snapshot_schedule_plan:
    name: cloudtop
    owner: alice
    question: moved
"""

RETURN = r"""
mark:
  description: Ids of the volumes that get the tag.
  type: list
  elements: str
  returned: for set, moved and gone
unmark:
  description: Id and tags of those that lose it.
  type: list
  elements: dict
  returned: for set, moved and gone
role:
  description: The schedule's role, its arn empty for none, and its policy, empty for none.
  type: dict
  returned: for set
old:
  description: Ids of the snapshots that go.
  type: list
  elements: str
  returned: for left
"""


def role_of(module: AnsibleAWSModule, cloudtop: Cloudtop) -> dict[str, Any]:
    """The schedule's role. Raises RefusedError."""
    name = module.params["role"]
    iam = role_calls(module.client("iam"), name, module.params["policy_name"])
    retry = AWSRetry.jittered_backoff()
    answers = all_of({part: retry(call) for part, call in iam.items()})
    return asdict(role(cloudtop, name, answers["schedule_role"], answers["schedule_policy"]))


def decide(module: AnsibleAWSModule) -> dict[str, Any]:
    """The module's result. Raises RefusedError."""
    params = module.params
    question = params["question"]
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, dict(NOBODY))
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    filters = filters_of(cloudtop.identity)
    if question == "set":
        refuse_keep(params["keep"])
    if question != "left":
        volumes = [Volume.from_ec2(each) for each in describe_volumes(client, Filters=filters)]
        marked = asdict(marks(cloudtop, volumes, question, params["volume"]))
        return marked if question != "set" else {**marked, "role": role_of(module, cloudtop)}
    pages = client.get_paginator("describe_snapshots").paginate(Filters=filters)
    snapshots = [Snapshot.from_ec2(each) for page in pages for each in page["Snapshots"]]
    left = left_behind(cloudtop, snapshots, params["volume"], params["policy"])
    images: list[Image] = []
    if len(left) > params["keep"]:
        account = client.describe_images(aws_retry=True, Owners=["self"])["Images"]
        images = [Image.from_ec2(each) for each in account]
    return {"old": surplus(left, images, params["keep"])}


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP, LOOK),
            "question": {
                "type": "str",
                "choices": ["set", "moved", "gone", "left"],
                "required": True,
            },
            "volume": {"type": "str", "default": ""},
            "policy": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 7},
            "role": {"type": "str", "default": ""},
            "policy_name": {"type": "str", "default": "take-snapshots"},
        },
        decide,
        "EC2 could not be asked about the schedule's snapshots",
    )


if __name__ == "__main__":
    main()
