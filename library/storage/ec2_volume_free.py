#!/usr/bin/python
"""A volume that no machine has any more; waited for, never taken from one."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_resources import Volume
from ansible.module_utils.ec2_ours import RefusedError
from ansible.module_utils.volume_plan import refuse_held, refuse_used
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_volume_free
short_description: Wait until no machine has a volume
description:
  - A terminated instance lets go of its volume a moment later.
  - Fails with one sentence if a machine still has it. It changes nothing.
author: The cloudtop authors
options:
  volume:
    description: Id of the volume.
    type: str
    required: true
  tags:
    description: >-
      The volume's tags as they were read; then its mark cloudtop:at-rest has to be the same still.
      If they are left out, the mark does not matter.
    type: dict
  command:
    description: The command of runner.py that goes on.
    type: str
    required: true
  aim:
    description: The change that needs a free volume.
    type: str
    choices: [replaced, deleted]
    default: replaced
  deadline:
    description: Seconds in which the volume has to come free.
    type: int
    default: 180
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure no machine has the volume
  ec2_volume_free:
    volume: vol-0123456789abcdef0
    command: restore before-upgrade
"""

RETURN = r"""# Nothing but changed, which is false"""

POLL_SECONDS = 3


def wait(client: Any, volume_id: str, seconds: int) -> Volume | None:
    """The volume, once no machine has it; as it is at the deadline, None if it is gone."""
    end = time.monotonic() + seconds
    by_id = [{"Name": "volume-id", "Values": [volume_id]}]
    while True:
        volumes = client.describe_volumes(aws_retry=True, Filters=by_id)["Volumes"]
        volume = Volume.from_ec2(volumes[0]) if volumes else None
        if not volume or not volume.attachments or time.monotonic() >= end:
            return volume
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "volume": {"type": "str", "required": True},
            "tags": {"type": "dict"},
            "command": {"type": "str", "required": True},
            "aim": {"type": "str", "choices": ["replaced", "deleted"], "default": "replaced"},
            "deadline": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        # The machine that has it would be ended before
        module.exit_json(changed=False)
    volume_id, tags, command, deadline = (
        module.params[key] for key in ("volume", "tags", "command", "deadline")
    )
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    try:
        volume = wait(client, volume_id, deadline)
        refuse_held(volume, volume_id, deadline, command, module.params["aim"])
        at_rest = None if tags is None else tags.get("cloudtop:at-rest", "")
        refuse_used(volume, volume_id, at_rest, command)
    except RefusedError as refused:
        module.fail_json(msg=str(refused))
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"EC2 could not be asked about {volume_id}")
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
