#!/usr/bin/python
"""The machine of a cloudtop's live spot request: looked up, stopped or started, and tagged."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_options import CLOUDTOP, LOOK, VOLUME, arguments
from ansible.module_utils.ec2_ours import (
    Cloudtop,
    NothingThereError,
    RefusedError,
    instance_store_disks,
    refuse,
)
from ansible.module_utils.ec2_requests import Picture, Request, look, wait
from ansible.module_utils.request_plan import facts, missing_tags
from ansible.module_utils.request_refusals import (
    missing,
    no_machine,
    power_refusal,
    refuse_strangers,
    unstartable,
    unstoppable,
)
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import AnsibleEC2Error
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import (
    ansible_dict_to_boto3_tag_list,
)

DOCUMENTATION = r"""
---
module: ec2_spot_machine
short_description: The machine of a cloudtop's live spot request
description:
  - A machine that its owner stopped is started, one that runs is stopped; its request and its
    disks are kept. The machine and its root disk get the tags that they lack.
  - Fails with one sentence if there is no such machine, or if only EC2 can start it.
author: The cloudtop authors
options:
  state:
    description: The wanted state; C(found) changes nothing and fails unless it runs.
    type: str
    choices: [found, running, stopped]
    default: found
  inventory:
    description: Hosts of which the found machine has to be one.
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds to wait for the machine.
    type: int
    default: 600
extends_documentation_fragment:
  - cloudtop_options.look
  - cloudtop_options
  - cloudtop_options.volume
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure the machine is stopped
  ec2_spot_machine:
    name: cloudtop
    owner: alice
    volume: "{{ persistent_volume_facts }}"
    state: stopped
"""

RETURN = r"""
facts:
  description:
    - The request's id; the machine's id, address, zone, type and number of disks. Empty in check
      mode if there is no machine.
  type: dict
  returned: always
steps:
  description: The steps with the id of their resource; C(step) is one of start, stop and tag.
  type: list
  elements: dict
  returned: always
refused:
  description: Why the real run would refuse.
  type: str
  returned: in check mode, if there is no machine
"""

# EC2 may show a state from before a call that it has just answered
STALE_SECONDS = 30


class Machine:
    """The machine of the live request, on its way to one state before a deadline."""

    def __init__(self, client: Any, cloudtop: Cloudtop, deadline: int, check_mode: bool) -> None:
        self.client = client
        self.cloudtop = cloudtop
        self.deadline = deadline
        self.dry = check_mode
        # Each is start, stop or tag, with the id of its resource
        self.steps: list[dict[str, str]] = []
        self.picture: Picture = look(client, cloudtop.identity)

    @property
    def request(self) -> Request | None:
        """The live request, as it was seen last."""
        return next(iter(self.picture.live), None)

    def running_request(self, inventory: list[str]) -> Request | None:
        """The request of a machine that runs. Raises RefusedError."""
        refuse_strangers(self.cloudtop, self.picture)
        if reason := missing(self.cloudtop, self.picture, inventory):
            raise NothingThereError(reason)
        return self.request

    def running(self) -> Request | None:
        """The request, its machine running with all tags. Raises RefusedError."""
        refuse_strangers(self.cloudtop, self.picture)
        request = self.request
        reason = unstartable(self.cloudtop, request)
        if request is None:
            raise NothingThereError(reason)
        if reason:
            raise RefusedError(reason)
        verdict = request.verdict
        if verdict == "waiting" and not self.dry:
            verdict = self._wait(request.id)
        if verdict == "stopped-by-user":
            self._power("start_instances", request.instance["id"])
            if not self.dry:
                self._wait(request.id, "stopped-by-user", seconds=STALE_SECONDS)
                verdict = self._wait(request.id)
        if verdict != "running" and not self.dry:
            seen = self.picture.request(request.id)
            raise RefusedError(no_machine(seen, request.id, self.deadline))
        if self.request:
            self._tag(self.request.instance)
        return self.request

    def stopped(self) -> Request | None:
        """The request, its machine stopped. Raises RefusedError."""
        refuse_strangers(self.cloudtop, self.picture)
        request = self.request
        reason = unstoppable(self.cloudtop, request)
        if request is None:
            raise NothingThereError(reason)
        if reason:
            raise RefusedError(reason)
        if request.instance.get("state") in ("pending", "running"):
            self._power("stop_instances", request.instance["id"])
        if request.verdict == "stopped-by-user" or self.dry:
            return request
        self._wait(request.id, "running", seconds=STALE_SECONDS)
        if self._wait(request.id) != "stopped-by-user":
            seen = self.picture.request(request.id) or request
            raise RefusedError(
                f"The machine of {request.id} was not stopped within {self.deadline} s: the"
                f" request is {seen.state} ({seen.code}); look again with: python runner.py status"
            )
        return self.request

    def _wait(self, request_id: str, *passing: str, seconds: int | None = None) -> str:
        self.picture, verdict = wait(
            self.client,
            self.cloudtop.identity,
            request_id,
            self.deadline if seconds is None else seconds,
            passing or ("none", "waiting"),
        )
        return str(verdict)

    def _power(self, call: str, instance_id: str) -> None:
        """Stop or start it. Raises RefusedError with EC2's reason."""
        self.steps.append({"step": call.partition("_")[0], "id": instance_id})
        if self.dry:
            return
        try:
            getattr(self.client, call)(aws_retry=True, InstanceIds=[instance_id])
        except botocore.exceptions.ClientError as error:
            reason = error.response["Error"]
            raise RefusedError(power_refusal(reason["Code"], reason["Message"])) from error

    def _tag(self, instance: dict[str, Any]) -> None:
        for resource, tags in missing_tags(self.cloudtop, instance).items():
            self.steps.append({"step": "tag", "id": resource})
            if not self.dry:
                self.client.create_tags(
                    aws_retry=True, Resources=[resource], Tags=ansible_dict_to_boto3_tag_list(tags)
                )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **arguments(CLOUDTOP, VOLUME, LOOK),
            "state": {
                "type": "str",
                "choices": ["found", "running", "stopped"],
                "default": "found",
            },
            "inventory": {"type": "list", "elements": "str", "default": []},
            "deadline": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    params = module.params
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, params["volume"])
    try:
        machine = Machine(client, cloudtop, params["deadline"], module.check_mode)
        if params["state"] == "found":
            request = machine.running_request(params["inventory"])
        elif params["state"] == "running":
            request = machine.running()
        else:
            request = machine.stopped()
        kind = request.instance.get("type", "") if request else ""
        disks = instance_store_disks(client, kind) if kind else -1
    except RefusedError as refused:
        refuse(module, refused, facts={}, steps=[])
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="EC2 refused a call for the machine")
    module.exit_json(
        changed=bool(machine.steps),
        facts=facts(request, disks) if request else {},
        steps=machine.steps,
    )


if __name__ == "__main__":
    main()
