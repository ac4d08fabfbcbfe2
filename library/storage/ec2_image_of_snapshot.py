#!/usr/bin/python
"""An AMI of a snapshot of a root disk, like the one that an instance was launched from."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.ec2_offers import store_mapping
from ansible.module_utils.ec2_ours import ONCE, ask_once, describe_types, has_tags
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import (
    AnsibleEC2Error,
    describe_images,
    describe_instances,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_specifications

DOCUMENTATION = r"""
---
module: ec2_image_of_snapshot
short_description: Register an AMI of a root disk's snapshot
description:
  - M(amazon.aws.ec2_ami) cannot say that machines of the image need metadata tokens (IMDSv2),
    and RequestSpotInstances cannot say it either, so the image has to.
  - Architecture, boot mode, drivers and the mapping of instance-store disks are those of an
    instance that runs from such a disk.
  - A name that is taken by an image of this snapshot means that it was made before.
author: The cloudtop authors
options:
  name:
    description: The image's name, one of its kind in the account and region.
    type: str
    required: true
  description:
    description: Text about it for people.
    type: str
    default: ""
  snapshot:
    description: Id of the snapshot of the root disk.
    type: str
    required: true
  like:
    description: Id of an instance that the image's machines are to be like.
    type: str
    required: true
  no_device:
    description: Device names that the image maps nothing to.
    type: list
    elements: str
    default: []
  tags:
    description: Tags of the image.
    type: dict
    required: true
  deadline:
    description: Seconds in which the image has to become available.
    type: int
    default: 600
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure the snapshot is an image
  ec2_image_of_snapshot:
    name: cloudtop-snap-0123456789abcdef0
    snapshot: snap-0123456789abcdef0
    like: i-0123456789abcdef0
    tags:
      cloudtop:name: cloudtop
"""

RETURN = r"""
image_id:
  description: The image's id; empty in check mode.
  type: str
  returned: always
name:
  description: Its name.
  type: str
  returned: always
created:
  description: When it was made, as EC2 writes it.
  type: str
  returned: always
"""

POLL_SECONDS = 2
# RegisterImage takes these over from DescribeInstances, under the same names. Whether ENA is
# there is a choice that EC2 makes for no image by itself.
TAKEN_OVER = ("Architecture", "BootMode", "EnaSupport", "TpmSupport", "VirtualizationType")


def mapped_stores(client: Any, instance: dict[str, Any]) -> list[dict[str, str]]:
    """Entries for the instance's own instance-store disks, if only a launch's mapping has them."""
    known = describe_types(client, [instance["InstanceType"]]).get(instance["InstanceType"])
    if known is None or not known.store_is_mapped:
        return []
    return [
        {"DeviceName": each["device_name"], "VirtualName": each["virtual_name"]}
        for each in store_mapping([], known.store_disks)
    ]


def registration(
    params: dict[str, Any], instance: dict[str, Any], stores: list[dict[str, str]]
) -> dict[str, Any]:
    """The parameters of RegisterImage. ``stores`` are its entries for instance-store disks."""
    root = instance["RootDeviceName"]
    return {
        "Name": params["name"],
        "Description": params["description"],
        "RootDeviceName": root,
        "BlockDeviceMappings": [
            {
                "DeviceName": root,
                "Ebs": {
                    "SnapshotId": params["snapshot"],
                    "VolumeType": "gp3",
                    "DeleteOnTermination": True,
                },
            },
            *stores,
            *({"DeviceName": name, "NoDevice": ""} for name in params["no_device"]),
        ],
        "ImdsSupport": "v2.0",
        "TagSpecifications": boto3_tag_specifications(params["tags"], ["image"]),
        **{key: instance[key] for key in TAKEN_OVER if instance.get(key)},
    }


def made_before(client: Any, params: dict[str, Any]) -> dict[str, Any] | None:
    """Our image of that name. Raises ValueError if somebody else's has the name."""
    by_name = [{"Name": "name", "Values": [params["name"]]}]
    for image in describe_images(client, Owners=["self"], Filters=by_name):
        ids = [each.get("Ebs", {}).get("SnapshotId") for each in image["BlockDeviceMappings"]]
        if not has_tags(image, params["tags"]) or params["snapshot"] not in ids:
            raise ValueError(
                f"The image {image['ImageId']} has the name {params['name']} already and is not of"
                f" {params['snapshot']}; rename or remove it, then run: python runner.py bake"
            )
        return dict(image)
    return None


def available(client: Any, image_id: str, deadline: int) -> dict[str, Any]:
    """The image, once it can be launched. Raises ValueError if that never comes."""
    end = time.monotonic() + deadline
    while True:
        by_id = [{"Name": "image-id", "Values": [image_id]}]
        images = describe_images(client, Owners=["self"], Filters=by_id)
        state = images[0]["State"] if images else "invisible"
        if state == "available":
            return dict(images[0])
        if state in ("failed", "invalid", "error", "deregistered") or time.monotonic() >= end:
            reason = images[0].get("StateReason", {}).get("Message", "") if images else ""
            raise ValueError(
                f"The image {image_id} is {state} {f'({reason}) ' if reason else ''}and did"
                f" not become available within {deadline} s; run: python runner.py bake"
            )
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "snapshot": {"type": "str", "required": True},
            "like": {"type": "str", "required": True},
            "no_device": {"type": "list", "elements": "str", "default": []},
            "tags": {"type": "dict", "required": True},
            "deadline": {"type": "int", "default": 600},
        },
        supports_check_mode=True,
    )
    params = module.params
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    try:
        image = made_before(client, params)
        changed = image is None
        if image is None and not module.check_mode:
            (reservation,) = describe_instances(client, InstanceIds=[params["like"]])
            (instance,) = reservation["Instances"]
            wanted = registration(params, instance, mapped_stores(client, instance))
            once = module.client("ec2", **ONCE)
            ident = ask_once(
                lambda: str(once.register_image(**wanted)["ImageId"]),
                lambda: str((made_before(client, params) or {}).get("ImageId", "")),
                time.monotonic() + params["deadline"],
                already=("InvalidAMIName.Duplicate",),
            )
            image = available(client, ident, params["deadline"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="The image could not be registered")
    facts = image or {}
    module.exit_json(
        changed=changed,
        image_id=facts.get("ImageId", ""),
        name=params["name"],
        created=facts.get("CreationDate", ""),
    )


if __name__ == "__main__":
    main()
