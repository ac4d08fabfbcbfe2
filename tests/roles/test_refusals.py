"""The refusals of the roles, each in one sentence with the value, the rule and the next command.

All cases are one run of playbooks/refusals.yml: starting Ansible costs more than a case.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.roles.plays import Place, tags_for


@dataclass(frozen=True)
class Case:
    """An entry point, what is different for it, and words of the sentence it ends with."""

    role: str
    words: tuple[str, ...]
    entry: str = "main"
    settings: dict[str, Any] = field(default_factory=dict)
    volume: dict[str, Any] | None = None


def digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


class World:
    """The leftovers of other people, other computers and bad luck left in the account."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.ec2 = place.ec2
        self.key = place.home / "id"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True
        )
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(place.home / "ecdsa")],
            check=True,
        )
        public = self.key.with_suffix(".pub").read_bytes()
        self.ec2.import_key_pair(KeyName="box", PublicKeyMaterial=public)
        place.iam.create_instance_profile(InstanceProfileName="box")
        groups = self.ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": ["default"]}]
        )
        self.group = groups["SecurityGroups"][0]["GroupId"]

    @property
    def arm_image(self) -> str:
        wanted = [{"Name": "architecture", "Values": ["arm64"]}]
        return str(self.ec2.describe_images(Filters=wanted)["Images"][0]["ImageId"])

    def volume(self, name: str, zone: str = "us-east-1a") -> dict[str, Any]:
        """A volume of that cloudtop, as the role persistent_volume would have found it."""
        return volume_facts(self.place.make_volume(name, zone), zone)

    def request(self, name: str) -> str:
        return self.place.make_request(TagSpecifications=tags_for("spot-instances-request", name))

    def run(self, cases: dict[str, Case]) -> dict[str, str]:
        answers = self.place.home / "answers.json"
        outcome = self.place.run(
            "tests/playbooks/refusals.yml",
            refusals_cases=[
                {
                    "name": name,
                    "role": case.role,
                    "tasks_from": case.entry,
                    **case.settings,
                    **({"volume": case.volume} if case.volume else {}),
                }
                for name, case in cases.items()
            ],
            refusals_key=str(self.key),
            refusals_group=self.group,
            refusals_answers=str(answers),
            cloudtop_ssh_key=None,
            cloudtop_launch_deadline=None,
        )
        assert outcome.code == 0, outcome.text
        sentences: dict[str, str] = json.loads(answers.read_text())
        return sentences


def volume_facts(volume_id: str, zone: str = "us-east-1a", instance: str = "") -> dict[str, Any]:
    return {"id": volume_id, "zone": zone, "size": 10, "tags": {}, "instance": instance}


def cases_of(world: World) -> dict[str, Case]:
    """Every refusal, with what has to be in the account for it."""
    twins = [world.volume("twins")["id"], world.volume("twins")["id"]]
    world.volume("far", "us-east-1b")
    lost = world.request("lost")
    many = [world.request("many"), world.request("many")]
    foreign = f"cloudtop-foreign-{digest('alice', 'foreign')[:8]}"
    (hers,) = tags_for("security-group", "foreign")
    hers["Tags"][1]["Value"] = "bob"
    world.ec2.create_security_group(
        GroupName=foreign, Description="somebody else's", TagSpecifications=[hers]
    )
    orphan = world.ec2.run_instances(
        ImageId=world.place.image(),
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tags_for("instance", "orphan"),
    )["Instances"][0]["InstanceId"]
    remembered = world.volume("remembered")
    token = f"cloudtop-{digest('alice', 'remembered', remembered['id'])[:24]}-g1"
    world.place.make_request(ClientToken=token)
    volume, request = "persistent_volume", "spot_request"
    name, key, cidr = "cloudtop_name", "cloudtop_ssh_key", "cloudtop_ssh_cidr"
    kind, zone, bid = "cloudtop_instance_type", "cloudtop_zone", "cloudtop_bid"
    return {
        "a name with a star": Case(
            volume, ('"box*"', "lower-case letters", "--name"), "find", {name: "box*"}
        ),
        "two volumes": Case(volume, (*twins, "may have one"), "find", {name: "twins"}),
        "a machine that lost its volume": Case(
            volume, (lost, "its volume is gone", "runner.py destroy"), settings={name: "lost"}
        ),
        "a type of nowhere": Case(
            volume, ("i3.400xlarge", "no zone of us-east-1"), settings={kind: "i3.400xlarge"}
        ),
        "a zone of nowhere": Case(
            volume, ("us-east-1z", "offered in", "-e cloudtop_zone="), settings={zone: "us-east-1z"}
        ),
        "a zone that the volume is not in": Case(
            volume,
            ("cloudtop_zone is us-east-1a", "lies in us-east-1b", "cloudtop_zone=us-east-1b"),
            settings={name: "far", zone: "us-east-1a"},
        ),
        "a bid below the price before there is a volume": Case(
            volume,
            ("below EC2's price of now: m5d.4xlarge costs $0.456 in us-east-1a", "--wait"),
            settings={name: "poor", bid: 0.2},
        ),
        "another cloudtop's volume to delete": Case(
            volume,
            ('"far"', "only by its own cloudtop's name", "--delete-volume box"),
            "confirm",
            {"cloudtop_delete_volume": "far"},
        ),
        "everyone on port 22": Case(
            "access", ("0.0.0.0/0", "from /16 to /32"), settings={cidr: "0.0.0.0/0"}
        ),
        "an address that nobody tells": Case(
            "access",
            ("http://127.0.0.1:9/", "cloudtop_ssh_cidr="),
            settings={cidr: "", "access_caller_address_url": "http://127.0.0.1:9/"},
        ),
        "a key that EC2 does not take": Case(
            "access",
            ("ecdsa-sha2", "ssh-ed25519 and ssh-rsa", "cloudtop_ssh_key="),
            settings={key: str(world.place.home / "ecdsa")},
        ),
        "a group that is not ours": Case(
            "access", (foreign, "lacks our tags"), settings={name: "foreign"}
        ),
        "two requests": Case(
            request, (*many, "may have one", "runner.py destroy"), settings={name: "many"}
        ),
        "a bid below the price before there is a request": Case(
            request,
            ("below EC2's price of now: m5d.4xlarge costs $", "in us-east-1b", "--wait"),
            settings={name: "dear", bid: 0.2},
            volume=world.volume("dear", "us-east-1b"),
        ),
        "a machine without a request": Case(
            request, (orphan, "its request has ended"), settings={name: "orphan"}
        ),
        "a volume that a stranger has": Case(
            request,
            ("vol-1", "i-stranger", "detach it there"),
            volume=volume_facts("vol-1", instance="i-stranger"),
        ),
        "an image of nowhere": Case(
            request,
            ("ami-0123456789abcdef0", "cloudtop_image="),
            settings={"cloudtop_image": "ami-0123456789abcdef0"},
        ),
        "b8: an image that the type can't boot": Case(
            request,
            ("is for x86_64", "c6gd.xlarge runs arm64", f"cloudtop_image={world.arm_image}"),
            settings={"cloudtop_image": world.place.image(), kind: "c6gd.xlarge"},
            volume=volume_facts("vol-1"),
        ),
        "a type that the volume's zone has not": Case(
            request, ("can't be had in us-east-1z",), volume=volume_facts("vol-1", "us-east-1z")
        ),
        "a bid below the market": Case(
            request,
            ("price-too-low", "goes on trying", "provision"),
            settings={name: "cheap", bid: 0.0002, "cloudtop_wait": True},
            volume=world.volume("cheap"),
        ),
        "a token of other settings": Case(
            request,
            ("remembers a request of other settings", "Value=2"),
            settings={name: "remembered"},
            volume=remembered,
        ),
        "no machine to converge": Case(
            request, ("no live request", '"nobody"', "provision"), "find", {name: "nobody"}
        ),
        "a machine that does not run": Case(
            request, ("price-too-low", "provision"), "find", {name: "cheap"}, volume_facts("vol-1")
        ),
        "a machine that the inventory has not": Case(
            request, ("inventory", lost, "converge"), "find", {name: "lost"}, volume_facts("vol-1")
        ),
    }


@pytest.fixture(scope="module")
def refusals(place: Place) -> tuple[dict[str, Case], dict[str, str]]:
    world = World(place)
    cases = cases_of(world)
    return cases, world.run(cases)


def test_every_refusal_is_one_plain_sentence(
    refusals: tuple[dict[str, Case], dict[str, str]],
) -> None:
    cases, sentences = refusals
    wrong = {
        name: sentences[name]
        for name, case in cases.items()
        if not all(word in sentences[name] for word in case.words)
        or "python runner.py" not in sentences[name]
        or "\n" in sentences[name]
    }
    assert wrong == {}


def test_nothing_is_made_for_what_is_refused(
    place: Place, refusals: tuple[dict[str, Case], dict[str, str]]
) -> None:
    assert place.volumes("box") == []
    assert place.requests("box") == []
    assert place.volumes("lost") == []
