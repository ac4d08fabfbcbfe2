"""The machine's own credentials allow the calls of its programs, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.ec2.backend.whole import backends
from tests.machine_programs.support.imds import Imds
from tests.roles.plays import tags_for
from tests.roles.programs import (
    address_taker,
    calls_of_programs,
    ender,
    journalist,
    mounter,
)  # fmt: skip
from tests.roles.provisioned import NAME, Cloudtop, provisioned


@pytest.fixture(scope="module")
def cloudtop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloudtop]:
    with provisioned(tmp_path_factory.mktemp("home")) as cloudtop:
        yield cloudtop


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
    # S5: in the volume's zone EC2 knows no condition that tells an interface from another
    (
        "associate_address",
        {
            "AllocationId": "{address}",
            "NetworkInterfaceId": "{other_far_interface}",
            "AllowReassociation": True,
        },
    ),
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
    (role,) = cloudtop.place.roles()
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


@pytest.fixture
def imds(cloudtop: Cloudtop) -> Iterator[Imds]:
    imds = Imds()
    imds.answers = cloudtop.metadata
    yield imds
    imds.close()


def test_names_an_attach_denied_by_iam_and_provision_mends(
    cloudtop: Cloudtop, imds: Imds, tmp_path: Path
) -> None:
    iam = cloudtop.place.iam
    (role,) = cloudtop.place.roles()
    named = {"RoleName": role["RoleName"], "PolicyName": "attach-volume"}
    iam.delete_role_policy(**named)
    volume = mounter(cloudtop, imds, tmp_path / "mount")
    address = address_taker(cloudtop, imds, tmp_path / "address")
    address.stub("sleep", 'echo 9999.00 1.00 >"$TREE/proc/uptime"')
    cloudtop.release()
    end = ender(cloudtop, imds, tmp_path / "end", "stop")
    for refusal, call in (
        (volume.refusal("waiting"), "DescribeVolumes"),
        (str(address.good()["message"]), "AssociateAddress"),
        (end.run().stdout.splitlines()[-1], "StopInstances"),
    ):
        assert f"{cloudtop.instance} is not authorized to perform: ec2:{call}" in refusal
        assert f"because no identity-based policy allows the ec2:{call} action" in refusal
        assert "Encoded" not in refusal
    assert "run on your computer: python runner.py provision" in refusal
    cloudtop.provision("stop")
    # It may look at volumes by now, and is refused at the next call
    policy = iam.get_role_policy(**named)["PolicyDocument"]
    kept = [each for each in policy["Statement"] if each["Action"] != "ec2:AttachVolume"]
    document = json.dumps({**policy, "Statement": kept})
    iam.put_role_policy(**named, PolicyDocument=document)
    assert f"{cloudtop.volume} could not be attached: EC2 refused" in volume.refusal("waiting")
    cloudtop.provision("stop")
    assert iam.get_role_policy(**named)["PolicyDocument"] == policy


def test_b5_a_volume_of_a_customers_key_is_attached(
    cloudtop: Cloudtop, imds: Imds, tmp_path: Path
) -> None:
    backend = backends()[0]
    backend.volumes[cloudtop.volume].kms_key_id = backend.customer_key_arn
    (role,) = cloudtop.place.roles()
    named = {"RoleName": role["RoleName"], "PolicyName": "attach-volume"}
    policy = cloudtop.place.iam.get_role_policy(**named)["PolicyDocument"]
    assert any(each["Action"] == "kms:CreateGrant" for each in policy["Statement"])
    attach = {"VolumeId": cloudtop.volume, "InstanceId": cloudtop.instance, "DryRun": True}
    with pytest.raises(ClientError, match="DryRunOperation"):
        cloudtop.client().attach_volume(**attach, Device="/dev/xvdj")
    kept = [each for each in policy["Statement"] if each["Action"] != "kms:CreateGrant"]
    document = json.dumps({**policy, "Statement": kept})
    cloudtop.place.iam.put_role_policy(**named, PolicyDocument=document)
    with pytest.raises(ClientError, match="CustomerKeyHasBeenRevoked"):
        cloudtop.client().attach_volume(**attach, Device="/dev/xvdj")
    cloudtop.place.iam.put_role_policy(**named, PolicyDocument=json.dumps(policy))
    backend.volumes[cloudtop.volume].kms_key_id = backend.managed_key_arn


def test_a_volume_that_was_replaced_is_attached_to_no_machine(
    cloudtop: Cloudtop, imds: Imds, tmp_path: Path
) -> None:
    admin, kept = cloudtop.place.ec2, [cloudtop.volume]
    mark = {"Key": "cloudtop:replaced-by", "Value": cloudtop.other["volume"]}
    admin.create_tags(Resources=kept, Tags=[mark])
    machine = mounter(cloudtop, imds, tmp_path / "mount")
    refusal = machine.refusal("waiting")
    # It follows, to where the policy does not lead yet
    assert f"The volume {mark['Value']} could not be attached: EC2 refused" in refusal
    volumes = admin.describe_volumes(VolumeIds=[*kept, mark["Value"]])["Volumes"]
    assert [each["Attachments"] for each in volumes] == [[], []]
    admin.delete_tags(Resources=kept, Tags=[mark])


def test_a_lost_volume_is_looked_up_by_all_its_tags(
    cloudtop: Cloudtop, imds: Imds, tmp_path: Path
) -> None:
    machine = mounter(cloudtop, imds, tmp_path / "mount")
    gone = "vol-00000000000000000"
    machine.settings |= {"volume_id": gone, "tag_name": NAME, "tag_owner": "alice"}
    cloudtop.place.ec2.create_volume(
        AvailabilityZone="us-east-1a", Size=1, TagSpecifications=replaced()
    )
    done = machine.run()
    assert f"{gone} is gone; {cloudtop.volume} has this cloudtop's tags" in done.stdout
    assert machine.status()["volume"] == cloudtop.volume


def replaced() -> list[dict[str, Any]]:
    """Tags of a volume of this cloudtop that another replaced."""
    (spec,) = tags_for("volume", NAME)
    spec["Tags"].append({"Key": "cloudtop:role", "Value": "replaced"})
    return [spec]


def test_each_program_of_the_machine_may_make_its_calls(
    cloudtop: Cloudtop, imds: Imds, tmp_path: Path
) -> None:
    admin, place = cloudtop.place.ec2, cloudtop.place
    volume = mounter(cloudtop, imds, tmp_path / "mount")
    asked = cloudtop.asked(volume)
    assert volume.status()["state"] == "mounted"
    # EC2 has attached it by now, and its disk takes a while
    late = mounter(cloudtop, imds, tmp_path / "late")
    asked |= cloudtop.asked(late)
    assert late.status()["state"] == "mounted"

    cloudtop.release()
    address = address_taker(cloudtop, imds, tmp_path / "address")
    asked |= cloudtop.asked(address)
    assert address.status()["state"] == "associated"

    journal = journalist(cloudtop, imds, tmp_path / "journal")
    asked |= cloudtop.asked(journal)
    (back,) = [json.loads(each) for each in (journal.place / "reaps.jsonl").open()]
    assert back["price"] is not None
    assert json.loads((journal.place / "last").read_text())["request"] == cloudtop.request

    asked |= cloudtop.asked(ender(cloudtop, imds, tmp_path / "stop", "stop"))
    stopped = {"InstanceIds": [cloudtop.instance]}
    admin.get_waiter("instance_stopped").wait(**stopped)
    admin.start_instances(**stopped)
    admin.get_waiter("instance_running").wait(**stopped)
    cloudtop.provision("terminate")
    asked |= cloudtop.asked(ender(cloudtop, imds, tmp_path / "end", "terminate"))
    (request,) = place.requests("box")
    assert request["State"] == "cancelled"
    assert [each["State"] for each in place.requests("other")] == ["active"]
    assert asked == calls_of_programs()
