"""A provisioned cloudtop whose machine can speak for itself, and a stranger's beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.daemon.server import Server
from tests.cloud import fake_cloud, own
from tests.machine_programs.support.boot import Boot
from tests.machine_side import Metadata, client
from tests.roles.plays import Place, of, tags_for

NAME = "box"
SERVICE = "ec2.amazonaws.com"
IDLE = {"cloudtop_elastic_ip": True, "cloudtop_idle_stop_minutes": 30}


@dataclass
class Cloudtop:
    """A provisioned one, and ids of what is not its."""

    place: Place
    server: Server
    instance: str
    request: str
    volume: str
    address: dict[str, Any]
    other: dict[str, str]

    @property
    def ids(self) -> dict[str, str]:
        (address,) = self.place.ec2.describe_addresses(Filters=of(NAME))["Addresses"]
        return {
            "instance": self.instance,
            "request": self.request,
            "volume": self.volume,
            "address": address["AllocationId"],
            "association": address["AssociationId"],
            "image": self.place.image(),
            **{f"other_{name}": ident for name, ident in self.other.items()},
        }

    @property
    def metadata(self) -> Metadata:
        return Metadata(self.server, self.instance)

    def client(self, service: str = "ec2", **options: Any) -> Any:
        return client(self.place.endpoint, service, self.metadata.credentials(), **options)

    def provision(self, action: str) -> None:
        outcome = self.place.run(
            "playbooks/cloud.yml", cloudtop_name=NAME, cloudtop_idle_action=action, **IDLE
        )
        assert outcome.code == 0, outcome.text

    def release(self) -> None:
        """The address is nobody's."""
        self.place.ec2.disassociate_address(AssociationId=self.ids["association"])

    def asked(self, program: Boot) -> set[str]:
        """Run it; it has to succeed. Returns the calls that it makes."""
        own(self.place.endpoint, "calls/reset", method="POST")
        done = program.run()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Unauthorized" not in done.stdout
        actions = own(self.place.endpoint, "calls")["actions"]
        return {each.removeprefix("ec2:") for kind in actions.values() for each in kind}

    def all(self) -> Any:
        """All resources that EC2 shows, but for their times."""
        ec2 = self.place.ec2
        return [
            ec2.describe_instances()["Reservations"],
            ec2.describe_volumes()["Volumes"],
            ec2.describe_addresses()["Addresses"],
            ec2.describe_spot_instance_requests()["SpotInstanceRequests"],
            ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
            self.place.roles(),
        ]


def make_profile(place: Place, policy: str = "") -> str:
    """The name of a profile as an administrator makes it; its role may do what ``policy`` says."""
    name = "cloudtop-machines"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": SERVICE}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    place.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    if policy:
        place.iam.put_role_policy(RoleName=name, PolicyName="machines", PolicyDocument=policy)
    place.iam.create_instance_profile(InstanceProfileName=name)
    place.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return name


@contextmanager
def provisioned(home: Path, policy: str = "") -> Iterator[Cloudtop]:
    """A cloudtop that may stop itself, and a stranger's volume, machine and address beside it.

    With a ``policy`` its machine has a profile that an administrator made, with that policy.
    """
    with fake_cloud(home / "cloud") as (endpoint, server, _host):
        place = Place(endpoint, home)
        own_profile = {"cloudtop_instance_profile": make_profile(place, policy)} if policy else {}
        outcome = place.run(
            "playbooks/cloud.yml",
            cloudtop_name=NAME,
            cloudtop_idle_action="stop",
            **IDLE,
            **own_profile,
        )
        assert outcome.code == 0, outcome.text
        (request,) = place.requests(NAME)
        (volume,) = place.volumes(NAME)
        (address,) = place.ec2.describe_addresses(Filters=of(NAME))["Addresses"]
        zone = volume["AvailabilityZone"]
        spec = {
            "ImageId": place.image(),
            "InstanceType": "m5d.4xlarge",
            "Placement": {"AvailabilityZone": zone},
        }
        stranger = place.make_request(
            LaunchSpecification=spec, TagSpecifications=tags_for("spot-instances-request", "other")
        )
        place.ec2.get_waiter("spot_instance_request_fulfilled").wait(
            SpotInstanceRequestIds=[stranger]
        )
        (machine,) = place.instances(stranger)
        place.ec2.get_waiter("instance_running").wait(InstanceIds=[machine["InstanceId"]])
        far = place.ec2.run_instances(
            ImageId=place.image(), InstanceType="t3.micro", MinCount=1, MaxCount=1,
            Placement={"AvailabilityZone": "us-east-1a" if zone != "us-east-1a" else "us-east-1b"},
        )["Instances"][0]  # fmt: skip
        place.ec2.get_waiter("instance_running").wait(InstanceIds=[far["InstanceId"]])
        other = {
            "far_interface": far["NetworkInterfaces"][0]["NetworkInterfaceId"],
            "volume": place.make_volume("other", zone),
            "request": stranger,
            "instance": machine["InstanceId"],
            "interface": machine["NetworkInterfaces"][0]["NetworkInterfaceId"],
            "address": place.ec2.allocate_address()["AllocationId"],
        }
        # Nothing changes by itself any more
        place.ec2.get_waiter("volume_available").wait(VolumeIds=[other["volume"]])
        yield Cloudtop(
            place, server, request["InstanceId"], request["SpotInstanceRequestId"],
            volume["VolumeId"], address, other,
        )  # fmt: skip
