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
  - M(amazon.aws.ec2_spot_instance) knows no O(valid_until), so a request with one is made here.
  - Fails with EC2's reason and what to do if EC2 refuses it again.
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
  valid_until:
    description: The time at which the request ends itself (2027-03-31T18:00:00Z); empty for never.
    type: str
    default: ""
  volume:
    description: Id of the volume whose tag holds the generation.
    type: str
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
- name: Ensure EC2 took the request
  ec2_spot_request_retry:
    client_token: cloudtop-1a2b3c4d-g1
    spot_price: "0.2"
    interruption: terminate
    launch_specification:
      image_id: ami-0123456789abcdef0
    tags:
      cloudtop:name: cloudtop
    volume: vol-0123456789abcdef0
"""

RETURN = r"""
id:
  description: The request's id; empty in check mode.
  type: str
  returned: always
"""

POLL_SECONDS = 5
NO_ANSWER = "no answer"


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
        **({"ValidUntil": params["valid_until"]} if params["valid_until"] else {}),
    }


def ask(client: Any, params: dict[str, Any]) -> dict[str, str]:
    """Id of the request, or EC2's code and message."""
    try:
        answer = client.request_spot_instances(aws_retry=True, **parameters(params))
    except botocore.exceptions.ClientError as error:
        reason = error.response["Error"]
        return {"id": "", "code": reason["Code"], "message": reason["Message"]}
    except botocore.exceptions.BotoCoreError as error:
        return {"id": "", "code": NO_ANSWER, "message": f"{type(error).__name__}: {error}"}
    request_id = answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
    return {"id": request_id, "code": "", "message": ""}


def refusal(params: dict[str, Any], code: str, message: str) -> str:
    """Why EC2 refused the request, and what to do."""
    generation = params["tags"].get("cloudtop:generation", "1")
    remedies = {
        "IdempotentParameterMismatch": (
            f"it remembers a request of other settings as generation {generation}: wait a minute"
            " for it and run python runner.py provision, or, if it is gone for good, aws ec2"
            f" create-tags --resources {params['volume']} --tags"
            f" Key=cloudtop:generation,Value={int(generation) + 1}"
        ),
        "MaxSpotInstanceCountExceeded": (
            "ask AWS for a larger spot quota, or run: python runner.py provision -e"
            " cloudtop_instance_type=SMALLER"
        ),
        "UnauthorizedOperation": ("ask for that permission, and run: python runner.py provision"),
    }
    if code == NO_ANSWER:
        return (
            "EC2 gave no answer to the request for"
            f" {params['launch_specification'].get('instance_type')} ({message.removesuffix('.')});"
            " if it took it, the next run finds it: python runner.py provision"
        )
    return (
        f"EC2 refused the request for {params['launch_specification'].get('instance_type')} at"
        f" ${float(params['spot_price']):g} an hour ({code}: {message.removesuffix('.')});"
        f" {remedies.get(code, 'change that, and run: python runner.py provision')}"
    )


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "client_token": {"type": "str", "required": True, "no_log": False},
            "spot_price": {"type": "str", "required": True},
            "interruption": {"type": "str", "required": True},
            "launch_specification": {"type": "dict", "required": True},
            "tags": {"type": "dict", "required": True},
            "valid_until": {"type": "str", "default": ""},
            "volume": {"type": "str", "required": True},
            "deadline": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True, id="")
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    end = time.monotonic() + module.params["deadline"]
    answer = ask(client, module.params)
    while "Invalid IAM Instance Profile" in answer["message"] and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        answer = ask(client, module.params)
    if not answer["id"]:
        module.fail_json(msg=refusal(module.params, answer["code"], answer["message"]))
    module.exit_json(changed=True, id=answer["id"])


if __name__ == "__main__":
    main()
