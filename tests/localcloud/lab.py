"""The lab: a cloud without machines, and calls that tests of the API make often."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.daemon.server import Server
from localcloud.machines.fake import FakeHost
from tests.cloud import client, own

ZONE = "us-east-1b"
TYPE = "m5d.4xlarge"
# Seconds; everything here takes a few hundredths
DEADLINE = 10.0


def until(what: str, check: Callable[[], Any]) -> Any:
    """The first true answer of ``check``."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if outcome := check():
            return outcome
        time.sleep(0.02)
    raise AssertionError(f"not within {DEADLINE} s: {what}")


class Lab:
    def __init__(self, endpoint: str, server: Server, host: FakeHost) -> None:
        self.endpoint = endpoint
        self.server = server
        self.host = host
        self.ec2 = client(endpoint)
        self.image = self.ec2.describe_images()["Images"][0]["ImageId"]

    def own(self, path: str, given: dict[str, Any] | None = None) -> Any:
        """The answer of the cloud's own path; with arguments, to a POST."""
        return own(self.endpoint, path, given)

    def denied(self, path: str, given: dict[str, Any]) -> str:
        """The message with which the cloud's own path refuses."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.own(path, given)
        assert caught.value.code == 400
        return str(json.load(caught.value)["message"])

    def price(self, dollars: float | None, kind: str = TYPE, zone: str = ZONE) -> None:
        self.own("price", {"type": kind, "zone": zone, "price": dollars})

    def reap(self, ident: str, **terms: Any) -> str:
        """Id of a reap that has begun."""
        return str(self.own("reap", {"instance": ident, **terms})["id"])

    def timeline(self, reap: str) -> dict[str, Any]:
        return dict(next(one for one in self.own("reaps") if one["id"] == reap))

    def metadata(self, ident: str, path: str) -> Any:
        """The leaf at ``path`` of the machine's own metadata, or None."""
        tree: Any = self.server.metadata(ident)
        for name in ("meta-data", *path.split("/")):
            tree = (tree or {}).get(name)
        return tree

    def relaunched(self, sir: str, old: str) -> str:
        """Id of the running instance that came after ``old``."""

        def there() -> str | None:
            ident = self.request(sir).get("InstanceId")
            return ident if ident != old else None

        ident = str(until(f"a relaunch, is {self.request(sir)['Status']}", there))
        self.becomes(ident, "running")
        return ident

    def profile(self, name: str, *policies: dict[str, Any]) -> str:
        """ARN of an instance profile whose role has these policies."""
        iam = self.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        for number, policy in enumerate(policies):
            document = json.dumps(policy)
            iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=document)
        profile = iam.get_instance_profile(InstanceProfileName=name)
        return str(profile["InstanceProfile"]["Arn"])

    def client(self, service: str) -> Any:
        return client(self.endpoint, service)

    def refused(self, code: str, call: Callable[..., Any], /, **params: Any) -> str:
        """The call fails with this code; returns the message."""
        with pytest.raises(ClientError) as caught:
            call(**params)
        error = caught.value.response["Error"]
        assert error["Code"] == code, error
        return str(error["Message"])

    def spec(self, **changes: Any) -> dict[str, Any]:
        base = {
            "ImageId": self.image,
            "InstanceType": TYPE,
            "Placement": {"AvailabilityZone": ZONE},
        }
        return {key: value for key, value in {**base, **changes}.items() if value is not None}

    def ask(self, spec: dict[str, Any] | None = None, **params: Any) -> str:
        """Id of a new persistent request."""
        given = {"SpotPrice": "0.65", "Type": "persistent", **params}
        answer = self.ec2.request_spot_instances(LaunchSpecification=spec or self.spec(), **given)
        return str(answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"])

    def request(self, sir: str) -> dict[str, Any]:
        answer = self.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[sir])
        return dict(answer["SpotInstanceRequests"][0])

    def reaches(self, sir: str, state: str, code: str) -> dict[str, Any]:
        """The request once it is there."""

        def there() -> dict[str, Any] | None:
            request = self.request(sir)
            return (
                request if (request["State"], request["Status"]["Code"]) == (state, code) else None
            )

        return dict(until(f"{sir} {state}/{code}, is {self.request(sir)['Status']}", there))

    def instance(self, ident: str) -> dict[str, Any]:
        answer = self.ec2.describe_instances(InstanceIds=[ident])
        return dict(answer["Reservations"][0]["Instances"][0])

    def becomes(self, ident: str, state: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            instance = self.instance(ident)
            return instance if instance["State"]["Name"] == state else None

        return dict(until(f"{ident} {state}", there))

    def spot_instance(self, spec: dict[str, Any] | None = None, **params: Any) -> tuple[str, str]:
        """Ids of a fulfilled request and of its running instance."""
        sir = self.ask(spec, **params)
        ident = self.reaches(sir, "active", "fulfilled")["InstanceId"]
        self.becomes(ident, "running")
        return sir, ident

    def run(self, **params: Any) -> str:
        """Id of a running instance on demand."""
        given = {**self.spec(), "MinCount": 1, "MaxCount": 1, **params}
        answer = self.ec2.run_instances(**given)
        ident = str(answer["Instances"][0]["InstanceId"])
        self.becomes(ident, "running")
        return ident

    def volume(self, **params: Any) -> str:
        """Id of an available volume."""
        given = {"AvailabilityZone": ZONE, "Size": 5, "VolumeType": "gp3", **params}
        given = {key: value for key, value in given.items() if value is not None}
        ident = str(self.ec2.create_volume(**given)["VolumeId"])
        self.volume_becomes(ident, "available")
        return ident

    def volume_of(self, ident: str) -> dict[str, Any]:
        return dict(self.ec2.describe_volumes(VolumeIds=[ident])["Volumes"][0])

    def volume_becomes(self, ident: str, state: str, attachment: str = "") -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            volume = self.volume_of(ident)
            attached = [one["State"] for one in volume["Attachments"]]
            right = volume["State"] == state and attached == ([attachment] if attachment else [])
            return volume if right else None

        return dict(until(f"{ident} {state} {attachment}, is {self.volume_of(ident)}", there))

    def snapshot(self, volume: str) -> str:
        """Id of a completed snapshot."""
        ident = str(self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"])
        self.snapshot_becomes(ident, "completed")
        return ident

    def snapshot_becomes(self, ident: str, state: str) -> None:
        def there() -> bool:
            snapshots = self.ec2.describe_snapshots(SnapshotIds=[ident])["Snapshots"]
            return bool(snapshots[0]["State"] == state)

        until(f"{ident} {state}", there)

    def image_of(self, ident: str) -> dict[str, Any]:
        return dict(self.ec2.describe_images(ImageIds=[ident])["Images"][0])

    def image_becomes(self, ident: str, state: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            image = self.image_of(ident)
            return image if image["State"] == state else None

        return dict(until(f"{ident} {state}", there))

    def root(self, instance: str) -> str:
        """Id of the running machine's root volume."""
        return str(self.host.machines[instance].spec.root_volume)

    def baked(self, name: str, *, snapshot: str = "", **params: Any) -> str:
        """Id of an image registered from a snapshot, or from a new one of a new machine."""
        snapshot = snapshot or self.snapshot(self.root(self.run()))
        mapped = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}
        given = {
            "Name": name,
            "RootDeviceName": "/dev/sda1",
            "Architecture": "x86_64",
            "VirtualizationType": "hvm",
            "EnaSupport": True,
            "BlockDeviceMappings": [mapped],
            **params,
        }
        given = {key: value for key, value in given.items() if value is not None}
        return str(self.ec2.register_image(**given)["ImageId"])

    def attach(self, volume: str, instance: str, device: str = "/dev/xvdj") -> None:
        self.ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
        self.volume_becomes(volume, "in-use", "attached")

    def tidy(self) -> None:
        self.host.copying.set()
        self.host.stuck.clear()
        self.host.broken.clear()
        self.host.start_failure, self.host.start_seconds = "", 0.0
        live = [
            request["SpotInstanceRequestId"]
            for request in self.ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
            if request["State"] in ("open", "active", "disabled")
        ]
        if live:
            self.ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=live)
        left = [
            instance["InstanceId"]
            for reservation in self.ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] not in ("terminated", "shutting-down")
        ]
        if left:
            self.ec2.terminate_instances(InstanceIds=left)
