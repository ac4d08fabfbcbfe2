#!/usr/bin/python
"""One picture of a cloudtop's spot requests and their instances, and a wait with one deadline."""

from __future__ import annotations

import botocore.exceptions
from ansible.module_utils.cloudtop_options import REQUESTS, arguments
from ansible.module_utils.ec2_ours import instance_store_disks
from ansible.module_utils.ec2_requests import look, wait
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import AnsibleEC2Error
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
  wait_for:
    description: Id of the request to wait for.
    type: str
    default: ""
extends_documentation_fragment:
  - cloudtop_options.requests
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the live request
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
    - The outcome of the awaited request, or of the only live one.
    - One of running, waiting, stopped-by-user, refused, dead and none.
  type: str
  returned: always
"""


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **arguments(REQUESTS),
            "wait_for": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    client, tags, wait_for = module.client("ec2"), module.params["tags"], module.params["wait_for"]
    try:
        if wait_for:
            picture, verdict = wait(client, tags, wait_for, module.params["deadline"])
        else:
            picture = look(client, tags)
            verdict = picture.live[0].verdict if len(picture.live) == 1 else "none"
            for instance in [each.instance for each in picture.live if each.instance]:
                instance["disks"] = instance_store_disks(client, instance["type"])
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="EC2 could not be asked about the machine's type")
    module.exit_json(changed=False, **picture.shown(verdict))


if __name__ == "__main__":
    main()
