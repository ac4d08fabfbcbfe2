#!/usr/bin/python
"""The zones of a region that can run an instance type on spot, cheapest first."""

from __future__ import annotations

import botocore.exceptions
from ansible.module_utils.ec2_offers import (
    by_choice,
    latest_prices,
    lowest_price,
    offered_zones,
    price_history,
    subnet_zones,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

DOCUMENTATION = r"""
---
module: ec2_spot_zones_info
short_description: List the zones that offer an instance type, cheapest spot price first
description:
  - A zone counts if the type is offered there and if the default VPC has a subnet in it.
  - With O(further), zones that offer more of those types come first.
author: The cloudtop authors
options:
  instance_type:
    description: The instance type.
    type: str
    required: true
  further:
    description: More instance types, any of which would do as well.
    type: list
    elements: str
    default: []
  zone:
    description: The only zone that counts for RV(lowest); empty for all that can be used.
    type: str
    default: ""
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Look up the cheapest zone
  ec2_spot_zones_info:
    instance_type: m5d.4xlarge
"""

RETURN = r"""
offered:
  description: Names of all zones that offer the type.
  type: list
  elements: str
  returned: always
zones:
  description:
    - Names of the zones that can be used for the type, cheapest first.
    - Those that offer more of the further types come before.
  type: list
  elements: str
  returned: always
by_type:
  description: Names of the zones that can be used for each type, in the order of the types.
  type: dict
  returned: always
prices:
  description: The current spot price in dollars an hour by zone, if EC2 gives one.
  type: dict
  returned: always
lowest:
  description:
    - The lowest current price of any of the types in the zones that can be used, with its
      C(dollars) an hour, C(type) and C(zone). Empty if EC2 gives none.
  type: dict
  returned: always
"""


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "instance_type": {"type": "str", "required": True},
            "further": {"type": "list", "elements": "str", "default": []},
            "zone": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    instance_type = module.params["instance_type"]
    client = module.client("ec2")
    retry = AWSRetry.jittered_backoff()
    try:
        offered = retry(offered_zones)(client, instance_type)
        subnets = retry(subnet_zones)(client)
        usable = offered & subnets
        further = {
            name: retry(offered_zones)(client, name) & subnets for name in module.params["further"]
        }
        by_type = {instance_type: usable, **further}
        prices = {
            name: latest_prices(retry(price_history)(client, name)) if zones else {}
            for name, zones in by_type.items()
        }
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg=f"The zones of {instance_type} can't be listed")
    only = module.params["zone"]
    counted = {name: {at for at in zones if only in ("", at)} for name, zones in by_type.items()}
    module.exit_json(
        changed=False,
        offered=sorted(offered),
        zones=by_choice(usable, list(further.values()), prices[instance_type]),
        by_type={name: sorted(at) for name, at in by_type.items()},
        prices=prices[instance_type],
        lowest=lowest_price(prices, counted),
    )


if __name__ == "__main__":
    main()
