"""One EC2 Fleet of type instant: what was asked, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from localcloud.ec2.filters import tags_of

# Deleted, while its instances end or after
ENDING, DELETED = "deleted_terminating", "deleted"


class Fleet:
    """``launched`` and ``errors`` are as CreateFleet answers them."""

    type = "instant"

    def __init__(
        self,
        backend: Any,
        params: Mapping[str, Any],
        configs: Sequence[Mapping[str, Any]],
        ident: str,
    ) -> None:
        self.ec2_backend = backend
        self.id = ident
        self.params = dict(params)
        self.configs = list(configs)
        self.create_time: datetime = backend.now()
        self.launched: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        # Units of the target, by lifecycle
        self.fulfilled: dict[str, float] = {}
        self.is_deleted = False

    @staticmethod
    def new_id() -> str:
        return f"fleet-{uuid.uuid4()}"

    @property
    def instance_ids(self) -> list[str]:
        return [ident for one in self.launched for ident in one["InstanceIds"]]

    @property
    def live_ids(self) -> list[str]:
        known = map(self.ec2_backend.known, self.instance_ids)
        return [one.id for one in known if one and one.live]

    @property
    def state(self) -> str:
        if not self.is_deleted:
            return "active"
        return ENDING if self.live_ids else DELETED

    @property
    def activity(self) -> str:
        if self.state == ENDING:
            return "pending_termination"
        return "error" if self.errors else "fulfilled"

    @property
    def shown(self) -> dict[str, Any]:
        """As DescribeFleets shows it."""
        given = self.params
        names = ("ClientToken", "OnDemandOptions", "SpotOptions", "TargetCapacitySpecification")
        return {
            **{name: given[name] for name in names if name in given},
            "FleetId": self.id,
            "FleetState": self.state,
            "ActivityStatus": self.activity,
            "CreateTime": self.create_time,
            "Type": self.type,
            "LaunchTemplateConfigs": self.configs,
            "FulfilledCapacity": sum(self.fulfilled.values()),
            "FulfilledOnDemandCapacity": self.fulfilled.get("on-demand", 0.0),
            "TerminateInstancesWithExpiration": False,
            "ReplaceUnhealthyInstances": False,
            "Errors": self.errors,
            "Instances": self.launched,
            "Tags": [{"Key": key, "Value": value} for key, value in tags_of(self).items()],
        }
