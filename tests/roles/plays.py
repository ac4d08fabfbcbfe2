"""Running the real playbooks against a rehearsal cloud without machines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import packing
from tests.cloud import client, environment, own

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SECONDS = 240
SETTINGS = yaml.safe_load((ROOT / "inventory/group_vars/all/settings.yml").read_text())
IMAGE_PARAMETER = SETTINGS["cloudtop_image_parameter"].replace("{arch}", "amd64")


@dataclass(frozen=True)
class Outcome:
    """How a run of ansible-playbook ended."""

    code: int
    text: str

    @property
    def changed(self) -> int:
        """Tasks that changed something, on all hosts."""
        return sum(map(int, re.findall(r"^\S+ +: .*changed=(\d+)", self.text, re.M)))

    @property
    def sentence(self) -> str:
        """The message of the first failed task."""
        match = re.search(r"FAILED! => (\{.*\})$", self.text, re.M)
        return str(json.loads(match[1])["msg"]) if match else ""


class Place:
    """One rehearsal cloud and one home directory, as a person at a shell has them."""

    def __init__(self, endpoint: str, home: Path) -> None:
        self.endpoint = endpoint
        self.home = home
        self.environ = {
            **environment(endpoint),
            "PATH": packing.path(),
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
        }
        # The actions that playbooks have called, as IAM names them
        self.called: set[str] = set()
        self.ec2 = self.client("ec2")
        self.iam = self.client("iam")

    def client(self, service: str) -> Any:
        return client(self.endpoint, service)

    def run(self, playbook: str, *options: str, **settings: Any) -> Outcome:
        """Run a playbook as bare ansible-playbook; ``settings`` are given with -e.

        A setting that is None is left to the playbook.
        """
        own = {
            "cloudtop_owner": "alice",
            "cloudtop_ssh_key": str(self.home / ".ssh" / "id"),
            "cloudtop_launch_deadline": 60,
            **settings,
        }
        given = {key: value for key, value in own.items() if value is not None}
        argv = [
            packing.ansible_playbook(),
            *("-e", "@inventory/clouds/rehearsal.yml", "-e", json.dumps(given)),
            *options,
            playbook,
        ]
        return self.command(argv)

    def command(self, argv: list[str]) -> Outcome:
        before = self._calls()
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.called |= {name for name, count in self._calls().items() if count > before[name]}
        return Outcome(done.returncode, done.stdout)

    def _calls(self) -> Counter[str]:
        """How often each action has been called."""
        kinds = own(self.endpoint, "calls")["actions"].values()
        return sum((Counter(kind) for kind in kinds), Counter())

    def mutating_calls(self) -> int:
        """How many calls that change something the API has had so far."""
        return int(own(self.endpoint, "calls")["mutating"])

    def roles(self) -> list[dict[str, Any]]:
        """The roles that playbooks made; EC2's own one for spot is beside them."""
        every = self.iam.list_roles()["Roles"]
        return [role for role in every if role["RoleName"].startswith("cloudtop-")]

    def control(self, path: str, given: dict[str, Any]) -> None:
        """POST to one of the cloud's own paths."""
        own(self.endpoint, path, given)

    def make_volume(self, name: str, zone: str = "us-east-1a") -> str:
        """A volume of that cloudtop, made by hand."""
        volume = self.ec2.create_volume(
            AvailabilityZone=zone, Size=10, TagSpecifications=tags_for("volume", name)
        )
        return str(volume["VolumeId"])

    def make_request(self, **wanted: Any) -> str:
        """A live request, made by hand; for nobody but its token without tags."""
        spec = {"ImageId": self.image(), "InstanceType": "m5d.4xlarge"}
        answer = self.ec2.request_spot_instances(
            **{"SpotPrice": "0.65", "Type": "persistent", "LaunchSpecification": spec, **wanted}
        )
        return str(answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"])

    def image(self) -> str:
        """The image that the settings name by default."""
        parameter = self.client("ssm").get_parameter(Name=IMAGE_PARAMETER)
        return str(parameter["Parameter"]["Value"])

    def requests(self, name: str) -> list[dict[str, Any]]:
        answer = self.ec2.describe_spot_instance_requests(Filters=of(name))
        return list(answer["SpotInstanceRequests"])

    def volumes(self, name: str) -> list[dict[str, Any]]:
        """Persistent ones, without root disks."""
        volumes = self.ec2.describe_volumes(Filters=of(name))["Volumes"]
        return [each for each in volumes if "cloudtop:role" not in tags(each)]

    def instances(self, request_id: str) -> list[dict[str, Any]]:
        """Those of a request that are not gone."""
        by_request = [{"Name": "spot-instance-request-id", "Values": [request_id]}]
        reservations = self.ec2.describe_instances(Filters=by_request)["Reservations"]
        return [
            instance
            for reservation in reservations
            for instance in reservation["Instances"]
            if instance["State"]["Name"] not in {"terminated", "shutting-down"}
        ]


def of(name: str) -> list[dict[str, Any]]:
    """The filter for all that belongs to a cloudtop."""
    return [{"Name": "tag:cloudtop:name", "Values": [name]}]


def tags_for(kind: str, name: str) -> list[dict[str, Any]]:
    """A TagSpecifications that makes a resource that cloudtop's."""
    pairs = {"cloudtop:name": name, "cloudtop:owner": "alice"}
    return [
        {
            "ResourceType": kind,
            "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()],
        }
    ]


def tags(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}
