#!/usr/bin/python
"""The same spot request once more, under the same client token, for EC2's reason to refuse it."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.common.dict_transformations import snake_dict_to_camel_dict
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_specifications

DOCUMENTATION = r"""
---
module: ec2_spot_request_retry
short_description: Ask again for what amazon.aws.ec2_spot_instance was refused
description:
  - M(amazon.aws.ec2_spot_instance) keeps EC2's reason to itself (10.1.2 reports only that it
    failed), so neither a token of other settings nor a new instance profile could be told.
  - Asks for exactly the same, so the client token makes it the same request, and waits while
    EC2 does not know the instance profile yet, which IAM has known for some seconds.
author: The cloudtop authors
options:
  client_token:
    description: As given to M(amazon.aws.ec2_spot_instance).
    type: str
    required: true
  spot_price:
    description: As given to M(amazon.aws.ec2_spot_instance).
    type: str
    required: true
  interruption:
    description: As given to M(amazon.aws.ec2_spot_instance).
    type: str
    required: true
  launch_specification:
    description: As given to M(amazon.aws.ec2_spot_instance).
    type: dict
    required: true
  tags:
    description: As given to M(amazon.aws.ec2_spot_instance).
    type: dict
    required: true
  deadline:
    description: Seconds to wait for the instance profile at most.
    type: int
    default: 60
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure EC2's reason is known
  ec2_spot_request_retry:
    client_token: cloudtop-1a2b3c4d-g1
    spot_price: "0.2"
    interruption: terminate
    launch_specification:
      image_id: ami-0123456789abcdef0
    tags:
      cloudtop:name: cloudtop
"""

RETURN = r"""
id:
  description: The request's id; empty if EC2 refused it again.
  type: str
  returned: always
code:
  description: EC2's error code, or empty.
  type: str
  returned: always
message:
  description: EC2's own words, or empty.
  type: str
  returned: always
"""

POLL_SECONDS = 5


def parameters(params: dict[str, Any]) -> dict[str, Any]:
    """The call that amazon.aws.ec2_spot_instance makes, with what it adds by itself."""
    spec = {**params["launch_specification"], "ebs_optimized": False, "network_interfaces": []}
    spec["placement"] = {**spec.get("placement", {}), "tenancy": "default"}
    return {
        "ClientToken": params["client_token"],
        "InstanceCount": 1,
        "InstanceInterruptionBehavior": params["interruption"],
        "LaunchSpecification": snake_dict_to_camel_dict(spec, capitalize_first=True),
        "SpotPrice": params["spot_price"],
        "TagSpecifications": boto3_tag_specifications(params["tags"], ["spot-instances-request"]),
        "Type": "persistent",
    }


def ask(client: Any, params: dict[str, Any]) -> dict[str, str]:
    """Id of the request, or EC2's code and message."""
    try:
        answer = client.request_spot_instances(aws_retry=True, **parameters(params))
    except botocore.exceptions.ClientError as error:
        told = error.response["Error"]
        return {"id": "", "code": told["Code"], "message": told["Message"]}
    except botocore.exceptions.BotoCoreError as error:
        return {"id": "", "code": type(error).__name__, "message": str(error)}
    made = answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
    return {"id": made, "code": "", "message": ""}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "client_token": {"type": "str", "required": True, "no_log": False},
            "spot_price": {"type": "str", "required": True},
            "interruption": {"type": "str", "required": True},
            "launch_specification": {"type": "dict", "required": True},
            "tags": {"type": "dict", "required": True},
            "deadline": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, id="", code="", message="")
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    end = time.monotonic() + module.params["deadline"]
    told = ask(client, module.params)
    while "Invalid IAM Instance Profile" in told["message"] and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        told = ask(client, module.params)
    module.exit_json(changed=bool(told["id"]), **told)


if __name__ == "__main__":
    main()
