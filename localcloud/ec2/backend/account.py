"""The account's lacks: the spot role, rights on its key, and what follows from that."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from moto.iam.models import iam_backends

from localcloud.ec2.backend.base import Base
from localcloud.ec2.errors import refusal
from localcloud.ec2.records.account import Account
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.volume import Volume
from localcloud.iam import patterns

SPOT_SERVICE, SPOT_ROLE = "spot.amazonaws.com", "AWSServiceRoleForEC2Spot"

# Actions on a key that the maker of an encrypted volume needs (EBS
# User Guide, "Permissions for IAM users")
KEY_ACTIONS = (
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
# After CreateVolume has answered
KEY_SECONDS = 3


class Accounts(Base):
    @property
    def account(self) -> Account:
        return self.cloud.account

    def prepare_account(self) -> None:
        """Every account but a fresh one has the role: it used spot before."""
        iam = iam_backends[self.account_id][self.partition]
        there = any(role.name == SPOT_ROLE for role in iam.roles.values())
        if not there and not self.account.fresh:
            iam.create_service_linked_role(SPOT_SERVICE, "", "")

    def require_spot_role(self) -> None:
        """EC2 makes it for a request of the console; one of the API needs it before
        (EC2 User Guide, service-linked-roles-spot-instance-requests)."""
        iam = iam_backends[self.account_id][self.partition]
        if not any(role.name == SPOT_ROLE for role in iam.roles.values()):
            raise refusal(
                "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
                "The provided credentials do not have permission to create the service-linked"
                " role for EC2 Spot Instances.",
            )

    def describe_regions(self, region_names: list[str] | None = None) -> list[Any]:
        """Every region that may be off is on, but for those that the account has not."""
        off, regions = self.account.regions_off, []
        for region in super().describe_regions(region_names):
            shown = copy.copy(region)
            if region.name in off:
                shown.opt_in_status = "not-opted-in"
            elif region.opt_in_status == "not-opted-in":
                shown.opt_in_status = "opted-in"
            regions.append(shown)
        return regions

    @property
    def customer_key_arn(self) -> str:
        key = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.account_id}/{self.region_name}/own")
        return f"arn:{self.partition}:kms:{self.region_name}:{self.account_id}:key/{key}"

    @property
    def managed_key_arn(self) -> str:
        """The key aws/ebs."""
        return super()._create_default_encryption_key()

    @property
    def spot_role_arn(self) -> str:
        return (
            f"arn:{self.partition}:iam::{self.account_id}:role/aws-service-role"
            f"/{SPOT_SERVICE}/{SPOT_ROLE}"
        )

    def _create_default_encryption_key(self) -> str:
        if self.account.customer_key:
            self.default_kms_key_id = self.customer_key_arn
            return self.customer_key_arn
        return super()._create_default_encryption_key()

    def get_ebs_default_kms_key_id(self) -> str:
        return self._create_default_encryption_key()

    def may_not_use_key(self, volume: Volume) -> bool:
        """Whether who made the volume may not use its key: it is given up after a while.

        EC2 looks at the key after CreateVolume has answered: "the action can appear to complete,
        but eventually fails" (API Reference, CreateVolume, KmsKeyId).
        """
        return volume.kms_key_id == self.customer_key_arn and any(
            patterns.like_action(one, action)
            for one in self.account.denied
            for action in KEY_ACTIONS
        )

    def takes_back(self, volume: Volume) -> bool:
        """Whether that while is over."""
        return (self.now() - volume.create_time).total_seconds() >= KEY_SECONDS

    def lacks_its_key(self, instance: Instance) -> bool:
        """Whether EC2 cannot open a disk of a spot machine: its role for spot has no grant.

        EC2 User Guide, service-linked-roles-spot-instance-requests, "Grant access to customer
        managed keys for use with encrypted AMIs and EBS snapshots".
        """
        if not instance.spot_instance_request_id:
            return False
        keys = {
            volume.kms_key_id
            for volume in self.volumes.values()
            if volume.attachment and volume.attachment.instance is instance
        }
        return self.customer_key_arn in keys and self.spot_role_arn not in self.account.grantees
