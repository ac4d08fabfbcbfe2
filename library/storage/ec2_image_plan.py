#!/usr/bin/python
"""A cloudtop's images, what one is baked of, and which of them and their parts go."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible.module_utils.cloudtop_options import CLOUDTOP, LOOK, arguments
from ansible.module_utils.cloudtop_resources import Image, Snapshot, Volume
from ansible.module_utils.ec2_ours import Cloudtop, answer, filters_of
from ansible.module_utils.ec2_requests import look
from ansible.module_utils.image_plan import newest, origin, remains, surplus
from ansible.module_utils.persistent_volume_plan import NOBODY
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import describe_volumes
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_image_plan
short_description: Look at the images of a cloudtop and decide what comes next
description:
  - It changes nothing.
  - Fails with one sentence if there is no machine that an image can be baked of.
author: The cloudtop authors
options:
  question:
    description:
      - The question. C(find) is the newest image. C(origin) is the machine that one is baked of.
        C(remains) is what is left of a bake that did not end. C(surplus) is which images are too
        many.
    type: str
    choices: [find, origin, remains, surplus]
    required: true
  delete:
    description: The cloudtop's name, so that all its images remain of a bake; or empty.
    type: str
    default: ""
  keep:
    description: How many images are kept, those that a live request names beside them.
    type: int
    default: 3
extends_documentation_fragment:
  - cloudtop_options.look
  - cloudtop_options
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the newest image
  ec2_image_plan:
    name: cloudtop
    owner: alice
    question: find
"""

RETURN = r"""
image:
  description: Its id, name and time of creation; empty texts if there is none.
  type: dict
  returned: for find
origin:
  description: The instance, its root_volume, its zone and the image that it was launched from.
  type: dict
  returned: for origin
volumes:
  description: Ids of the volumes that go.
  type: list
  elements: str
  returned: for remains
snapshots:
  description: Ids of the snapshots that go.
  type: list
  elements: str
  returned: for remains
images:
  description: Ids of the images that go, with their snapshots.
  type: list
  elements: str
  returned: for remains and surplus
refused:
  description: Why the real run would refuse; nothing else is returned then.
  type: str
  returned: in check mode, if there is no machine for origin
"""


def decide(module: AnsibleAWSModule) -> dict[str, Any]:
    """The module's result. Raises RefusedError."""
    params, question = module.params, module.params["question"]
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, dict(NOBODY))
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    if question == "origin":
        return {"origin": asdict(origin(cloudtop, look(client, cloudtop.identity).live))}
    account = client.describe_images(aws_retry=True, Owners=["self"])["Images"]
    images = [Image.from_ec2(each) for each in account]
    if question == "find":
        return {"image": newest(cloudtop, images)}
    if question == "surplus":
        live = look(client, cloudtop.identity).live
        # In check mode the newest one is not there
        coming = int(module.check_mode)
        return {"images": surplus(cloudtop, images, params["keep"], live, coming)}
    filters = filters_of(cloudtop.identity)
    volumes = [Volume.from_ec2(each) for each in describe_volumes(client, Filters=filters)]
    pages = client.get_paginator("describe_snapshots").paginate(Filters=filters)
    snapshots = [Snapshot.from_ec2(each) for page in pages for each in page["Snapshots"]]
    return asdict(remains(cloudtop, volumes, snapshots, images, params["delete"]))


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP, LOOK),
            "question": {
                "type": "str",
                "choices": ["find", "origin", "remains", "surplus"],
                "required": True,
            },
            "delete": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 3},
        },
        decide,
        "EC2 could not be asked about the images",
    )


if __name__ == "__main__":
    main()
