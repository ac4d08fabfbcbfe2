#!/usr/bin/python
"""One lifecycle policy for the snapshots of one volume, or none."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_options import LOOK, arguments
from ansible.module_utils.ec2_ours import THROTTLED
from ansible.module_utils.snapshot_schedule_plan import holds, wanted_policy
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: dlm_policy_once
short_description: One policy of Data Lifecycle Manager with given tags, or none
description:
  - Amazon gives CreateLifecyclePolicy no client token, so two runs at once can make two. After
    it all policies with the tags are looked at again; every run keeps the same one and the
    others are deleted.
  - The snapshots that a policy took outlive it.
author: The cloudtop authors
options:
  identity:
    description: The tags by which the policy is found.
    type: dict
    required: true
  state:
    description: Whether there is to be one; C(absent) deletes all that have the tags.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: Text for people; letters, digits, spaces, _ and -.
    type: str
    default: ""
  role:
    description: ARN of the role that Data Lifecycle Manager takes on; empty in check mode.
    type: str
    default: ""
  target:
    description: The one tag of the volumes that snapshots are taken of.
    type: dict
    default: {}
  name:
    description: Name of the schedule. Snapshots of another name are nobody's to delete.
    type: str
    default: cloudtop
  hours:
    description: Hours between two snapshots.
    type: int
    default: 24
  time:
    description: One of the times of a day, HH:MM in UTC.
    type: str
    default: "03:00"
  keep:
    description: How many snapshots are kept of a volume.
    type: int
    default: 7
  tags:
    description: Tags that each snapshot gets beside those of its volume.
    type: dict
    default: {}
  deadline:
    description: Seconds that a new role has until every service sees it.
    type: int
    default: 60
extends_documentation_fragment:
  - cloudtop_options.look
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure snapshots are taken every six hours
  dlm_policy_once:
    identity:
      cloudtop:name: cloudtop
    role: arn:aws:iam::123456789012:role/snapshots
    description: Snapshots of cloudtop
    target:
      cloudtop:scheduled: alice/cloudtop
    hours: 6
"""

RETURN = r"""
policy:
  description: Its id; empty if there is none, and in check mode.
  type: str
  returned: always
"""

POLL_SECONDS = 2


class Policies:
    """The policies of one identity, looked up anew for every step."""

    def __init__(self, client: Any, params: dict[str, Any], check_mode: bool = False) -> None:
        self.client = client
        self.params = params
        self.dry = check_mode
        self.changed = False
        self.end = time.monotonic() + params["deadline"]

    def look(self) -> list[str]:
        """Ids of all with the tags; the one that every run keeps comes first."""
        try:
            policies = self.client.get_lifecycle_policies(aws_retry=True)["Policies"]
        except is_boto3_error_code(["AccessDenied", "AccessDeniedException"]):
            if self.params["state"] == "present":
                raise
            # Credentials that may not even look have never made one
            return []
        mine = self.params["identity"].items()
        return sorted(each["PolicyId"] for each in policies if mine <= each.get("Tags", {}).items())

    def one(self) -> str:
        policies = self.look()
        if not policies:
            self.changed = True
            if self.dry:
                return ""
            policies = self._make()
        else:
            self._bring_up_to_date(policies[0])
        for surplus in policies[1:]:
            self._delete(surplus)
        return policies[0]

    def none(self) -> None:
        for each in self.look():
            self._delete(each)

    def _make(self) -> list[str]:
        while True:
            try:
                self.client.create_lifecycle_policy(
                    **wanted_policy(self.params), Tags=self.params["identity"]
                )
            except is_boto3_error_code("InvalidRequestException") as error:
                # Another run has just made it, or not every service sees a new role yet
                late = time.monotonic() >= self.end
                if not (policies := self.look()) and ("role" not in str(error).lower() or late):
                    raise
            except is_boto3_error_code(THROTTLED):
                if time.monotonic() >= self.end:
                    raise
                policies = self.look()
            else:
                policies = self.look()
            if policies:
                return policies
            if time.monotonic() >= self.end:
                raise TimeoutError("the policy that was made")
            time.sleep(POLL_SECONDS)

    def _bring_up_to_date(self, ident: str) -> None:
        policy = self.client.get_lifecycle_policy(aws_retry=True, PolicyId=ident)["Policy"]
        wanted = wanted_policy(self.params)
        if holds(policy, wanted):
            return
        self.changed = True
        if not self.dry:
            self.client.update_lifecycle_policy(aws_retry=True, PolicyId=ident, **wanted)

    def _delete(self, ident: str) -> None:
        self.changed = True
        if self.dry:
            return
        try:
            self.client.delete_lifecycle_policy(aws_retry=True, PolicyId=ident)
        except is_boto3_error_code("ResourceNotFoundException"):
            # Another run was quicker
            return


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **arguments(LOOK),
            "identity": {"type": "dict", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "description": {"type": "str", "default": ""},
            "role": {"type": "str", "default": ""},
            "target": {"type": "dict", "default": {}},
            "name": {"type": "str", "default": "cloudtop"},
            "hours": {"type": "int", "default": 24},
            "time": {"type": "str", "default": "03:00"},
            "keep": {"type": "int", "default": 7},
            "tags": {"type": "dict", "default": {}},
            "deadline": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    client = module.client("dlm", retry_decorator=AWSRetry.jittered_backoff())
    policies, policy = Policies(client, module.params, module.check_mode), ""
    try:
        if module.params["state"] == "absent":
            policies.none()
        else:
            policy = policies.one()
    except TimeoutError as error:
        module.fail_json(msg=f"Data Lifecycle Manager did not show {error}; run it again")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="Data Lifecycle Manager refused a call")
    module.exit_json(changed=policies.changed, policy=policy)


if __name__ == "__main__":
    main()
