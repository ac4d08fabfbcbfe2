#!/usr/bin/python
"""The one next step on the way to one live spot request with its machine; nothing is changed."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from ansible.module_utils.cloudtop_options import CLOUDTOP, LOOK, VOLUME, arguments
from ansible.module_utils.cloudtop_rules import boots, image_parameter, offered_types
from ansible.module_utils.ec2_offers import (
    image_of,
    latest_prices,
    lowest_price,
    offered_zones,
    price_history,
    refuse_low_bid,
    store_mapping,
    usable_zones,
)
from ansible.module_utils.ec2_ours import (
    Cloudtop,
    RefusedError,
    answer,
    describe_types,
    instance_store_disks,
)
from ansible.module_utils.ec2_requests import look, wait
from ansible.module_utils.request_plan import Launch, Run, Wanted, facts, passed_over, plan
from ansible.module_utils.request_refusals import cannot_boot, no_image, not_offered
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_spot_request_plan
short_description: Look at a cloudtop's spot requests and decide what comes next
description:
  - Looks at the requests and their machines, at what EC2 can launch if that matters, and
    returns one step. It changes nothing.
  - Fails with one sentence if nothing may be done.
  - With a O(run) that waits for a request it first waits until EC2 has had its time.
author: The cloudtop authors
options:
  instance_type:
    description: The instance type, by preference.
    type: str
    required: true
  instance_types:
    description: Further types, in the order in which they are tried.
    type: list
    elements: str
    default: []
  bid:
    description: Dollars an hour.
    type: float
    required: true
  interruption:
    description: The way in which EC2 takes the machine back.
    type: str
    default: terminate
  image:
    description: An AMI's id; empty for the one that the parameter names.
    type: str
    default: ""
  image_parameter:
    description:
      - A public SSM parameter that holds an AMI's id. C({arch}) in it becomes amd64 or arm64, by
        the type.
    type: str
    required: true
  root_size:
    description: GiB of the root disk.
    type: int
    default: 16
  key_name:
    description: The EC2 key pair.
    type: str
    required: true
  security_group:
    description: The security group's id.
    type: str
    required: true
  instance_profile:
    description: The instance profile's name; empty for none.
    type: str
    default: ""
  valid_until:
    description: The date at which the request ends itself; empty for never.
    type: str
    default: ""
  deadline:
    description: Seconds to wait for the machine, of each type.
    type: int
    default: 600
  wait:
    description: Whether a machine is requested although the bid is below EC2's price of now.
    type: bool
    default: false
  renew:
    description: Whether a live request with another image is ended.
    type: bool
    default: false
  switch:
    description: Whether a live request that differs in anything is ended.
    type: bool
    default: false
  run:
    description: RV(run) of the plan before, with the id of what was asked for in C(asked).
    type: dict
    default: {}
  launch:
    description: RV(launch) of the plan before.
    type: dict
    default: {}
extends_documentation_fragment:
  - cloudtop_options.look
  - cloudtop_options
  - cloudtop_options.volume
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up what is to be done
  ec2_spot_request_plan:
    name: cloudtop
    owner: alice
    volume: "{{ persistent_volume_facts }}"
    instance_type: m5d.4xlarge
    bid: 0.2
    image_parameter: /aws/service/canonical/ubuntu/server/24.04/stable
    key_name: cloudtop
    security_group: sg-0123456789abcdef0
    instance_profile: cloudtop
"""

RETURN = r"""
step:
  description: One of end, ask, wait, start, adopt and keep.
  type: str
  returned: always
notes:
  description: Messages that people should read before the step is taken.
  type: list
  elements: str
  returned: always
request:
  description: >-
    Options of M(amazon.aws.ec2_spot_instance) for the step ask, and valid_until, which only
    M(ec2_spot_request_retry) has.
  type: dict
  returned: always
mark:
  description: Tags that the volume gets before the request.
  type: dict
  returned: always
unmark:
  description: Tags that the volume loses before the request.
  type: dict
  returned: always
run:
  description: The steps that this run has taken so far, for the next plan.
  type: dict
  returned: always
launch:
  description: The image and types that EC2 can launch, for the next plan; empty if not needed.
  type: dict
  returned: always
facts:
  description: The kept request and its machine; empty if there is none.
  type: dict
  returned: always
"""


def launchable(module: AnsibleAWSModule, client: Any, cloudtop: Cloudtop, wanted: Wanted) -> Launch:
    """The image and types that EC2 can launch in the volume's zone. Raises RefusedError if none."""
    types = describe_types(client, list(wanted.types))
    name = image_parameter(module.params["image_parameter"], types.get(wanted.types[0]))
    ssm = module.client("ssm")
    ident = wanted.image or parameter(ssm, name)
    image = image_of(client, ident)
    if image is None:
        raise RefusedError(no_image(module.region, ident, name))
    for each in wanted.types:
        if not boots(image, types.get(each)):
            fitting = parameter(ssm, name) if wanted.image else ""
            raise RefusedError(cannot_boot(image, types[each], fitting))
    zones = usable_zones(client, list(wanted.types))
    usable = offered_types(wanted.types, cloudtop.volume["zone"], zones)
    if not usable:
        offered = sorted(offered_zones(client, wanted.types[0]))
        raise RefusedError(not_offered(cloudtop, wanted.types, offered))
    if not module.params["wait"] and not module.params["run"]:
        # One that is there already is waited for, whatever the price
        zone = cloudtop.volume["zone"]
        prices = {each: latest_prices(price_history(client, each)) for each in usable}
        refuse_low_bid(wanted.bid, lowest_price(prices, {each: {zone} for each in usable}))
    stores = {
        name: store_mapping(image.devices, kind.store_disks)
        for name, kind in types.items()
        if name in usable and kind.store_is_mapped
    }
    return Launch(ident, image.root_device_name, image.root_size, usable, stores)


def parameter(ssm: Any, name: str) -> str:
    """The value of an SSM parameter; empty if there is none or it may not be read."""
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except is_boto3_error_code(["ParameterNotFound", "AccessDenied", "AccessDeniedException"]):
        return ""


def decide(module: AnsibleAWSModule) -> dict[str, Any]:
    """The module's result. Raises RefusedError."""
    params = module.params
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    cloudtop = Cloudtop(params["name"], params["owner"], module.region, params["volume"])
    kept = ("bid", "interruption", "image", "key_name", "security_group", "instance_profile")
    others = ("valid_until", "deadline", "switch", "renew")
    wanted = Wanted(
        types=list(dict.fromkeys([params["instance_type"], *params["instance_types"]])),
        **{key: params[key] for key in (*kept, "root_size", *others)},
    )
    run = Run(**params["run"])
    launch = Launch(**params["launch"]) if params["launch"] else None
    if run.asked:
        picture, _ = wait(client, cloudtop.identity, run.asked, run.patience)
    else:
        picture = look(client, cloudtop.identity)
    following = plan(cloudtop, wanted, picture, run, launch, module.check_mode)
    if following.step == "look":
        launch = launchable(module, client, cloudtop, wanted)
        following = plan(cloudtop, wanted, picture, run, launch, module.check_mode)
        others = passed_over(cloudtop, wanted.types, launch.usable)
        following = replace(following, notes=[*others, *following.notes])
    request = following.kept
    instance = request.instance if request else {}
    disks = instance_store_disks(client, instance["type"]) if instance else -1
    return {
        "step": following.step,
        "notes": following.notes,
        "request": following.request,
        "mark": following.mark,
        "unmark": following.unmark,
        "run": asdict(following.run),
        "launch": asdict(launch) if launch else {},
        "facts": facts(request, disks) if request else {},
    }


def main() -> None:
    answer(
        {
            **arguments(CLOUDTOP, VOLUME, LOOK),
            "instance_type": {"type": "str", "required": True},
            "instance_types": {"type": "list", "elements": "str", "default": []},
            "bid": {"type": "float", "required": True},
            "interruption": {"type": "str", "default": "terminate"},
            "image": {"type": "str", "default": ""},
            "image_parameter": {"type": "str", "required": True},
            "root_size": {"type": "int", "default": 16},
            "key_name": {"type": "str", "required": True, "no_log": False},
            "security_group": {"type": "str", "required": True},
            "instance_profile": {"type": "str", "default": ""},
            "valid_until": {"type": "str", "default": ""},
            "deadline": {"type": "int", "default": 600},
            "wait": {"type": "bool", "default": False},
            "renew": {"type": "bool", "default": False},
            "switch": {"type": "bool", "default": False},
            "run": {"type": "dict", "default": {}},
            "launch": {"type": "dict", "default": {}},
        },
        decide,
        "EC2 could not be asked what it can launch",
    )


if __name__ == "__main__":
    main()
