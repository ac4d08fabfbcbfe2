#!/usr/bin/python
"""A volume at one machine: waited for until another lets go, never taken from it."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_resources import Volume
from ansible.module_utils.ec2_ours import DENIED, RefusedError
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_volume_attached
short_description: Attach a volume to a machine that may not do it by itself
description:
  - Waits while another machine has the volume, and does not take it from that one.
  - Fails with one sentence if the machine does not get it.
author: The cloudtop authors
options:
  volume:
    description: Id of the volume.
    type: str
    required: true
  instance:
    description: Id of the machine.
    type: str
    required: true
  device:
    description: The name under which EC2 attaches it.
    type: str
    default: /dev/xvdj
  deadline:
    description: Seconds in which the volume has to be at the machine.
    type: int
    default: 600
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure the machine has its volume
  ec2_volume_attached:
    volume: vol-0123456789abcdef0
    instance: i-0123456789abcdef0
"""

RETURN = r"""# Nothing but changed"""

POLL_SECONDS = 3
# No later answer differs from these; any other may pass, as in cloudtop-attach on the machine
FINAL = ("InvalidParameterValue", "InvalidVolume.NotFound", "InvalidVolume.ZoneMismatch")


class Attaching:
    """The way of a volume to one machine."""

    def __init__(self, client: Any, volume_id: str, instance_id: str, device: str) -> None:
        self.client = client
        self.volume_id, self.instance_id, self.device = volume_id, instance_id, device
        self.changed = False
        # The reason of the last wait
        self.awaited = ""

    def step(self, dry: bool = False) -> bool:
        """Look once and do the next thing; true at the end. Raises RefusedError."""
        by_id = [{"Name": "volume-id", "Values": [self.volume_id]}]
        volumes = self.client.describe_volumes(aws_retry=True, Filters=by_id)["Volumes"]
        volume = Volume.from_ec2(volumes[0]) if volumes else Volume(self.volume_id)
        if self.instance_id in volume.instance_ids:
            states = [each["State"] for each in volumes[0]["Attachments"]]
            self.awaited = f"it is {states[0]} at {self.instance_id}"
            return "attached" in states
        if volume.attachments:
            self.awaited = f"{volume.instance_ids[0]} still has it"
            return False
        self.awaited = f"it is {volume.state or 'invisible'}"
        if volume.state == "available":
            self.changed = True
            if dry:
                return True
            self._attach()
        return False

    def _attach(self) -> None:
        try:
            self.client.attach_volume(
                VolumeId=self.volume_id, InstanceId=self.instance_id, Device=self.device
            )
        except botocore.exceptions.ClientError as error:
            code, text = (error.response["Error"][key] for key in ("Code", "Message"))
            if code in (*FINAL, *DENIED):
                if "already in use" in text:
                    self._refuse_taken_place()
                raise RefusedError(
                    f"EC2 refused to attach {self.volume_id} to {self.instance_id} ({code}:"
                    f" {text.removesuffix('.')}); ask for the permission ec2:AttachVolume if that"
                    " is it, and run: python runner.py converge"
                ) from error
            self.awaited = f"{code}: {text.removesuffix('.')}"

    def _refuse_taken_place(self) -> None:
        """Raise RefusedError if another volume has the device name. EC2 does not say which one."""
        here = [{"Name": "attachment.instance-id", "Values": [self.instance_id]}]
        for each in self.client.describe_volumes(aws_retry=True, Filters=here)["Volumes"]:
            places = [_bare(one["Device"]) for one in each["Attachments"]]
            if _bare(self.device) in places and each["VolumeId"] != self.volume_id:
                raise RefusedError(
                    f"{self.volume_id} cannot be attached: {each['VolumeId']} has its place,"
                    f" {self.device}, at {self.instance_id}. To free that, unmount it there, then:"
                    f" aws ec2 detach-volume --volume-id {each['VolumeId']}, and run: python"
                    " runner.py converge"
                )


def _bare(device: str) -> str:
    """On a machine /dev/sdj and /dev/xvdj are one name."""
    return device.replace("/dev/xvd", "/dev/sd")


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "volume": {"type": "str", "required": True},
            "instance": {"type": "str", "required": True},
            "device": {"type": "str", "default": "/dev/xvdj"},
            "deadline": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    volume, instance, device = (module.params[key] for key in ("volume", "instance", "device"))
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    attaching = Attaching(client, volume, instance, device)
    end = time.monotonic() + module.params["deadline"]
    try:
        while not attaching.step(module.check_mode) and not module.check_mode:
            if time.monotonic() >= end:
                raise RefusedError(
                    f"{volume} was not at {instance} within {module.params['deadline']} s:"
                    f" {attaching.awaited}; look with aws ec2 describe-volumes --volume-ids"
                    f" {volume}, then run: python runner.py converge"
                )
            time.sleep(POLL_SECONDS)
    except RefusedError as refused:
        module.fail_json(msg=str(refused))
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"EC2 could not be asked about {volume}")
    module.exit_json(changed=attaching.changed)


if __name__ == "__main__":
    main()
