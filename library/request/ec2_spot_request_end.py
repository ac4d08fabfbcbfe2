#!/usr/bin/python
"""The end of a cloudtop's spot requests and instances, in the one order that ends them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible.module_utils.cloudtop_options import REQUESTS, arguments
from ansible.module_utils.cloudtop_resources import tags_of
from ansible.module_utils.cloudtop_rules import LIVE
from ansible.module_utils.ec2_ours import generation_of, instances_of, requests_of
from ansible.module_utils.request_plan import marks
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import (
    AnsibleEC2Error,
    cancel_spot_instance_requests,
    terminate_instances,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

DOCUMENTATION = r"""
---
module: ec2_spot_request_end
short_description: Cancel the spot requests of given tags, then terminate their instances
description:
  - Cancels first, as EC2 replaces an instance that is terminated while its request lives.
  - M(amazon.aws.ec2_spot_instance) does not cancel disabled requests, fails after cancelling
    an open one, and misses the instance that EC2 launched between its look and its cancel.
  - Looks again until no request is live and every instance is terminated.
author: The cloudtop authors
options:
  volume_tags:
    description: The tags of the cloudtop's volume, if there is one.
    type: dict
    default: {}
extends_documentation_fragment:
  - cloudtop_options.requests
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure the machine is gone
  ec2_spot_request_end:
    tags:
      cloudtop:name: cloudtop
      cloudtop:owner: alice
"""

RETURN = r"""
cancelled:
  description: Ids of the requests that were cancelled.
  type: list
  elements: str
  returned: always
terminated:
  description: Ids of the instances that were terminated.
  type: list
  elements: str
  returned: always
mark:
  description: >-
    Tags for the volume, so that the next request comes with a client token that EC2 has not seen;
    empty if it has them.
  type: dict
  returned: always
"""

POLL_SECONDS = 2
INVISIBLE = timedelta(minutes=10)


def left_running(request: dict[str, Any]) -> bool:
    """Whether a request was cancelled just now with an instance that may not be shown yet.

    EC2 is eventually consistent, for minutes at worst; later, a listed request can still
    have this status although its instance is long gone and forgotten.
    """
    status = request.get("Status", {})
    if status.get("Code") != "request-canceled-and-instance-running":
        return False
    return "InstanceId" in request and datetime.now(UTC) - status["UpdateTime"] < INVISIBLE


class Ending:
    """Whatever is still there, looked up anew for every step."""

    def __init__(self, client: Any, tags: dict[str, str]) -> None:
        self.client = client
        self.tags = tags
        self.cancelled: list[str] = []
        self.terminated: list[str] = []
        self.generation = 0

    def look(self) -> tuple[list[str], dict[str, str]]:
        """Ids of our live requests, and the state of each of our instances by its id."""
        requests = requests_of(self.client, self.tags)
        self.generation = max(
            [self.generation, *(generation_of(tags_of(each)) for each in requests)]
        )
        states = {each["InstanceId"]: "running" for each in requests if left_running(each)}
        ids = [request["SpotInstanceRequestId"] for request in requests]
        for instance in instances_of(self.client, self.tags, ids):
            states[instance["InstanceId"]] = instance["State"]["Name"]
        live = [each["SpotInstanceRequestId"] for each in requests if each["State"] in LIVE]
        return live, {key: state for key, state in states.items() if state != "terminated"}

    def step(self) -> str:
        """Do the one next thing; says what is awaited, or '' when all is gone.

        The instances are looked up after the cancelling of every request, so one that was
        launched in between is seen, and none can come after it.
        """
        live, instances = self.look()
        running = [key for key, state in instances.items() if state != "shutting-down"]
        if live:
            cancel_spot_instance_requests(self.client, live)
            self.cancelled += [key for key in live if key not in self.cancelled]
            return f"the cancelling of {', '.join(live)}"
        if running:
            terminate_instances(self.client, running)
            self.terminated += [key for key in running if key not in self.terminated]
        return f"the end of {', '.join(instances)}" if instances else ""


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **arguments(REQUESTS),
            "volume_tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    ending = Ending(module.client("ec2"), module.params["tags"])
    deadline = module.params["deadline"]
    end = time.monotonic() + deadline
    try:
        if module.check_mode:
            ending.cancelled, instances = ending.look()
            ending.terminated = [key for key in instances if instances[key] != "shutting-down"]
        else:
            while awaited := ending.step():
                if time.monotonic() >= end:
                    module.fail_json(
                        msg=f"EC2 did not finish {awaited} within {deadline} s;"
                        " run it again: python runner.py destroy"
                    )
                time.sleep(POLL_SECONDS)
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    module.exit_json(
        changed=bool(ending.cancelled or ending.terminated),
        cancelled=ending.cancelled,
        terminated=ending.terminated,
        mark=marks(module.params["volume_tags"], ending.generation),
    )


if __name__ == "__main__":
    main()
