#!/usr/bin/python
"""One snapshot of a volume for one label, however often its making is killed and tried again."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.ec2_ours import ONCE, ask_once, filters_of, has_tags
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_specifications

DOCUMENTATION = r"""
---
module: ec2_snapshot_once
short_description: Begin a snapshot of a volume, unless one with given tags is there
description:
  - EC2 gives CreateSnapshot no client token, and both the SDK and M(amazon.aws.ec2_snapshot) ask
    again if no answer comes, or an error of the server, which may come after EC2 has begun the
    snapshot. A second one of the same label would stay for good.
  - So nothing is asked again before EC2 was looked at for as long as it may take to show what it
    has begun.
  - Does not wait until the snapshot is complete.
author: The cloudtop authors
options:
  volume:
    description: Id of the volume.
    type: str
    required: true
  description:
    description: Text about the snapshot for people.
    type: str
    default: ""
  identity:
    description: The tags by which the snapshot is found again.
    type: dict
    required: true
  tags:
    description: All tags of the snapshot; with the same call, so that it is never without them.
    type: dict
    required: true
  deadline:
    description: Seconds in which EC2 has to take the call.
    type: int
    default: 300
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure a snapshot of that label is begun
  ec2_snapshot_once:
    volume: vol-0123456789abcdef0
    identity: &identity
      cloudtop:name: cloudtop
      cloudtop:label: before-upgrade
    tags: *identity
"""

RETURN = r"""
snapshot_id:
  description: The snapshot's id; empty in check mode if there is none.
  type: str
  returned: always
volume_size:
  description: The volume's size in GiB, which the snapshot would have.
  type: int
  returned: in check mode, if there is no such snapshot
"""


class Making:
    """The way to one snapshot. ``once`` is a client that asks nothing twice by itself."""

    def __init__(self, client: Any, once: Any, params: dict[str, Any]) -> None:
        self.client, self.once, self.params = client, once, params

    def look(self) -> str:
        """Id of the snapshot that was begun first, or empty."""
        identity = self.params["identity"]
        filters = [
            *filters_of(identity),
            {"Name": "volume-id", "Values": [self.params["volume"]]},
        ]
        pages = self.client.get_paginator("describe_snapshots").paginate(
            OwnerIds=["self"], Filters=filters
        )
        ours = [
            each
            for page in pages
            for each in page["Snapshots"]
            if has_tags(each, identity) and each["State"] != "error"
        ]
        ours.sort(key=lambda each: each["StartTime"])
        return str(ours[0]["SnapshotId"]) if ours else ""

    def size(self) -> int:
        """The volume's GiB."""
        (volume,) = self.client.describe_volumes(VolumeIds=[self.params["volume"]])["Volumes"]
        return int(volume["Size"])

    def ask(self) -> str:
        """Id of a snapshot that EC2 has begun now."""
        answer = self.once.create_snapshot(
            VolumeId=self.params["volume"],
            Description=self.params["description"],
            TagSpecifications=boto3_tag_specifications(self.params["tags"], ["snapshot"]),
        )
        return str(answer["SnapshotId"])


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "volume": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "identity": {"type": "dict", "required": True},
            "tags": {"type": "dict", "required": True},
            "deadline": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    making = Making(client, module.client("ec2", **ONCE), module.params)
    try:
        before = making.look()
        if before:
            module.exit_json(changed=False, snapshot_id=before)
        if module.check_mode:
            module.exit_json(changed=True, snapshot_id="", volume_size=making.size())
        ident = ask_once(making.ask, making.look, time.monotonic() + module.params["deadline"])
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(
            error, msg=f"The snapshot of {module.params['volume']} could not be begun"
        )
    module.exit_json(changed=True, snapshot_id=ident)


if __name__ == "__main__":
    main()
