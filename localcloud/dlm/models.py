"""Our DLM backend: the policies of one region, and what they do when their time has come."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from types import ModuleType
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from localcloud.dlm import urls
from localcloud.dlm.errors import invalid, not_found, too_many
from localcloud.dlm.policy import Policy, checked, last_due
from localcloud.ec2.backend.base import Base
from localcloud.ec2.backend.snapshots import Snapshots
from localcloud.ec2.filters import tags_of
from localcloud.ec2.records.snapshot import Snapshot
from localcloud.ec2.records.volume import Volume
from localcloud.iam.trust import trusts

# Amazon DLM endpoints and quotas, policies per Region
LIMIT = 100
POLICY_TAG = "aws:dlm:lifecycle-policy-id"
SCHEDULE_TAG = "aws:dlm:lifecycle-schedule-name"


class Lifecycles(BaseBackend):
    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.policies: dict[str, Policy] = {}

    @property
    def _url_module(self) -> ModuleType:
        return urls

    def now(self) -> datetime:
        return Base.cloud.clock()

    def touch(self) -> None:
        Base.cloud.touch()

    # --- the API's verbs ------------------------------------------------------------

    def make(self, given: Mapping[str, Any]) -> Policy:
        if given.get("DefaultPolicy") or not given.get("PolicyDetails"):
            raise invalid("The following required parameter(s) are missing: {PolicyDetails}")
        if len(self.policies) >= LIMIT:
            raise too_many(LIMIT)
        now = self.now()
        ident = f"policy-0{secrets.token_hex(8)}"
        policy = Policy(
            id=ident,
            arn=f"arn:{self.partition}:dlm:{self.region_name}:{self.account_id}:policy/{ident}",
            description=given["Description"],
            state=given["State"],
            role_arn=given["ExecutionRoleArn"],
            details=checked(given["PolicyDetails"], now),
            created=now,
            modified=now,
            looked=now,
            tags=dict(given.get("Tags") or {}),
        )
        self._require_role(policy.role_arn)
        self._require_free(policy)
        self.policies[ident] = policy
        self.touch()
        return policy

    def change(self, ident: str, given: Mapping[str, Any]) -> None:
        policy = self.policy(ident)
        details = policy.details
        if given.get("PolicyDetails"):
            wanted = {**details, **given["PolicyDetails"]}
            for name in ("PolicyType", "ResourceTypes"):
                if wanted[name] != details[name]:
                    raise invalid(f"{name} of a policy cannot be changed.")
            details = checked(wanted, self.now())
        self._require_free(policy, details)
        role = given.get("ExecutionRoleArn") or policy.role_arn
        self._require_role(role)
        state = given.get("State") or policy.state
        if state != policy.state or details != policy.details:
            # Times that passed under the old settings are not made up for
            policy.looked = self.now()
        policy.details, policy.role_arn, policy.state = details, role, state
        policy.description = given.get("Description") or policy.description
        policy.status_message, policy.modified = "", self.now()
        self.touch()

    def remove(self, ident: str) -> None:
        """The snapshots that it took stay (DLM User Guide, Delete policies)."""
        del self.policies[self.policy(ident).id]
        self.touch()

    def policy(self, ident: str) -> Policy:
        if ident not in self.policies:
            raise not_found(f"The policy {ident}")
        return self.policies[ident]

    def policy_of(self, arn: str) -> Policy:
        policy = self.policies.get(arn.rpartition("/")[2])
        if policy is None or policy.arn != arn:
            raise not_found(f"The resource {arn}")
        return policy

    def find(self, given: Mapping[str, Any]) -> list[Policy]:
        policies = [self.policy(ident) for ident in given.get("PolicyIds") or self.policies]
        if given.get("DefaultPolicyType"):
            policies = []
        if state := given.get("State"):
            policies = [one for one in policies if one.state == state]
        if kinds := given.get("ResourceTypes"):
            policies = [one for one in policies if one.details["ResourceTypes"] == kinds]
        if targets := given.get("TargetTags"):
            policies = [
                one for one in policies if {f"{k}={v}" for k, v in one.target_tags} & {*targets}
            ]
        if added := given.get("TagsToAdd"):
            policies = [one for one in policies if _added(one) & {*added}]
        return policies

    def _require_role(self, arn: str) -> None:
        if not self._role_exists(arn):
            raise invalid(f"The role {arn} does not exist or cannot be assumed by DLM.")

    def _role_exists(self, arn: str) -> bool:
        roles = iam_backends[self.account_id][self.partition].roles.values()
        keys = {"aws:sourceaccount": (self.account_id,)}
        return any(
            role.arn == arn and trusts(role.assume_role_policy_document, "dlm.amazonaws.com", keys)
            for role in roles
        )

    def _require_free(self, policy: Policy, details: Mapping[str, Any] | None = None) -> None:
        """A target tag is one policy's: two would take each snapshot twice."""
        wanted = {(tag["Key"], tag["Value"]) for tag in (details or policy.details)["TargetTags"]}
        for other in self.policies.values():
            if other is not policy and (both := wanted & {*other.target_tags}):
                key, value = min(both)
                raise invalid(f"The target tag {key}={value} is in use by the policy {other.id}.")

    # --- steps in time -------------------------------------------------------

    def step(self) -> None:
        """Take and delete what is due at all enabled policies."""
        for policy in list(self.policies.values()):
            now = self.now()
            due = [
                schedule
                for schedule in policy.schedules
                if last_due(schedule["CreateRule"], policy.looked, now)
            ]
            if policy.state != "ENABLED" or not due:
                continue
            policy.looked = now
            self.touch()
            if not self._role_exists(policy.role_arn):
                policy.state = "ERROR"
                policy.status_message = f"The role {policy.role_arn} cannot be assumed."
                continue
            ec2 = ec2_backends[self.account_id][self.region_name]
            assert isinstance(ec2, Snapshots)
            for schedule in due:
                for volume in _targets(ec2, policy):
                    _take(ec2, policy, schedule, volume)
                    _let_go(ec2, policy, schedule, volume)


def _added(policy: Policy) -> set[str]:
    return {f"{t['Key']}={t['Value']}" for one in policy.schedules for t in one["TagsToAdd"]}


def _targets(ec2: Snapshots, policy: Policy) -> list[Volume]:
    wanted = {*policy.target_tags}
    return [
        volume
        for volume in ec2.volumes.values()
        if isinstance(volume, Volume)
        and wanted & tags_of(volume).items()
        and volume.status in ("available", "in-use")
    ]


def _take(ec2: Snapshots, policy: Policy, schedule: Mapping[str, Any], volume: Volume) -> None:
    description = f"Created for policy: {policy.id} schedule: {schedule['Name']}"
    snapshot = ec2.new_snapshot(volume, description)
    own = {key: value for key, value in tags_of(volume).items() if not key.startswith("aws:")}
    ec2.tag_for_service(
        snapshot.id,
        {
            **(own if schedule["CopyTags"] else {}),
            **{tag["Key"]: tag["Value"] for tag in schedule["TagsToAdd"]},
            POLICY_TAG: policy.id,
            SCHEDULE_TAG: schedule["Name"],
            "dlm:managed": "true",
        },
    )


def _let_go(ec2: Snapshots, policy: Policy, schedule: Mapping[str, Any], volume: Volume) -> None:
    """The oldest of the schedule's own of this volume beyond its count, but for those in use."""
    marks = {POLICY_TAG: policy.id, SCHEDULE_TAG: schedule["Name"]}.items()
    taken = [
        one
        for one in ec2.snapshots.values()
        if one.volume_id == volume.id and marks <= tags_of(one).items()
    ]
    taken.sort(key=_age, reverse=True)
    for old in taken[schedule["RetainRule"]["Count"] :]:
        if old.status != "pending" and not ec2.user_of_snapshot(old.id):
            ec2.remove_snapshot(old.id)


def _age(snapshot: Snapshot) -> tuple[datetime, str]:
    return snapshot.start_time, snapshot.id


dlm_backends: Any = BackendDict(Lifecycles, "dlm")
