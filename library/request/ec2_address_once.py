#!/usr/bin/python
"""One Elastic IP for one cloudtop, associated with its present machine, or none."""

from __future__ import annotations

import time
from typing import Any

import botocore.exceptions
from ansible.module_utils.cloudtop_options import LOOK, arguments
from ansible.module_utils.cloudtop_rules import LIVE
from ansible.module_utils.ec2_ours import filters_of, has_tags, requests_of
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.ec2 import (
    AnsibleEC2Error,
    describe_instances,
)
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_specifications

DOCUMENTATION = r"""
---
module: ec2_address_once
short_description: One Elastic IP with given tags, however often its making is tried
description:
  - EC2 gives AllocateAddress no client token, so two runs at once, or one that is killed and
    run again, can allocate two. After an allocation all addresses with the tags are looked at
    again, and every run keeps the same one; the others are released.
  - An address that is associated is never released as one too many.
author: The cloudtop authors
options:
  identity:
    description: The tags by which the address, and the request of its machine, are found.
    type: dict
    required: true
  tags:
    description: More tags of a new address; with the same call, so that it is never without.
    type: dict
    default: {}
  state:
    description: Whether there is to be one; C(absent) releases all that have the tags.
    type: str
    choices: [present, absent]
    default: present
  allocate:
    description: Whether one is allocated if there is none.
    type: bool
    default: false
  associate:
    description: Whether it is associated with the running instance of the live spot request.
    type: bool
    default: false
  deadline:
    description: Seconds in which EC2 has to show what was done.
    type: int
    default: 120
extends_documentation_fragment:
  - cloudtop_options.look
  - amazon.aws.common.modules
  - amazon.aws.region.modules
"""

EXAMPLES = r"""
- name: Ensure there is an address
  ec2_address_once:
    allocate: true
    identity:
      cloudtop:name: cloudtop
"""

RETURN = r"""
address:
  description: >-
    Its id (the allocation's, empty if there is none), address and instance (the id of the
    one that it is associated with, or empty). In check mode the id of one that would be
    allocated is no real one.
  type: dict
  returned: always
released:
  description: Ids of the addresses that were released.
  type: list
  returned: always
"""

POLL_SECONDS = 2
NOT_MADE = "eipalloc-not-made-yet"


class Addresses:
    """The addresses of one identity, looked up anew for every step, before one deadline."""

    def __init__(self, client: Any, params: dict[str, Any], check_mode: bool = False) -> None:
        self.client = client
        self.params = params
        self.dry = check_mode
        self.changed = False
        self.released: list[str] = []
        self.end = time.monotonic() + params["deadline"]

    def look(self) -> list[dict[str, Any]]:
        """All with the tags; the one that every run keeps comes first."""
        identity = self.params["identity"]
        try:
            answer = self.client.describe_addresses(aws_retry=True, Filters=filters_of(identity))
        except is_boto3_error_code("UnauthorizedOperation"):
            if self.params["allocate"]:
                raise
            # Credentials that may not even look have never allocated one
            return []
        ours = [each for each in answer["Addresses"] if has_tags(each, identity)]
        return sorted(ours, key=lambda each: (not _instance(each), each["AllocationId"]))

    def one(self) -> dict[str, str]:
        """The one address; empty texts if there is none."""
        addresses = self.look()
        if not addresses and self.params["allocate"]:
            self.changed = True
            addresses = [] if self.dry else self._allocate()
        for surplus in addresses[1:]:
            if not _instance(surplus):
                self._release(surplus)
        if addresses and self.params["associate"]:
            self._associate(addresses[0])
        if not addresses and self.params["allocate"]:
            # Check mode: what names the address would change with it
            return {"id": NOT_MADE, "address": "", "instance": ""}
        return {
            "id": addresses[0]["AllocationId"] if addresses else "",
            "address": addresses[0]["PublicIp"] if addresses else "",
            "instance": _instance(addresses[0]) if addresses else "",
        }

    def none(self) -> None:
        for each in self.look():
            if "AssociationId" in each and not self.dry:
                self._disassociate(each["AssociationId"])
            self._release(each)

    def _allocate(self) -> list[dict[str, Any]]:
        tags = {**self.params["identity"], **self.params["tags"]}
        allocation = self.client.allocate_address(
            aws_retry=True,
            Domain="vpc",
            TagSpecifications=boto3_tag_specifications(tags, ["elastic-ip"]),
        )["AllocationId"]
        while True:
            addresses = self.look()
            if allocation in [each["AllocationId"] for each in addresses]:
                return addresses
            self._pause(f"the address {allocation}")

    def _associate(self, address: dict[str, Any]) -> None:
        """Give it to the present machine, if there is one and it has another address."""
        wanted = self._machine()
        if not wanted or wanted == _instance(address):
            return
        self.changed = True
        if self.dry:
            return
        self.client.associate_address(
            aws_retry=True,
            AllocationId=address["AllocationId"],
            InstanceId=wanted,
            AllowReassociation=True,
        )
        address["InstanceId"] = wanted
        while self._seen(wanted).get("PublicIpAddress") != address["PublicIp"]:
            self._pause(f"{address['PublicIp']} at {wanted}")

    def _machine(self) -> str:
        """Id of the running instance of the live request, or empty."""
        requests = requests_of(self.client, self.params["identity"])
        for one in [each.get("InstanceId") for each in requests if each["State"] in LIVE]:
            if one and self._seen(one).get("State", {}).get("Name") == "running":
                return str(one)
        return ""

    def _seen(self, instance_id: str) -> dict[str, Any]:
        """The instance as EC2 shows it, or nothing."""
        by_id = [{"Name": "instance-id", "Values": [instance_id]}]
        reservations = describe_instances(self.client, Filters=by_id)
        return next((one for each in reservations for one in each["Instances"]), {})

    def _disassociate(self, association: str) -> None:
        try:
            self.client.disassociate_address(aws_retry=True, AssociationId=association)
        except is_boto3_error_code("InvalidAssociationID.NotFound"):
            # Its machine has ended meanwhile
            return

    def _release(self, address: dict[str, Any]) -> None:
        ident = address["AllocationId"]
        while not self.dry:
            try:
                self.client.release_address(aws_retry=True, AllocationId=ident)
                break
            except is_boto3_error_code("InvalidAllocationID.NotFound"):
                # Another run was quicker
                return
            except is_boto3_error_code("InvalidIPAddress.InUse"):
                if self.params["state"] == "present":
                    # Another run has just given it to the machine
                    return
                self._pause(f"the coming free of {address['PublicIp']}")
        self.changed = True
        self.released.append(ident)

    def _pause(self, awaited: str) -> None:
        if time.monotonic() >= self.end:
            raise TimeoutError(awaited)
        time.sleep(POLL_SECONDS)


def _instance(address: dict[str, Any]) -> str:
    return str(address.get("InstanceId") or "")


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            **arguments(LOOK),
            "identity": {"type": "dict", "required": True},
            "tags": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "allocate": {"type": "bool", "default": False},
            "associate": {"type": "bool", "default": False},
            "deadline": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    client = module.client("ec2", retry_decorator=AWSRetry.jittered_backoff())
    addresses = Addresses(client, module.params, module.check_mode)
    address = {"id": "", "address": "", "instance": ""}
    try:
        if module.params["state"] == "absent":
            addresses.none()
        else:
            address = addresses.one()
    except TimeoutError as error:
        module.fail_json(
            msg=f"EC2 did not show {error} within {module.params['deadline']} s; run the same"
            " command again"
        )
    except is_boto3_error_code("AddressLimitExceeded") as error:
        module.fail_json(
            msg="EC2 gives this account no more Elastic IPs in this region, and cloudtop_elastic_ip"
            f" asks for one ({error}); release one that nobody needs, see: aws ec2"
            " describe-addresses, or run: python runner.py provision -e cloudtop_elastic_ip=false"
        )
    except AnsibleEC2Error as error:
        module.fail_json_aws_error(error)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        module.fail_json_aws(error, msg="EC2 refused a call for the Elastic IP")
    module.exit_json(changed=addresses.changed, address=address, released=addresses.released)


if __name__ == "__main__":
    main()
