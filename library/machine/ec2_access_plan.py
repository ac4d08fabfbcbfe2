#!/usr/bin/python
"""Who may log in to a cloudtop, and what AWS has for that already; nothing is changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.module_utils.access_plan import Caller, plan, profile, ssh_range
from ansible.module_utils.cloudtop_options import CLOUDTOP, LOOK, arguments
from ansible.module_utils.ec2_ours import Cloudtop, answer
from ansible.module_utils.looks.gather import Call, caller_address, iam_calls, side_by_side
from ansible.module_utils.persistent_volume_plan import NOBODY
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_access_plan
short_description: Look at all of a cloudtop's access, and decide whether its group has to be opened
description:
  - Looks at the security group, the key pair and the machine's profile side by side. It changes
    nothing.
  - Fails with one sentence for a range that is too wide or none, and for a group or profile that is
    not ours.
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
    description: Answers a GET with the caller's own address as text.
    type: str
    required: true
  pair:
    description: Name of the key pair; empty if it does not matter.
    type: str
    default: ""
  iam_name:
    description: Name of the machine's profile and of its role; empty if they do not matter.
    type: str
    default: ""
  policy_name:
    description: Name of that role's policy.
    type: str
    default: attach-volume
extends_documentation_fragment:
  - cloudtop_options.look
  - cloudtop_options
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up what there is of the access
  ec2_access_plan:
    name: cloudtop
    owner: alice
    group: cloudtop-1a2b3c4d
    caller_url: https://checkip.amazonaws.com
    pair: cloudtop-1a2b3c4d-5e6f7a8b
    iam_name: cloudtop-1a2b3c4d
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
has_pair:
  description: Whether EC2 has the key pair.
  type: bool
  returned: always
profile:
  description: >-
    The machine's profile, its arn empty for none, whether the role is in it (has_role), and the
    document of the role's policy, empty for none.
  type: dict
  returned: always
"""


def calls_of(module: AnsibleAWSModule) -> dict[str, Call]:
    """The calls by which the access is looked at."""
    params = module.params
    retry = AWSRetry.jittered_backoff()
    ec2 = module.client("ec2", retry_decorator=retry)
    by_group = [{"Name": "group-name", "Values": [params["group"]]}]
    by_pair = [{"Name": "key-name", "Values": [params["pair"]]}]
    calls: dict[str, Call] = {
        "groups": lambda: ec2.describe_security_groups(aws_retry=True, Filters=by_group)[
            "SecurityGroups"
        ],
    }
    if not params["ssh_cidr"]:
        calls["caller"] = lambda: caller_address(params["caller_url"])
    if params["pair"]:
        calls["pairs"] = lambda: ec2.describe_key_pairs(aws_retry=True, Filters=by_pair)["KeyPairs"]
    if params["iam_name"]:
        own = iam_calls(module.client("iam"), params["iam_name"], params["policy_name"])
        calls |= {name: retry(call) for name, call in own.items()}
    return calls


def decide(module: AnsibleAWSModule) -> dict[str, Any]:
    """The module's result. Raises RefusedError."""
    params = module.params
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, dict(NOBODY))
    answers = side_by_side(calls_of(module))
    address = answers.pop("caller", "")
    trouble = f"Request failed: {address}" if isinstance(address, Exception) else ""
    caller = Caller(params["caller_url"], "" if trouble else address, trouble)
    cidr = ssh_range(params["ssh_cidr"], caller)
    for each in answers.values():
        if isinstance(each, BaseException):
            raise each
    opened = plan(cloudtop, params["group"], answers["groups"], cidr)
    shown, policy = answers.get("profile", {}), answers.get("policy", {})
    return {
        **asdict(opened),
        "has_pair": bool(answers.get("pairs")),
        "profile": asdict(profile(cloudtop, params["iam_name"], shown, policy)),
    }


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP, LOOK),
            "group": {"type": "str", "required": True},
            "ssh_cidr": {"type": "str", "default": ""},
            "caller_url": {"type": "str", "required": True},
            "pair": {"type": "str", "default": ""},
            "iam_name": {"type": "str", "default": ""},
            "policy_name": {"type": "str", "default": "attach-volume"},
        },
        decide,
        "AWS could not be asked about the access",
    )


if __name__ == "__main__":
    main()
