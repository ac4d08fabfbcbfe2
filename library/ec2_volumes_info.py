#!/usr/bin/python
"""A cloudtop's volumes by what they are for: its own, one on its way, and replaced ones."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_resources import Volume
from ansible.module_utils.cloudtop_rules import command_of_half, volumes_by_role
from ansible.module_utils.ec2_ours import Cloudtop, filters_of
from ansible.module_utils.volume_plan import NOBODY
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_volumes_info
short_description: Look at a cloudtop's volumes by what they are for
description:
  - Root disks, copies of them, and volumes that are being deleted are none of a cloudtop's.
  - A volume that is to take the place of another has the tag cloudtop:role with restoring.
author: The cloudtop authors
options:
  name:
    description: Name of the cloudtop.
    type: str
    required: true
  owner:
    description: Its owner.
    type: str
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the volume
  ec2_volumes_info:
    name: cloudtop
    owner: alice
"""

RETURN = r"""
live:
  description: Its volumes, each with id, zone, size, type, state, tags and instance, by id.
  type: list
  elements: dict
  returned: always
half:
  description: Those that have yet to take its volume's place.
  type: list
  elements: dict
  returned: always
replaced:
  description: Those that were replaced and are kept.
  type: list
  elements: dict
  returned: always
half_command:
  description: The command that brings to its end what is half done, such as a restore; or empty.
  type: str
  returned: always
"""


def shown(volume: Volume) -> dict[str, Any]:
    """A volume in the module's result; its instance is the first that has it, or empty."""
    return {
        "id": volume.volume_id,
        "zone": volume.availability_zone,
        "size": volume.size,
        "type": volume.volume_type,
        "state": volume.state,
        "tags": volume.tags,
        "instance": next(iter(volume.instance_ids), ""),
    }


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "owner": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    name, owner = module.params["name"], module.params["owner"]
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    cloudtop = Cloudtop(name, owner, module.region, dict(NOBODY))
    try:
        pages = client.get_paginator("describe_volumes").paginate(
            Filters=filters_of(cloudtop.identity)
        )
        volumes = [Volume.from_ec2(each) for page in pages for each in page["Volumes"]]
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="The volumes can't be listed")
    by_role = volumes_by_role(sorted(volumes, key=lambda each: each.volume_id), name, owner)
    module.exit_json(
        changed=False,
        live=[shown(each) for each in by_role.live],
        half=[shown(each) for each in by_role.half],
        replaced=[shown(each) for each in by_role.replaced],
        half_command=command_of_half(by_role.half),
    )


if __name__ == "__main__":
    main()
