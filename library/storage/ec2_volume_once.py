#!/usr/bin/python
"""One volume for one client token, however often its making is killed and tried again."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_resources import tags_of
from ansible.module_utils.ec2_ours import filters_of, has_tags
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import (
    AnsibleEC2Error,
    describe_volumes,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_specifications

DOCUMENTATION = r"""
---
module: ec2_volume_once
short_description: Create an encrypted EBS volume under a client token
description:
  - M(amazon.aws.ec2_vol) gives no client token, so a run that is killed between the call and
    its answer would make a second volume when it is run again before EC2 shows the first.
  - EC2 answers a token that made a volume which is deleted now with that dead volume, or
    with a mismatch when other settings come with it. Then the next number of the token is
    tried.
author: The cloudtop authors
options:
  token:
    description: Names what the volume is for. A number is put behind it.
    type: str
    required: true
  zone:
    description: Availability zone.
    type: str
    required: true
  size:
    description: GiB.
    type: int
    required: true
  snapshot:
    description: Id of the snapshot that it is made of; empty for a blank volume.
    type: str
    default: ""
  type:
    description: Volume type.
    type: str
    default: gp3
  tags:
    description: Tags of the volume; with the same call, so that it is never without them.
    type: dict
    required: true
  identity:
    description:
      - The tags by which a volume of this token is found again. One with a cloudtop:role is
        another than one of the same tags without it.
    type: dict
    required: true
  deadline:
    description: Seconds in which the volume has to become available.
    type: int
    default: 120
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure the volume exists
  ec2_volume_once:
    token: cloudtop-1a2b3c4d
    zone: us-east-1a
    size: 50
    identity:
      cloudtop:name: cloudtop
    tags:
      cloudtop:name: cloudtop
      Name: cloudtop-cloudtop
"""

RETURN = r"""
volume:
  description: Its id (empty in check mode), zone, size and tags.
  type: dict
  returned: always
"""

DEAD = ("deleting", "deleted", "error")
# Deletions and new beginnings of one name within the day or so that EC2 keeps a token
LAST_NUMBER = 50
POLL_SECONDS = 2


class GoneError(Exception):
    """EC2 gave up the volume of this id while it made it."""


class Making:
    """The way to one available volume, before one deadline."""

    def __init__(self, client: Any, params: dict[str, Any]) -> None:
        self.client = client
        self.params = params
        self.end = time.monotonic() + params["deadline"]

    def volume(self) -> dict[str, Any]:
        """The volume, available. Raises TimeoutError, saying what was awaited, and GoneError."""
        for number in range(1, LAST_NUMBER + 1):
            volume_id = self._create(f"{self.params['token']}-{number}") or self._invisible()
            volume = self._available(volume_id) if volume_id else None
            if volume:
                return {
                    "id": volume_id,
                    "zone": volume["AvailabilityZone"],
                    "size": volume["Size"],
                    "tags": tags_of(volume),
                }
        raise TimeoutError(f"EC2 remembers {LAST_NUMBER} deleted volumes of this cloudtop")

    def _create(self, token: str) -> str:
        """Id that EC2 gives for the token, or '' when other settings came with it before."""
        origin = self.params["snapshot"]
        try:
            answer = self.client.create_volume(
                aws_retry=True,
                ClientToken=token,
                AvailabilityZone=self.params["zone"],
                Size=self.params["size"],
                **({"SnapshotId": origin} if origin else {}),
                VolumeType=self.params["type"],
                Encrypted=True,
                TagSpecifications=boto3_tag_specifications(self.params["tags"], ["volume"]),
            )
        except is_boto3_error_code("IdempotentParameterMismatch"):
            return ""
        return str(answer["VolumeId"])

    def _invisible(self) -> str:
        """A volume of other settings, made a moment ago by a run that was killed.

        EC2 may take a while to show it; one that stays away until the deadline is deleted.
        """
        identity = self.params["identity"]
        until = min(self.end, time.monotonic() + self.params["deadline"] / 4)
        while time.monotonic() < until:
            for volume in describe_volumes(self.client, Filters=filters_of(identity)):
                if (
                    has_tags(volume, identity)
                    and tags_of(volume).get("cloudtop:role") == identity.get("cloudtop:role")
                    and volume["State"] not in DEAD
                ):
                    return str(volume["VolumeId"])
            time.sleep(POLL_SECONDS)
        return ""

    def _available(self, volume_id: str) -> dict[str, Any] | None:
        """Wait for the volume; None when it is one that was deleted before.

        Raises GoneError for one that EC2 began to make.
        """
        seen = was_being_made = False
        until = min(self.end, time.monotonic() + self.params["deadline"] / 4)
        while True:
            volumes = describe_volumes(self.client, VolumeIds=[volume_id])
            state = volumes[0]["State"] if volumes else ""
            seen = seen or bool(volumes)
            if was_being_made and (not state or state in DEAD):
                raise GoneError(volume_id)
            was_being_made = was_being_made or state == "creating"
            if state in ("available", "in-use"):
                return dict(volumes[0])
            if state in DEAD or (not seen and time.monotonic() >= until):
                return None
            if time.monotonic() >= self.end:
                raise TimeoutError(f"{volume_id} was still {state or 'invisible'}")
            time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "token": {"type": "str", "required": True, "no_log": False},
            "zone": {"type": "str", "required": True},
            "size": {"type": "int", "required": True},
            "snapshot": {"type": "str", "default": ""},
            "type": {"type": "str", "default": "gp3"},
            "tags": {"type": "dict", "required": True},
            "identity": {"type": "dict", "required": True},
            "deadline": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        wanted = {key: module.params[key] for key in ("zone", "size", "tags")}
        module.exit_json(changed=True, volume={"id": "", **wanted})
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    try:
        volume = Making(client, module.params).volume()
    except TimeoutError as error:
        module.fail_json(
            msg=f"The volume was not made within {module.params['deadline']} s: {error};"
            " run it again: python runner.py provision"
        )
    except GoneError as gone:
        module.fail_json(
            msg=f"EC2 began to make the volume {gone} and gave it up. Mostly the default key of EBS"
            " is a customer-managed one that you may not use (kms:CreateGrant, kms:Decrypt,"
            " kms:GenerateDataKeyWithoutPlaintext, kms:ReEncrypt*): ask for that, and look with:"
            " python runner.py doctor"
        )
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="The volume could not be created")
    module.exit_json(changed=True, volume=volume)


if __name__ == "__main__":
    main()
