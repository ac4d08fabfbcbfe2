"""The metadata that a machine sees, and the types and prices that anyone sees."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from localcloud.ec2.backend.whole import backends
from tests.localcloud.lab import TYPE, ZONE, Lab


def test_user_data_is_handed_out_as_given(lab: Lab) -> None:
    packed = gzip.compress(b"#cloud-config\n")
    ident = lab.run(UserData=packed)
    tree = lab.server.metadata(ident)
    assert tree is not None
    assert str(tree["user-data"]).encode(errors="surrogateescape") == packed
    shown = lab.ec2.describe_instance_attribute(InstanceId=ident, Attribute="userData")
    assert base64.b64decode(shown["UserData"]["Value"]) == packed


def leaves(tree: Mapping[str, Any], path: str = "") -> dict[str, str]:
    texts = {}
    for name, child in tree.items():
        if isinstance(child, Mapping):
            assert child, f"{path}/{name} lists nothing"
            texts.update(leaves(child, f"{path}/{name}"))
        else:
            texts[f"{path}/{name}"] = child
    return texts


def test_metadata_tells_the_machine_who_it_is(lab: Lab) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + " me"
    lab.ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=key.encode())
    lab.profile("box")
    _, ident = lab.spot_instance(lab.spec(KeyName="mine", IamInstanceProfile={"Name": "box"}))
    instance, tree = lab.instance(ident), lab.server.metadata(ident)
    assert tree is not None
    assert all(isinstance(text, str) for text in leaves(tree).values())
    meta = leaves(tree["meta-data"])  # type: ignore[arg-type]
    mac = instance["NetworkInterfaces"][0]["MacAddress"]
    assert lab.host.machines[ident].spec.mac == mac
    assert {
        "/instance-id": ident,
        "/instance-type": "m5d.4xlarge",
        "/instance-life-cycle": "spot",
        "/public-ipv4": instance["PublicIpAddress"],
        "/local-ipv4": instance["PrivateIpAddress"],
        "/placement/availability-zone": ZONE,
        "/placement/region": "us-east-1",
        "/public-keys/0=mine/openssh-key": key + "\n",
        f"/network/interfaces/macs/{mac}/device-number": "0",
        f"/network/interfaces/macs/{mac}/public-ipv4s": instance["PublicIpAddress"],
        "/block-device-mapping/root": "/dev/sda1",
        "/events/maintenance/scheduled": "[]",
    }.items() <= meta.items()
    assert not [path for path in meta if path.startswith(("/spot", "/tags"))]
    credentials = json.loads(meta["/iam/security-credentials/box"])
    assert credentials["Code"] == "Success"
    assert credentials["Expiration"].endswith("Z")
    document = json.loads(tree["dynamic"]["instance-identity"]["document"])  # type: ignore[index,arg-type]
    assert (document["instanceId"], document["region"]) == (ident, "us-east-1")
    assert instance["IamInstanceProfile"]["Arn"].endswith("instance-profile/box")


def test_metadata_shows_tags_only_when_asked_to(lab: Lab) -> None:
    ident = lab.run(
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "x"}]}]
    )
    tree = lab.server.metadata(ident)
    assert tree is not None
    assert "/meta-data/tags/instance/Name" not in leaves(tree)
    changed = lab.ec2.modify_instance_metadata_options(
        InstanceId=ident, InstanceMetadataTags="enabled"
    )
    assert changed["InstanceMetadataOptions"]["HttpTokens"] == "required"
    tree = lab.server.metadata(ident)
    assert tree is not None
    assert leaves(tree)["/meta-data/tags/instance/Name"] == "x"


def test_notice_appears_in_the_metadata(lab: Lab) -> None:
    _, ident = lab.spot_instance()
    notice = {"action": "terminate", "time": "2026-01-01T00:02:00Z"}
    with lab.server.cloud.transaction():
        backends()[0].instance(ident).spot_notice = notice
    tree = lab.server.metadata(ident)
    assert tree is not None
    seen = leaves(tree)
    assert json.loads(seen["/meta-data/spot/instance-action"]) == notice
    assert seen["/meta-data/spot/termination-time"] == notice["time"]


def test_types_come_in_pages_and_unknown_stays_unknown(lab: Lab) -> None:
    first = lab.ec2.describe_instance_types()
    assert len(first["InstanceTypes"]) == 100
    assert first["NextToken"]
    one = lab.ec2.describe_instance_types(InstanceTypes=["i3.4xlarge"])["InstanceTypes"][0]
    assert one["InstanceStorageInfo"]["Disks"][0]["Count"] == 2
    lab.refused(
        "InvalidInstanceType", lab.ec2.describe_instance_types, InstanceTypes=["hi1.4xlarge"]
    )


def test_prices_are_those_that_decide(lab: Lab) -> None:
    def history(**params: Any) -> list[dict[str, Any]]:
        return list(lab.ec2.describe_spot_price_history(**params)["SpotPriceHistory"])

    now = history(InstanceTypes=[TYPE], ProductDescriptions=["Linux/UNIX"])
    latest = {one["AvailabilityZone"]: float(one["SpotPrice"]) for one in reversed(now)}
    assert len(latest) == 5
    since = now[0]["Timestamp"] + timedelta(hours=1)
    recent = history(InstanceTypes=[TYPE], StartTime=since, AvailabilityZone=ZONE)
    # Also the last change before the start, which gives the price at the start
    assert [float(one["SpotPrice"]) for one in recent] == [latest[ZONE]]
    assert history(InstanceTypes=["hi1.4xlarge"]) == []
    assert history(InstanceTypes=[TYPE], ProductDescriptions=["Windows"]) == []
    below = lab.ask(SpotPrice=f"{latest[ZONE] - 0.0001:.4f}")
    lab.reaches(below, "open", "price-too-low")
    enough = lab.ask(SpotPrice=f"{latest[ZONE]:.4f}")
    lab.reaches(enough, "active", "fulfilled")
    pages = lab.ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=[TYPE], PaginationConfig={"PageSize": 100}
    )
    assert sum(len(page["SpotPriceHistory"]) for page in pages) == 5 * 91
