"""The account's quotas, and what of them is in use."""

from __future__ import annotations

from collections.abc import Sequence

from moto.ec2.models.instance_types import INSTANCE_TYPES

from localcloud.ec2.backend.account import Accounts
from localcloud.ec2.errors import refusal
from localcloud.ec2.instance_types import facts
from localcloud.ec2.quotas import ADDRESSES, LARGE, Quota, quota_of


def vcpus(instance_type: str) -> int:
    count: int = facts(instance_type)["VCpuInfo"]["DefaultVCpus"]
    return count


class Quotas(Accounts):
    def quota_value(self, quota: Quota) -> float:
        """The account's own; a new account has AWS's default."""
        if quota.code in self.account.quotas:
            return self.account.quotas[quota.code]
        return quota.default if self.account.fresh or quota.unit == ADDRESSES else LARGE

    def vcpus_in_use(self, quota: Quota) -> int:
        """Running machines; for spot also the open requests (EC2 User Guide, using-spot-limits)."""
        running = [
            one.instance_type
            for one in self.every_instance()
            if one.state in ("pending", "running")
            and bool(one.spot_instance_request_id) is quota.spot
        ]
        waiting = [
            request.spec["InstanceType"]
            for request in self.spot_instance_requests.values()
            if quota.spot and request.state == "open"
        ]
        # A record of a type that is none holds up no launch of another
        kinds = [one for one in (*running, *waiting) if one in INSTANCE_TYPES]
        return sum(vcpus(one) for one in kinds if quota_of(one, spot=quota.spot) is quota)

    def within_quota(
        self, instance_type: str, low: int, high: int, *, spot: bool,
        beside: Sequence[tuple[str, int]] = (),
    ) -> int:  # fmt: skip
        """How many of ``high`` machines the quota has room for, ``beside`` so many of a type that
        are about to be made. Raises EC2's error if those are less than ``low``."""
        quota = quota_of(instance_type, spot=spot)
        if quota is None:
            return high
        value = self.quota_value(quota)
        used = self.vcpus_in_use(quota) + sum(
            vcpus(kind) * count for kind, count in beside if quota_of(kind, spot=spot) is quota
        )
        room = max(int(value) - used, 0) // vcpus(instance_type)
        if room >= low:
            return min(room, high)
        if spot:
            raise refusal("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        raise refusal(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {value:g}"
            " allows for the instance bucket that the specified instance type belongs to. Please"
            " visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this"
            " limit.",
        )
