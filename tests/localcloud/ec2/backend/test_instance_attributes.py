"""ModifyInstanceAttribute, and that one bad record holds up no other."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from localcloud.ec2.backend.whole import backends
from tests.localcloud.lab import ZONE, Lab, until
from tests.localcloud.wire import send


def stopped(lab: Lab) -> str:
    ident = lab.run()
    lab.ec2.stop_instances(InstanceIds=[ident])
    lab.becomes(ident, "stopped")
    return ident


def modify(lab: Lab, ident: str, **change: Any) -> None:
    lab.ec2.modify_instance_attribute(InstanceId=ident, **change)


@pytest.mark.parametrize("form", ["structure", "value"])
@pytest.mark.parametrize("kind", ["m9.huge", "m6g.large"])
def test_fault_2_a_type_that_cannot_be_is_refused(lab: Lab, kind: str, form: str) -> None:
    ident = stopped(lab)
    change: dict[str, Any] = {"InstanceType": {"Value": kind}}
    if form == "value":
        change = {"Attribute": "instanceType", "Value": kind}
    lab.refused(
        "InvalidInstanceAttributeValue",
        lab.ec2.modify_instance_attribute,
        InstanceId=ident,
        **change,
    )
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.becomes(ident, "running")


def test_a_stopped_instance_takes_another_type(lab: Lab) -> None:
    ident = stopped(lab)
    modify(lab, ident, InstanceType={"Value": "i3.8xlarge"})
    lab.ec2.start_instances(InstanceIds=[ident])
    assert lab.becomes(ident, "running")["InstanceType"] == "i3.8xlarge"
    assert len(lab.host.machines[ident].spec.instance_store) == 4


@pytest.mark.parametrize(
    "change", [{"InstanceType": {"Value": "i3.8xlarge"}}, {"UserData": {"Value": b"#!/bin/sh\n"}}]
)
def test_a_running_instance_keeps_type_and_user_data(lab: Lab, change: dict[str, Any]) -> None:
    ident = lab.run()
    lab.refused(
        "IncorrectInstanceState",
        lab.ec2.modify_instance_attribute,
        InstanceId=ident,
        **change,
    )


def test_user_data_of_a_stopped_instance_changes(lab: Lab) -> None:
    ident = stopped(lab)
    modify(lab, ident, UserData={"Value": b"#!/bin/sh\n"})
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.becomes(ident, "running")
    assert (lab.server.metadata(ident) or {})["user-data"] == "#!/bin/sh\n"


@pytest.mark.parametrize("form", ["structure", "value"])
def test_fault_6_user_data_that_is_no_text_is_kept_byte_by_byte(lab: Lab, form: str) -> None:
    ident, packed = stopped(lab), b"\x1f\x8b\x08\x00\xff\xfe\x00"
    encoded = base64.b64encode(packed).decode()
    change: dict[str, Any] = {"UserData": {"Value": packed}}
    if form == "value":
        change = {"Attribute": "userData", "Value": encoded}
    modify(lab, ident, **change)
    shown = lab.ec2.describe_instance_attribute(InstanceId=ident, Attribute="userData")
    assert shown["UserData"]["Value"] == encoded
    lab.ec2.start_instances(InstanceIds=[ident])
    lab.becomes(ident, "running")
    data = str((lab.server.metadata(ident) or {})["user-data"])
    assert data.encode(errors="surrogateescape") == packed


def test_fault_6_text_that_happens_to_be_base64_is_encoded_all_the_same(lab: Lab) -> None:
    ident = stopped(lab)
    modify(lab, ident, UserData={"Value": b"aGVsbG8="})
    shown = lab.ec2.describe_instance_attribute(InstanceId=ident, Attribute="userData")
    assert base64.b64decode(shown["UserData"]["Value"]) == b"aGVsbG8="


def test_fault_6_user_data_that_no_client_encoded_is_refused(lab: Lab) -> None:
    ident = stopped(lab)
    for value in ("%23%21%2Fbin%2Fsh%0Aset+-e", "abc"):
        body = f"Action=ModifyInstanceAttribute&InstanceId={ident}&UserData.Value={value}"
        answer = send(lab, body)
        assert answer.values("Code") == ["InvalidParameterValue"], answer.text
        assert "is not base64" in answer.values("Message")[0]
    shown = lab.ec2.describe_instance_attribute(InstanceId=ident, Attribute="userData")
    assert "Value" not in shown["UserData"]
    lines = "IyEvYmlu%0AL3NoCg%3D%3D%0A"
    body = f"Action=ModifyInstanceAttribute&InstanceId={ident}&UserData.Value={lines}"
    assert send(lab, body).status == 200
    shown = lab.ec2.describe_instance_attribute(InstanceId=ident, Attribute="userData")
    assert base64.b64decode(shown["UserData"]["Value"]) == b"#!/bin/sh\n"


def test_a_spot_machine_keeps_its_type(lab: Lab) -> None:
    _, ident = lab.spot_instance()
    lab.ec2.stop_instances(InstanceIds=[ident])
    lab.becomes(ident, "stopped")
    change = {"InstanceType": {"Value": "i3.8xlarge"}}
    lab.refused(
        "UnsupportedOperation", lab.ec2.modify_instance_attribute, InstanceId=ident, **change
    )


@pytest.mark.parametrize(
    ("attribute", "call"),
    [("disableApiTermination", "terminate_instances"), ("disableApiStop", "stop_instances")],
)
def test_fault_5_the_word_false_ends_a_protection(lab: Lab, attribute: str, call: str) -> None:
    ident = lab.run()
    modify(lab, ident, Attribute=attribute, Value="true")
    lab.refused("OperationNotPermitted", getattr(lab.ec2, call), InstanceIds=[ident])
    modify(lab, ident, Attribute=attribute, Value="false")
    getattr(lab.ec2, call)(InstanceIds=[ident])


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("InvalidParameterCombination", {}),
        (
            "InvalidParameterCombination",
            {"SourceDestCheck": {"Value": False}, "DisableApiStop": {"Value": True}},
        ),
        ("InvalidInstanceAttributeValue", {"Attribute": "disableApiStop", "Value": "maybe"}),
        ("InvalidGroup.NotFound", {"Groups": ["sg-0123456789abcdef0"]}),
        ("UnsupportedOperation", {"Kernel": {"Value": "aki-1"}}),
        ("InvalidParameterValue", {"InstanceInitiatedShutdownBehavior": {"Value": "foo"}}),
    ],
)
def test_a_bad_change_is_refused(lab: Lab, code: str, change: dict[str, Any]) -> None:
    ident = lab.run()
    lab.refused(code, lab.ec2.modify_instance_attribute, InstanceId=ident, **change)


def test_fault_2_a_bad_record_holds_up_no_other_machine(lab: Lab) -> None:
    ident = stopped(lab)
    with lab.server.cloud.transaction():
        backend = next(one for one in backends() if one.region_name == "us-east-1")
        backend.instance(ident).instance_type = "m9.huge"
        # StartInstances refuses such a type
        backend.revive(backend.instance(ident))
    lab.run()
    with lab.server.cloud.transaction():
        backend.instance(ident).instance_type = "i3.4xlarge"


def test_fault_3_a_bad_request_holds_up_no_other(lab: Lab) -> None:
    lab.price(9.0, zone=ZONE)
    bad = lab.ask()
    with lab.server.cloud.transaction():
        backend = next(one for one in backends() if one.region_name == "us-east-1")
        backend.spot_instance_requests[bad].spec["KeyName"] = ["no name"]
    lab.price(None, zone=ZONE)
    lab.spot_instance()
    assert "TypeError" in lab.request(bad)["Status"]["Message"]


def test_fault_3_a_default_group_cannot_be_deleted(lab: Lab) -> None:
    default = lab.ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]
    for given in ({"GroupId": default["GroupId"]}, {"GroupName": "default"}):
        lab.refused("CannotDelete", lab.ec2.delete_security_group, **given)
    lab.run()


def test_a_group_that_another_refers_to_cannot_be_deleted(lab: Lab) -> None:
    ids = [
        lab.ec2.create_security_group(GroupName=name, Description="x")["GroupId"]
        for name in ("referred", "referring")
    ]
    rule = {
        "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": ids[0]}],
    }  # fmt: skip
    lab.ec2.authorize_security_group_ingress(GroupId=ids[1], IpPermissions=[rule])
    lab.refused("DependencyViolation", lab.ec2.delete_security_group, GroupId=ids[0])
    lab.ec2.delete_security_group(GroupId=ids[1])
    lab.ec2.delete_security_group(GroupId=ids[0])


def test_fault_4_a_subnet_with_a_machine_cannot_be_deleted(lab: Lab) -> None:
    ident = lab.run()
    subnet = lab.instance(ident)["SubnetId"]
    lab.refused("DependencyViolation", lab.ec2.delete_subnet, SubnetId=subnet)
    lab.ec2.terminate_instances(InstanceIds=[ident])
    lab.becomes(ident, "terminated")


def test_fault_4_a_machine_whose_subnet_is_gone_ends(lab: Lab) -> None:
    """As in a state that an earlier version wrote."""
    ident = lab.run()
    subnet = lab.instance(ident)["SubnetId"]
    with lab.server.cloud.transaction():
        backend = next(one for one in backends() if one.region_name == "us-east-1")
        by_zone = next(one for one in backend.subnets.values() if subnet in one)
        kept = by_zone.pop(subnet)
    lab.ec2.terminate_instances(InstanceIds=[ident])
    until("the end", lambda: lab.instance(ident)["State"]["Name"] == "terminated")
    with lab.server.cloud.transaction():
        by_zone[subnet] = kept


def test_fault_23_each_attribute_is_shown_by_its_name(lab: Lab) -> None:
    ident = lab.run()
    instance, root = lab.instance(ident), lab.root(ident)
    for attribute, name, value in (
        ("enclaveOptions", "EnclaveOptions", {"Enabled": False}),
        ("enaSupport", "EnaSupport", {"Value": True}),
        ("kernel", "KernelId", {}),
        ("ramdisk", "RamdiskId", {}),
        ("productCodes", "ProductCodes", []),
        ("disableApiStop", "DisableApiStop", {"Value": False}),
        ("ebsOptimized", "EbsOptimized", {"Value": False}),
        ("instanceType", "InstanceType", {"Value": instance["InstanceType"]}),
        ("rootDeviceName", "RootDeviceName", {"Value": "/dev/sda1"}),
        ("sourceDestCheck", "SourceDestCheck", {"Value": True}),
        ("sriovNetSupport", "SriovNetSupport", {"Value": "simple"}),
        ("groupSet", "Groups", instance["SecurityGroups"]),
    ):
        shown = lab.ec2.describe_instance_attribute(InstanceId=ident, Attribute=attribute)
        assert (shown["InstanceId"], shown[name]) == (ident, value), attribute
    shown = lab.ec2.describe_instance_attribute(InstanceId=ident, Attribute="blockDeviceMapping")
    (mapping,) = shown["BlockDeviceMappings"]
    assert (mapping["DeviceName"], mapping["Ebs"]["VolumeId"]) == ("/dev/sda1", root)
    lab.refused(
        "InvalidParameterValue",
        lab.ec2.describe_instance_attribute,
        InstanceId=ident,
        Attribute="colour",
    )


def test_fault_23_an_instance_says_that_it_does_not_hibernate(lab: Lab) -> None:
    assert lab.instance(lab.run())["HibernationOptions"] == {"Configured": False}
