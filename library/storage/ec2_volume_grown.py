#!/usr/bin/python
"""A larger volume, or a note that EC2 does not let it grow yet."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_resources import Volume
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_volume_grown
short_description: Grow a volume, unless EC2 does not let it grow yet
description:
  - EC2 takes four changes of a volume in 24 hours (one in 6 hours until 2026), and none while an
    earlier one is under way, which takes hours. Neither harms the volume as it is, so the answer
    is a note. M(amazon.aws.ec2_vol) fails, and does not say by which of EC2's codes.
  - Type and performance stay. A volume that is large enough is left alone.
author: The cloudtop authors
options:
  volume:
    description: Id of the volume.
    type: str
    required: true
  size:
    description: GiB.
    type: int
    required: true
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure the volume has 100 GiB
  ec2_volume_grown:
    volume: vol-0123456789abcdef0
    size: 100
"""

RETURN = r"""
size:
  description: GiB that the volume has, or grows to.
  type: int
  returned: always
note:
  description: Why it does not grow yet and what to do; empty if it does.
  type: str
  returned: always
"""

TOO_MANY, WRONG_STATE = "VolumeModificationRateExceeded", "IncorrectModificationState"
# EC2 gives the second code for a volume in another state than these, too, and while it changes
USABLE = ("available", "in-use")


def look(client: Any, volume_id: str) -> Volume:
    """The volume now."""
    (shown,) = client.describe_volumes(aws_retry=True, VolumeIds=[volume_id])["Volumes"]
    return Volume.from_ec2(shown)


def grow(client: Any, volume: Volume, size: int) -> str:
    """Ask for the size; why it can't be had yet, or nothing. Raises botocore's errors."""
    try:
        client.modify_volume(VolumeId=volume.volume_id, Size=size)
    except botocore.exceptions.ClientError as error:
        code, text = (error.response["Error"][key] for key in ("Code", "Message"))
        if code == TOO_MANY:
            when = "the oldest of its last changes is a day old"
        elif code == WRONG_STATE and volume.state in USABLE:
            when = "its last change is completed, within some hours"
        else:
            raise
        return (
            f"The volume {volume.volume_id} keeps its {volume.size} GiB for now, because EC2 does"
            f" not let it grow to {size} GiB yet ({code}: {text.removesuffix('.')}); once {when},"
            " run: python runner.py provision"
        )
    return ""


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "volume": {"type": "str", "required": True},
            "size": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    volume_id, size = module.params["volume"], module.params["size"]
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    try:
        volume = look(client, volume_id)
        if volume.size >= size:
            module.exit_json(changed=False, size=volume.size, note="")
        note = "" if module.check_mode else grow(client, volume, size)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"The volume {volume_id} could not grow to {size} GiB")
    module.exit_json(changed=not note, size=volume.size if note else size, note=note)


if __name__ == "__main__":
    main()
