#!/usr/bin/python
"""Who may log in to a cloudtop, and whether its security group says so; nothing is changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.module_utils.access_plan import Caller, plan, ssh_range
from ansible.module_utils.cloudtop_options import CLOUDTOP, arguments
from ansible.module_utils.ec2_ours import Cloudtop, answer
from ansible.module_utils.persistent_volume_plan import NOBODY
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_access_plan
short_description: Look at a cloudtop's security group and decide whether it has to be opened
description:
  - It changes nothing.
  - Fails with one sentence for a range that is too wide or none, and for a group that is not ours.
author: The cloudtop authors
options:
  group:
    description: Name of the security group.
    type: str
    required: true
  ssh_cidr:
    description: The range that may reach port 22; empty for the caller's own address.
    type: str
    default: ""
  caller_url:
    description: The service that was asked for the caller's address.
    type: str
    required: true
  caller:
    description: The service's answer.
    type: str
    default: ""
  caller_trouble:
    description: The reason why there is no answer.
    type: str
    default: ""
extends_documentation_fragment:
  - cloudtop_options
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up whether port 22 is open to the caller alone
  ec2_access_plan:
    name: cloudtop
    owner: alice
    group: cloudtop-1a2b3c4d
    caller_url: https://checkip.amazonaws.com
    caller: 192.0.2.7
"""

RETURN = r"""
step:
  description: One of open and keep.
  type: str
  returned: always
group:
  description: The security group's id; empty if there is none.
  type: str
  returned: always
cidr:
  description: The range that may reach port 22.
  type: str
  returned: always
"""


def decide(module: AnsibleAWSModule) -> dict[str, Any]:
    """The module's result. Raises RefusedError."""
    params = module.params
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, dict(NOBODY))
    caller = Caller(params["caller_url"], params["caller"], params["caller_trouble"])
    cidr = ssh_range(params["ssh_cidr"], caller)
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    by_name = [{"Name": "group-name", "Values": [params["group"]]}]
    groups = client.describe_security_groups(aws_retry=True, Filters=by_name)["SecurityGroups"]
    return asdict(plan(cloudtop, params["group"], groups, cidr))


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP),
            "group": {"type": "str", "required": True},
            "ssh_cidr": {"type": "str", "default": ""},
            "caller_url": {"type": "str", "required": True},
            "caller": {"type": "str", "default": ""},
            "caller_trouble": {"type": "str", "default": ""},
        },
        decide,
        "EC2 could not be asked about the security group",
    )


if __name__ == "__main__":
    main()
