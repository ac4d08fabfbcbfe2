"""What the machine may do with its own credentials: what its programs ask, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.parts.boot import Boot
from tests.parts.imds import Imds
from tests.parts.journal import Journal
from tests.parts.load import ROOT
from tests.parts.volume import Volume
from tests.roles.provisioned import Cloudtop, provisioned

# A call of ec2.sh's in a program of the machine
CALL = re.compile(r"^\s*(?:ec2|asked) ([A-Z][A-Za-z]+)", re.M)


@pytest.fixture(scope="module")
def cloudtop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloudtop]:
    with provisioned(tmp_path_factory.mktemp("home")) as cloudtop:
        yield cloudtop


def real(machine: Boot, imds: Imds, endpoint: str) -> None:
    """It asks with the real curl from now on."""
    (machine.tree / "bin/curl").unlink()
    machine.settings |= {"imds": imds.url, "endpoint": endpoint}


def mounts(cloudtop: Cloudtop, imds: Imds, tree: Path) -> None:
    machine = Volume(tree, volume_id=cloudtop.volume)
    real(machine, imds, cloudtop.place.endpoint)
    disk = machine.disk("nvme3n1", cloudtop.volume.replace("-", ""))
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-L", "cloudtop", str(disk)], check=True)
    machine.put_aside()
    # It sleeps when EC2 has taken the volume for attached, and then the disk is there
    machine.stub("sleep", 'mv "$TREE/aside" "$TREE/sys/class/block/nvme3n1"')
    assert machine.good()["state"] == "mounted"


def takes_the_address(cloudtop: Cloudtop, imds: Imds, tree: Path) -> None:
    address = cloudtop.address
    machine = Volume(tree, elastic_ip=address["AllocationId"], address=address["PublicIp"])
    real(machine, imds, cloudtop.place.endpoint)
    machine.program = ROOT / "roles/persistent_mount/files/cloudtop-elastic-ip"
    machine.disk("nvme3n1", "any")
    machine.mounted("nvme3n1", str(machine.mount_point))
    assert machine.good()["state"] == "associated"


def writes_the_journal(cloudtop: Cloudtop, imds: Imds, tree: Path) -> None:
    machine = Journal(tree)
    real(machine, imds, cloudtop.place.endpoint)
    machine.had("i-0123456789abcdef0", 600)
    done = machine.run()
    assert (done.returncode, "Unauthorized" in done.stdout) == (0, False), done.stdout
    (last,) = [json.loads(each) for each in (machine.place / "reaps.jsonl").open()]
    assert last["price"] is not None
    assert json.loads((machine.place / "last").read_text())["request"] == cloudtop.request


def ends(cloudtop: Cloudtop, imds: Imds, tree: Path, action: str) -> None:
    machine = Volume(tree, action=action, lib=tree / "lib", guard="/dev/null", pause=0)
    real(machine, imds, cloudtop.place.endpoint)
    (tree / "lib").mkdir()
    for role, name in (("persistent_mount", "ec2.sh"), ("spot_guard", "tell.sh")):
        (tree / "lib" / name).write_text((ROOT / "roles" / role / "files" / name).read_text())
    machine.program = ROOT / "roles/idle_stop/files/idle-end"
    machine.arguments = ("ask",)
    done = machine.run()
    assert done.returncode == 0, done.stdout + done.stderr


def calls_of_programs() -> set[str]:
    files = [each for each in (ROOT / "roles").glob("*/files/*") if each.is_file()]
    return {found for each in files for found in CALL.findall(each.read_text())}


# Calls that the machine has no business with; {…} are ids of its own and of the stranger's
DENIED: list[tuple[str, dict[str, Any]]] = [
    ("attach_volume", {"VolumeId": "{volume}", "InstanceId": "{other_instance}"}),
    ("attach_volume", {"VolumeId": "{other_volume}", "InstanceId": "{instance}"}),
    ("detach_volume", {"VolumeId": "{volume}", "InstanceId": "{instance}"}),
    ("delete_volume", {"VolumeId": "{volume}"}),
    ("modify_volume", {"VolumeId": "{volume}", "Size": 20}),
    ("create_volume", {"AvailabilityZone": "us-east-1a", "Size": 1}),
    ("create_snapshot", {"VolumeId": "{volume}"}),
    ("stop_instances", {"InstanceIds": ["{other_instance}"]}),
    ("stop_instances", {"InstanceIds": ["{instance}", "{other_instance}"]}),
    ("start_instances", {"InstanceIds": ["{instance}"]}),
    ("reboot_instances", {"InstanceIds": ["{instance}"]}),
    # This one stops itself
    ("terminate_instances", {"InstanceIds": ["{instance}"]}),
    ("terminate_instances", {"InstanceIds": ["{other_instance}"]}),
    ("cancel_spot_instance_requests", {"SpotInstanceRequestIds": ["{request}"]}),
    ("cancel_spot_instance_requests", {"SpotInstanceRequestIds": ["{other_request}"]}),
    ("run_instances", {"ImageId": "{image}", "MinCount": 1, "MaxCount": 1}),
    ("request_spot_instances", {"LaunchSpecification": {"ImageId": "{image}"}}),
    ("create_tags", {"Resources": ["{volume}"], "Tags": [{"Key": "a", "Value": "b"}]}),
    ("create_tags", {"Resources": ["{other_volume}"], "Tags": [{"Key": "a", "Value": "b"}]}),
    ("delete_tags", {"Resources": ["{volume}"], "Tags": [{"Key": "cloudtop:name"}]}),
    ("release_address", {"AllocationId": "{address}"}),
    ("allocate_address", {}),
    ("disassociate_address", {"AssociationId": "{association}"}),
    ("associate_address", {"AllocationId": "{address}", "InstanceId": "{other_instance}"}),
    ("associate_address", {"AllocationId": "{other_address}", "InstanceId": "{instance}"}),
    ("modify_instance_attribute", {"InstanceId": "{instance}", "UserData": {"Value": b"x"}}),
    ("modify_instance_metadata_options", {"InstanceId": "{instance}", "HttpTokens": "optional"}),
    ("get_console_output", {"InstanceId": "{other_instance}"}),
    ("describe_instances", {}),
    ("describe_volume_attribute", {"VolumeId": "{volume}", "Attribute": "autoEnableIO"}),
]


def filled(given: Any, ids: dict[str, str]) -> Any:
    if isinstance(given, dict):
        return {key: filled(value, ids) for key, value in given.items()}
    if isinstance(given, list):
        return [filled(each, ids) for each in given]
    return given.format(**ids) if isinstance(given, str) else given


@pytest.mark.parametrize(("call", "given"), DENIED)
def test_the_machine_may_not(cloudtop: Cloudtop, call: str, given: dict[str, Any]) -> None:
    before = cloudtop.all()
    with pytest.raises(ClientError) as caught:
        getattr(cloudtop.client(), call)(**filled(given, cloudtop.ids))
    answer = caught.value.response
    assert answer["Error"]["Code"] == "UnauthorizedOperation", answer
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["Error"]["Message"].startswith("You are not authorized to perform this operation")
    assert cloudtop.all() == before


def test_other_services_are_closed_to_the_machine(cloudtop: Cloudtop) -> None:
    before = cloudtop.all()
    (role,) = cloudtop.place.iam.list_roles()["Roles"]
    iam, own = cloudtop.client("iam"), {"RoleName": role["RoleName"]}
    more = {"PolicyName": "attach-volume", "PolicyDocument": "{}"}
    assume = {"RoleArn": role["Arn"], "RoleSessionName": "more"}
    for code, call, given in (
        ("AccessDenied", iam.get_role, own),
        ("AccessDenied", iam.put_role_policy, own | more),
        ("AccessDenied", cloudtop.client("sts").assume_role, assume),
        ("AccessDeniedException", cloudtop.client("ssm").get_parameter, {"Name": "/any"}),
    ):
        with pytest.raises(ClientError) as caught:
            call(**given)
        assert caught.value.response["Error"]["Code"] == code
    assert cloudtop.all() == before


def test_each_program_of_the_machine_may_ask_what_it_asks(
    cloudtop: Cloudtop, tmp_path: Path
) -> None:
    imds, asked = Imds(), set()
    imds.answers = cloudtop.metadata
    admin, place = cloudtop.place.ec2, cloudtop.place
    try:
        asked |= cloudtop.asked(lambda: mounts(cloudtop, imds, tmp_path / "mount"))
        (address,) = admin.describe_addresses(AllocationIds=[cloudtop.ids["address"]])["Addresses"]
        admin.disassociate_address(AssociationId=address["AssociationId"])
        asked |= cloudtop.asked(lambda: takes_the_address(cloudtop, imds, tmp_path / "address"))
        asked |= cloudtop.asked(lambda: writes_the_journal(cloudtop, imds, tmp_path / "journal"))
        asked |= cloudtop.asked(lambda: ends(cloudtop, imds, tmp_path / "stop", "stop"))
        stopped = {"InstanceIds": [cloudtop.instance]}
        admin.get_waiter("instance_stopped").wait(**stopped)
        admin.start_instances(**stopped)
        admin.get_waiter("instance_running").wait(**stopped)
        cloudtop.provision("terminate")
        asked |= cloudtop.asked(lambda: ends(cloudtop, imds, tmp_path / "end", "terminate"))
    finally:
        imds.close()
    assert asked == calls_of_programs()
    (request,) = place.requests("box")
    assert request["State"] == "cancelled"
    assert [each["State"] for each in place.requests("other")] == ["active"]
