#!/usr/bin/python
"""All that AWS has of one cloudtop, looked at side by side; nothing is changed."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.cloudtop_options import CLOUDTOP, arguments
from ansible.module_utils.cloudtop_rules import iam_name
from ansible.module_utils.ec2_ours import ONCE, Cloudtop
from ansible.module_utils.looks.gather import (
    Call,
    caller_address,
    ec2_calls,
    iam_calls,
    only,
    plain,
    role_calls,
    schedule_calls,
    side_by_side,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

DOCUMENTATION = r"""
---
module: ec2_look
short_description: Look at all that AWS has of a cloudtop
description:
  - Makes all calls side by side, and returns what they answered. It changes nothing.
  - A part whose call failed is left out, for whatever reason, so it never fails. Whoever needs that
    part has to look for itself, and says what is wrong.
author: The cloudtop authors
options:
  parts:
    description:
      - The parts to look at. C(requests) has their instances, C(images) are all of the account,
        C(profile) and C(policy) are those of the machine, C(schedule_role) and C(schedule_policy)
        of the schedule of snapshots, C(caller) is this computer's address.
    type: list
    elements: str
    choices:
      - volumes
      - requests
      - instances
      - types
      - addresses
      - images
      - groups
      - pairs
      - snapshots
      - schedules
      - profile
      - policy
      - schedule_role
      - schedule_policy
      - caller
    required: true
  types:
    description: Names of instance types to describe.
    type: list
    elements: str
    default: []
  policy_name:
    description: The name of the policy of the machine's role.
    type: str
    default: attach-volume
  schedule_policy_name:
    description: The name of the policy of the schedule's role.
    type: str
    default: take-snapshots
  caller_url:
    description: Answers a GET with the caller's own address as text.
    type: str
    default: ""
extends_documentation_fragment:
  - cloudtop_options
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the volume, the request and its machine
  ec2_look:
    name: cloudtop
    owner: alice
    parts: [volumes, requests, instances]
"""

RETURN = r"""
look:
  description: >-
    Whose it is (name, owner, region), when it began in seconds since 1970 (at), and the parts as
    AWS describes them.
  type: dict
  returned: always
missing:
  description: Why a part is not there, by its name.
  type: dict
  returned: always
"""

EC2 = (
    *("volumes", "requests", "instances", "types", "addresses", "images", "groups", "pairs"),
    "snapshots",
)
IAM = ("profile", "policy", "schedule_role", "schedule_policy")


def calls_of(module: AnsibleAWSModule, cloudtop: Cloudtop) -> dict[str, Call]:
    """The call of each wanted part. A service that no part is of needs no client."""
    params = module.params
    wanted = params["parts"]
    calls: dict[str, Call] = {}
    if ec2 := [each for each in EC2 if each in wanted]:
        client = module.client("ec2", **ONCE)
        calls |= only(ec2_calls(client, cloudtop.identity, params["types"]), ec2)
    if iam := [each for each in IAM if each in wanted]:
        client = module.client("iam", **ONCE)
        names = (cloudtop.name, cloudtop.owner, cloudtop.region)
        machines = iam_calls(client, iam_name(*names), params["policy_name"])
        schedules = role_calls(
            client, iam_name(*names, "snapshots"), params["schedule_policy_name"]
        )
        calls |= only(machines | schedules, iam)
    if "schedules" in wanted:
        calls |= schedule_calls(module.client("dlm", **ONCE), cloudtop.identity)
    if "caller" in wanted:
        calls["caller"] = lambda: caller_address(params["caller_url"])
    return calls


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **arguments(CLOUDTOP),
            "parts": {
                "type": "list",
                "elements": "str",
                "choices": [*EC2, "schedules", *IAM, "caller"],
                "required": True,
            },
            "types": {"type": "list", "elements": "str", "default": []},
            "policy_name": {"type": "str", "default": "attach-volume"},
            "schedule_policy_name": {"type": "str", "default": "take-snapshots"},
            "caller_url": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    cloudtop = Cloudtop(module.params["name"], module.params["owner"], module.region, {})
    began = time.time()
    answers = side_by_side(calls_of(module, cloudtop))
    failed = {name: each for name, each in answers.items() if isinstance(each, Exception)}
    parts: dict[str, Any] = {
        name: plain(each) for name, each in answers.items() if name not in failed
    }
    look = {
        "name": cloudtop.name,
        "owner": cloudtop.owner,
        "region": cloudtop.region,
        "at": began,
        "parts": parts,
    }
    module.exit_json(
        changed=False,
        look=look,
        missing={name: f"{type(each).__name__}: {each}" for name, each in failed.items()},
    )


if __name__ == "__main__":
    main()
