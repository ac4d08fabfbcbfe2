"""The HTTP side: other services, honest errors, counters, and the aws command line."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localcloud.ec2.launch.ssm_parameters import PATH, RELEASES
from tests.cloud import KEY, OPENER, REGION, SECRET, aws, own
from tests.localcloud.lab import Lab


def test_listens_on_loopback_only(lab: Lab) -> None:
    assert lab.endpoint.startswith("http://127.0.0.1:")
    port = f"{int(lab.endpoint.rpartition(':')[2]):04X}"
    listening = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{port}"]


def test_health_counts(lab: Lab) -> None:
    ident = lab.run()
    health = own(lab.endpoint, "health")
    assert health["version"]["moto"]
    assert health["instances"]["running"] >= 1
    assert ident in [machine["instance"] for machine in health["machines"]]


def test_caller_address_is_text(lab: Lab) -> None:
    with OPENER.open(f"{lab.endpoint}/localcloud/caller-address", timeout=5) as answer:
        assert answer.read() == b"127.0.0.1"


def test_calls_are_counted_apart(lab: Lab) -> None:
    own(lab.endpoint, "calls/reset", method="POST")
    lab.ec2.describe_instances()
    lab.client("sts").get_caller_identity()
    lab.refused("DryRunOperation", lab.ec2.create_volume, AvailabilityZone="x", Size=1, DryRun=True)
    calls = own(lab.endpoint, "calls")
    assert (calls["mutating"], calls["reading"]) == (0, 3)
    lab.volume()
    calls = own(lab.endpoint, "calls")
    assert calls["actions"]["mutating"] == {"ec2:CreateVolume": 1}


def test_unknown_own_path_says_what_there_is(lab: Lab) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        own(lab.endpoint, "nothing")
    assert caught.value.code == 404
    assert "health" in caught.value.read().decode()


@pytest.mark.parametrize(("architecture", "debian"), [("x86_64", "amd64"), ("arm64", "arm64")])
def test_only_our_images_exist(lab: Lab, architecture: str, debian: str) -> None:
    wanted = [{"Name": "architecture", "Values": [architecture]}]
    (image,) = lab.ec2.describe_images(Filters=wanted)["Images"]
    assert image["Name"].startswith("localcloud/")
    assert image["OwnerId"] == "099720109477"
    assert (image["RootDeviceName"], image["ImdsSupport"]) == ("/dev/sda1", "v2.0")
    assert lab.ec2.describe_images(Owners=["amazon"])["Images"] == []
    names = [PATH.format(release, debian) for release in RELEASES]
    parameters = lab.client("ssm").get_parameters(Names=names)["Parameters"]
    assert {one["Value"] for one in parameters} == {image["ImageId"]}
    assert lab.client("ssm").get_parameter(Name=names[1])["Parameter"]["Value"] == image["ImageId"]
    lab.refused(
        "InvalidAMIID.NotFound", lab.ec2.describe_images, ImageIds=["ami-0123456789abcdef0"]
    )


@pytest.mark.parametrize(
    ("verb", "params"),
    [
        ("disable_image", {"ImageId": "ami-0123456789abcdef0"}),
        (
            "attach_network_interface",
            {"DeviceIndex": 1, "InstanceId": "i-0123456789abcdef0", "NetworkInterfaceId": "eni-1"},
        ),
        ("allocate_hosts", {"AvailabilityZone": "us-east-1a"}),
        ("get_spot_placement_scores", {"TargetCapacity": 1}),
        ("describe_volume_status", {}),
    ],
)
def test_what_is_not_rehearsed_says_so(lab: Lab, verb: str, params: dict[str, Any]) -> None:
    message = lab.refused("UnsupportedOperation", getattr(lab.ec2, verb), **params)
    assert "rehearsal cloud" in message


def test_other_services_are_refused_in_their_own_protocol(lab: Lab) -> None:
    message = lab.refused("UnsupportedOperation", lab.client("sns").list_topics)
    assert "dlm, ec2, fis, iam, kms, servicequotas, ssm, sts" in message
    lab.refused("UnsupportedOperation", lab.client("kms").list_keys)


def test_unsigned_and_malformed_calls_get_an_answer_in_xml(lab: Lab) -> None:
    for signed, body, code in (
        (False, b"Action=DescribeInstances&Version=2016-11-15", "MissingAuthenticationToken"),
        (True, b"Action=DescribeInstances&Version=2016-11-15&MaxResults=x", "InvalidParameterV"),
        (True, b"Action=MakeCoffee&Version=2016-11-15", "InvalidAction"),
        (True, b"", "MissingAction"),
    ):
        request = urllib.request.Request(f"{lab.endpoint}/", data=body)
        if signed:
            request = sign(request)
        with pytest.raises(urllib.error.HTTPError) as caught:
            OPENER.open(request, timeout=5)
        text = caught.value.read().decode()
        assert text.startswith("<?xml"), text
        assert f"<Code>{code}" in text


def test_web_pages_are_not_let_in(lab: Lab) -> None:
    answer = lab.ec2.describe_instances()["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in answer if name.startswith("access-control")]


def sign(request: urllib.request.Request) -> urllib.request.Request:
    """Sign as a client of EC2 does."""
    call = AWSRequest("POST", request.full_url, data=request.data)
    SigV4Auth(Credentials(KEY, SECRET), "ec2", REGION).add_auth(call)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **dict(call.headers.items())}
    return urllib.request.Request(request.full_url, request.data, headers)


def test_tags_need_something_to_tag(lab: Lab) -> None:
    for ident, code in (
        ("sir-0123456789abcdef0", "InvalidSpotInstanceRequestID.NotFound"),
        ("vol-0123456789abcdef0", "InvalidVolume.NotFound"),
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
    ):
        lab.refused(code, lab.ec2.create_tags, Resources=[ident], Tags=[{"Key": "a", "Value": "b"}])


def test_aws_command_line_makes_and_ends_a_spot_machine(lab: Lab) -> None:
    spec = json.dumps(lab.spec())
    answer = aws(
        lab.endpoint, "ec2", "request-spot-instances", "--spot-price", "0.65",
        "--type", "persistent", "--launch-specification", spec,
    )  # fmt: skip
    sir = answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
    ident = lab.reaches(sir, "active", "fulfilled")["InstanceId"]
    lab.becomes(ident, "running")
    console = aws(lab.endpoint, "ec2", "get-console-output", "--latest", "--instance-id", ident)
    assert "BEGIN SSH HOST KEY KEYS" in console["Output"]
    aws(lab.endpoint, "ec2", "terminate-instances", "--instance-ids", ident)
    lab.becomes(ident, "terminated")
