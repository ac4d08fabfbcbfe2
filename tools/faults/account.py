"""A whole account in words that two runs share: no ids, times or addresses of one of them."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import boto3

from tools.faults.clouds import KEY, SECRET

REGION = "us-east-1"
# Texts that differ between two runs that did the same
OWN = (
    (
        re.compile(
            r"\b(vol|snap|i|sir|ami|sg|sgr|eipalloc|eipassoc|key|policy|eni|r)-[0-9a-z]{8,}"
        ),
        r"\1",
    ),
    (re.compile(r"20\d\d-\d\d-\d\d[T ][0-9:.]+(Z|\+00:00)?"), "TIME"),
    (re.compile(r"\b20\d{6}-\d{6}\b"), "TIME"),
    (re.compile(r"\b(127|10|172|54)\.\d+\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"ec2-[0-9-]+"), "ADDRESS"),
    (re.compile(r"ssh-ed25519 AAAA[0-9A-Za-z+/=]+"), "HOST-KEY"),
    (re.compile(r"\b(cloudtop-\w+-[0-9a-f]{8})-[0-9a-f]{8}\b"), r"\1-PUBLIC-KEY"),
    (re.compile(r"\b(AROA|AIPA|AIDA)[0-9A-Z]+"), r"\1"),
)
# How often a request was made and ended is no state that anybody pays for
NUMBERED = {"cloudtop:generation"}
LIVE = {"open", "active", "disabled"}


class Account:
    """A client for each service; its pictures can be compared."""

    def __init__(self, endpoint: str) -> None:
        self.ec2, self.iam, self.dlm = (
            boto3.client(
                service,
                endpoint_url=endpoint,
                region_name=REGION,
                aws_access_key_id=KEY,
                aws_secret_access_key=SECRET,
            )
            for service in ("ec2", "iam", "dlm")
        )

    def picture(self) -> Counter[str]:
        """Each thing in a line, and how many there are of it."""
        lines = [*self._ec2(), *self._roles(), *self._policies()]
        return Counter(common(line) for line in lines)

    def _ec2(self) -> list[str]:
        ec2, lines = self.ec2, []
        for request in ec2.describe_spot_instance_requests()["SpotInstanceRequests"]:
            if request["State"] in LIVE:
                spec = request["LaunchSpecification"]
                lines.append(
                    line("request", request, "State", "Status.Code", "SpotPrice", "Type")
                    + json.dumps({key: spec.get(key) for key in ("InstanceType", "Placement")})
                )
        for reservation in ec2.describe_instances()["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] != "terminated":
                    lines.append(line("machine", instance, "State.Name", "InstanceType"))
        for volume in ec2.describe_volumes()["Volumes"]:
            lines.append(
                line("volume", volume, "State", "Size", "VolumeType", "AvailabilityZone")
                + ("of a snapshot" if volume.get("SnapshotId") else "blank")
            )
        for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
            lines.append(line("snapshot", snapshot, "State", "VolumeSize", "Description"))
        for image in ec2.describe_images(Owners=["self"])["Images"]:
            lines.append(line("image", image, "State", "Name"))
        for address in ec2.describe_addresses()["Addresses"]:
            lines.append(line("address", address) + ("held" if "InstanceId" in address else "free"))
        for pair in ec2.describe_key_pairs()["KeyPairs"]:
            lines.append(line("key", pair, "KeyName"))
        for group in ec2.describe_security_groups()["SecurityGroups"]:
            lines.append(line("group", group, "GroupName", "IpPermissions"))
        return lines

    def _roles(self) -> list[str]:
        lines = []
        for role in self.iam.list_roles()["Roles"]:
            name = role["RoleName"]
            full = self.iam.get_role(RoleName=name)["Role"]
            policies = {
                each: self.iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
                for each in sorted(self.iam.list_role_policies(RoleName=name)["PolicyNames"])
            }
            lines.append(line("role", full, "RoleName") + json.dumps(policies, sort_keys=True))
        for profile in self.iam.list_instance_profiles()["InstanceProfiles"]:
            name = profile["InstanceProfileName"]
            full = self.iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
            roles = [each["RoleName"] for each in full["Roles"]]
            lines.append(line("profile", full, "InstanceProfileName") + json.dumps(roles))
        return lines

    def _policies(self) -> list[str]:
        lines = []
        for each in self.dlm.get_lifecycle_policies()["Policies"]:
            policy = self.dlm.get_lifecycle_policy(PolicyId=each["PolicyId"])["Policy"]
            lines.append(line("schedule", policy, "State", "PolicyDetails"))
        return lines


def line(kind: str, resource: dict[str, Any], *keys: str) -> str:
    """A thing: some of its values, and its tags."""
    values = {}
    for key in keys:
        value: Any = resource
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        values[key] = value
    tags = resource.get("Tags") or {}
    if not isinstance(tags, dict):
        tags = {each["Key"]: each["Value"] for each in tags}
    tags = {key: "N" if key in NUMBERED else value for key, value in tags.items()}
    return f"{kind} {json.dumps([values, tags], sort_keys=True, default=str)}"


def common(text: str) -> str:
    """The text without what is of one run alone."""
    for pattern, word in OWN:
        text = pattern.sub(word, text)
    return text


def differences(wanted: Counter[str], there: Counter[str]) -> list[str]:
    """The things that are too many, and those that are missing."""
    return [
        *(f"too much: {each}" for each in (there - wanted).elements()),
        *(f"lacks: {each}" for each in (wanted - there).elements()),
    ]
