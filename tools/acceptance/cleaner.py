"""Removes all that a run made, found by its tags, whatever state it is in.

Never stops early and never hides a leak: what could not be removed is listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cloudtop.aws import interruption

LIVE = ("open", "active", "disabled")
GONE = ("terminated", "shutting-down")


@dataclass
class Cleaner:
    """``client`` makes a client of a service. Seconds: ``deadline`` for what has to go first."""

    client: Callable[[str], Any]
    name: str
    owner: str
    tell: Callable[[str], None]
    deadline: float = 300.0
    poll: float = 5.0
    errors: list[str] = field(default_factory=list)

    @property
    def filters(self) -> list[dict[str, Any]]:
        return [
            {"Name": "tag:cloudtop:name", "Values": [self.name]},
            {"Name": "tag:cloudtop:owner", "Values": [self.owner]},
        ]

    @property
    def tags(self) -> dict[str, str]:
        return {"cloudtop:name": self.name, "cloudtop:owner": self.owner}

    def left(self) -> list[str]:
        """All that is there, in the order in which it has to go: a kind and an id each."""
        return [f"{kind} {ident}" for kind, ident, _ in self._everything()]

    def run(self) -> list[str]:
        """Remove everything; returns what is still there afterwards."""
        self.errors = []
        end = time.monotonic() + self.deadline
        while True:
            before = list(self._everything())
            for kind, ident, remove in before:
                self._try(f"{kind} {ident}", remove)
            after = self.left()
            # EC2 needs a while: a volume is in use until its machine is gone
            if not after or time.monotonic() > end:
                return after
            time.sleep(self.poll)

    def _try(self, what: str, remove: Callable[[], object]) -> None:
        try:
            remove()
            self.tell(f"removed: {what}")
        except (ClientError, BotoCoreError) as error:
            self.errors.append(f"{what}: {error}")

    def _everything(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        """Requests before their machines, else EC2 launches others."""
        for each in (
            self._requests, self._machines, self._templates, self._images, self._snapshots,
            self._volumes, self._addresses, self._groups, self._keys, self._roles,
        ):  # fmt: skip
            try:
                yield from each()
            except (ClientError, BotoCoreError) as error:
                # Nobody knows what is there
                yield "unknown:", str(error), lambda: None

    def _every_request(self) -> list[dict[str, Any]]:
        answer = self.client("ec2").describe_spot_instance_requests(Filters=self.filters)
        return list(answer["SpotInstanceRequests"])

    def _requests(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        ec2 = self.client("ec2")
        for one in self._every_request():
            ident = one["SpotInstanceRequestId"]
            if one["State"] in LIVE:
                yield (
                    "request",
                    ident,
                    partial(ec2.cancel_spot_instance_requests, SpotInstanceRequestIds=[ident]),
                )

    def _machines(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        """Those of its requests, too: a relaunched one has no tags."""
        ec2 = self.client("ec2")
        requests = [one["SpotInstanceRequestId"] for one in self._every_request()]
        ways = [self.filters]
        if requests:
            ways.append([{"Name": "spot-instance-request-id", "Values": requests}])
        known = {
            one["InstanceId"]: one["State"]["Name"]
            for filters in ways
            for part in ec2.describe_instances(Filters=filters)["Reservations"]
            for one in part["Instances"]
        }
        for ident, state in known.items():
            if state == "shutting-down":
                yield "machine", ident, lambda: None
            elif state not in GONE:
                yield "machine", ident, partial(ec2.terminate_instances, InstanceIds=[ident])

    def _templates(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        fis = self.client("fis")
        if fis.meta.region_name in interruption.NOT_IN:
            return
        for one in fis.list_experiment_templates()["experimentTemplates"]:
            if self.tags.items() <= one.get("tags", {}).items():
                ident = one["id"]
                yield "template", ident, partial(fis.delete_experiment_template, id=ident)

    def _images(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        ec2 = self.client("ec2")
        for one in ec2.describe_images(Owners=["self"], Filters=self.filters)["Images"]:
            ident = one["ImageId"]
            yield "image", ident, partial(ec2.deregister_image, ImageId=ident)

    def _snapshots(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        ec2 = self.client("ec2")
        for one in ec2.describe_snapshots(OwnerIds=["self"], Filters=self.filters)["Snapshots"]:
            ident = one["SnapshotId"]
            yield "snapshot", ident, partial(ec2.delete_snapshot, SnapshotId=ident)

    def _volumes(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        ec2 = self.client("ec2")
        for one in ec2.describe_volumes(Filters=self.filters)["Volumes"]:
            ident = one["VolumeId"]
            if one["State"] not in ("deleting", "deleted"):
                yield "volume", ident, partial(ec2.delete_volume, VolumeId=ident)

    def _addresses(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        ec2 = self.client("ec2")
        for one in ec2.describe_addresses(Filters=self.filters)["Addresses"]:
            ident = one["AllocationId"]
            yield "address", ident, partial(ec2.release_address, AllocationId=ident)

    def _groups(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        ec2 = self.client("ec2")
        for one in ec2.describe_security_groups(Filters=self.filters)["SecurityGroups"]:
            ident = one["GroupId"]
            yield "group", ident, partial(ec2.delete_security_group, GroupId=ident)

    def _keys(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        ec2 = self.client("ec2")
        for one in ec2.describe_key_pairs(Filters=self.filters)["KeyPairs"]:
            name = one["KeyName"]
            yield "key pair", name, partial(ec2.delete_key_pair, KeyName=name)

    def _roles(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        """By their names, as listing all of an account is a right of its own."""
        iam, region = self.client("iam"), self.client("ec2").meta.region_name
        for name in role_names(self.name, self.owner, region):
            profile = _known(partial(iam.get_instance_profile, InstanceProfileName=name))
            role = _known(partial(iam.get_role, RoleName=name))
            if profile and self._is_ours(profile["InstanceProfile"]):
                yield "profile", name, partial(self._remove_profile, iam, name)
            if role and self._is_ours(role["Role"]):
                yield "role", name, partial(self._remove_role, iam, name)

    def _is_ours(self, known: dict[str, Any]) -> bool:
        tags = {one["Key"]: one["Value"] for one in known.get("Tags", [])}
        return self.tags.items() <= tags.items()

    def _remove_profile(self, iam: Any, name: str) -> None:
        profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
        for role in profile["Roles"]:
            iam.remove_role_from_instance_profile(
                InstanceProfileName=name, RoleName=role["RoleName"]
            )
        iam.delete_instance_profile(InstanceProfileName=name)

    def _remove_role(self, iam: Any, name: str) -> None:
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        iam.delete_role(RoleName=name)


def role_names(name: str, owner: str, region: str) -> list[str]:
    """Those that the roles access, interruption and snapshot_schedule make."""
    kinds = ((), ("interruptions",), ("snapshots",))
    every = [sha256("/".join((owner, name, region, *more)).encode()) for more in kinds]
    return [f"cloudtop-{name}-{one.hexdigest()[:12]}" for one in every]


def _known(look: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The answer, or None if IAM has nothing of that name."""
    try:
        return look()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchEntity":
            return None
        raise
