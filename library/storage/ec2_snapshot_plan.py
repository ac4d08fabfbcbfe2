#!/usr/bin/python
"""Which snapshot of a cloudtop's volume is taken, and which old ones go; nothing is changed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from ansible.module_utils.cloudtop_options import CLOUDTOP, VOLUME, arguments
from ansible.module_utils.cloudtop_resources import Image, Snapshot
from ansible.module_utils.cloudtop_rules import SNAPSHOT_ROLE
from ansible.module_utils.ec2_ours import Cloudtop, answer, filters_of
from ansible.module_utils.snapshot_plan import SnapshotPlan, plan
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_snapshot_plan
short_description: Look at the snapshots of a cloudtop's volume and decide what comes next
description:
  - Says which snapshot has the label, or how it is to be begun, and which ones are too many. It
    changes nothing.
  - Fails with one sentence for a label that can't be, or without a volume.
author: The cloudtop authors
options:
  label:
    description: Label of the snapshot; empty for the moment at which it is begun.
    type: str
    default: ""
  keep:
    description: How many snapshots are kept; 0 keeps all.
    type: int
    default: 7
  tags:
    description: More tags of a new snapshot.
    type: dict
    default: {}
extends_documentation_fragment:
  - cloudtop_options
  - cloudtop_options.volume
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the snapshots
  ec2_snapshot_plan:
    name: cloudtop
    owner: alice
    volume: "{{ persistent_volume_facts }}"
    label: before-upgrade
"""

RETURN = r"""
label:
  description: Its label.
  type: str
  returned: always
id:
  description: Its id; empty while it has to be begun.
  type: str
  returned: always
state:
  description: EC2's state of it, or empty.
  type: str
  returned: always
description:
  description: The description of a new one.
  type: str
  returned: always
identity:
  description: The tags of a new one by which it is found again.
  type: dict
  returned: always
tags:
  description: All tags of a new one.
  type: dict
  returned: always
old:
  description: Ids of failed snapshots, and of those that are too many.
  type: list
  elements: str
  returned: always
early:
  description: Ids of those that were taken of the volume before a switch to another zone.
  type: list
  elements: str
  returned: always
refused:
  description: Why the real run would refuse; nothing else is returned then.
  type: str
  returned: in check mode, if what an earlier step makes is not there
"""


def decide(module: AnsibleAWSModule) -> SnapshotPlan:
    """Looks at EC2, and makes the plan. Raises RefusedError."""
    params = module.params
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, params["volume"])
    filters = filters_of({**cloudtop.identity, "cloudtop:role": SNAPSHOT_ROLE})
    snapshots = [
        Snapshot.from_ec2(each)
        for page in client.get_paginator("describe_snapshots").paginate(Filters=filters)
        for each in page["Snapshots"]
    ]
    images = client.describe_images(aws_retry=True, Owners=["self"])["Images"]
    return plan(
        cloudtop,
        snapshots,
        map(Image.from_ec2, images),
        params["label"],
        params["keep"],
        datetime.now(UTC),
        params["tags"],
    )


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP, VOLUME),
            "label": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 7},
            "tags": {"type": "dict", "default": {}},
        },
        lambda module: asdict(decide(module)),
        "The snapshots can't be listed",
    )


if __name__ == "__main__":
    main()
