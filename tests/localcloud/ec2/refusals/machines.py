"""Calls about instances, spot requests and launch templates that EC2 refuses."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from tests.localcloud.ec2.refusals.world import GONE, World

# EC2's code, the call, and its parameters
Row = tuple[str, str, Callable[[World], dict[str, Any]]]
LONG = base64.b64encode(b"x" * 16385).decode()
BY_INSTANCE = (
    "start_instances", "stop_instances", "terminate_instances", "reboot_instances",
    "describe_instances", "describe_instance_status",
)  # fmt: skip
OF_INSTANCE: dict[str, dict[str, Any]] = {
    "get_console_output": {},
    "describe_instance_attribute": {"Attribute": "userData"},
    "modify_instance_attribute": {"DisableApiStop": {"Value": True}},
    "modify_instance_metadata_options": {"HttpTokens": "optional"},
    "create_image": {"Name": "none"},
}


def _by_ids(code: str, ident: str) -> list[Row]:
    several = [(code, call, lambda _: {"InstanceIds": [ident]}) for call in BY_INSTANCE]

    def one(more: dict[str, Any]) -> Callable[[World], dict[str, Any]]:
        return lambda _: {"InstanceId": ident, **more}

    return [*several, *((code, call, one(more)) for call, more in OF_INSTANCE.items())]


INSTANCES: list[Row] = [
    *_by_ids("InvalidInstanceID.NotFound", GONE["instance"]),
    *_by_ids("InvalidInstanceID.Malformed", "i-xyz"),
    ("InvalidParameterCombination", "terminate_instances", lambda _: {"InstanceIds": []}),
    (
        "InvalidParameterCombination",
        "describe_instances",
        lambda w: {"InstanceIds": [w.running], "MaxResults": 5},
    ),
    ("OperationNotPermitted", "terminate_instances", lambda w: {"InstanceIds": [w.protected]}),
    (
        "IncorrectInstanceState",
        "modify_instance_attribute",
        lambda w: {"InstanceId": w.running, "InstanceType": {"Value": "m5d.xlarge"}},
    ),
    (
        "IncorrectInstanceState",
        "modify_instance_attribute",
        lambda w: {"InstanceId": w.running, "UserData": {"Value": b"x"}},
    ),
    (
        "InvalidInstanceAttributeValue",
        "modify_instance_attribute",
        lambda w: {"InstanceId": w.stopped, "InstanceType": {"Value": "m9.huge"}},
    ),
    (
        "InvalidGroup.NotFound",
        "modify_instance_attribute",
        lambda w: {"InstanceId": w.running, "Groups": [GONE["group"]]},
    ),
    (
        "InvalidParameterValue",
        "describe_instance_attribute",
        lambda w: {"InstanceId": w.running, "Attribute": "colour"},
    ),
    (
        "InvalidParameterValue",
        "modify_instance_metadata_options",
        lambda w: {"InstanceId": w.running, "HttpPutResponseHopLimit": 65},
    ),
    ("InvalidParameterValue", "describe_instances", lambda _: {"MaxResults": 1}),
    (
        "InvalidParameterValue",
        "describe_instances",
        lambda _: {"Filters": [{"Name": "colour", "Values": ["red"]}]},
    ),
    (
        "InvalidInstanceType",
        "describe_instance_types",
        lambda _: {"InstanceTypes": ["m9.huge"]},
    ),
    ("DryRunOperation", "describe_instances", lambda _: {"DryRun": True}),
    ("DryRunOperation", "run_instances", lambda w: w.launch(DryRun=True)),
]

LAUNCHES: list[Row] = [
    ("MissingParameter", "run_instances", lambda w: w.launch(ImageId=None)),
    ("InvalidAMIID.Malformed", "run_instances", lambda w: w.launch(ImageId="ami-xyz")),
    ("InvalidAMIID.NotFound", "run_instances", lambda w: w.launch(ImageId=GONE["image"])),
    ("InvalidParameterValue", "run_instances", lambda w: w.launch(InstanceType="m9.huge")),
    ("InvalidParameterValue", "run_instances", lambda w: w.launch(InstanceType="m6g.large")),
    ("InvalidParameterValue", "run_instances", lambda w: w.launch(ImageId=w.arm)),
    ("InvalidParameterValue", "run_instances", lambda w: w.launch(MinCount=0)),
    ("InvalidParameterValue", "run_instances", lambda w: w.launch(MinCount=2)),
    ("MissingParameter", "run_instances", lambda w: w.launch(MinCount=None)),
    ("InvalidKeyPair.NotFound", "run_instances", lambda w: w.launch(KeyName="none")),
    (
        "InvalidGroup.NotFound",
        "run_instances",
        lambda w: w.launch(SecurityGroupIds=[GONE["group"]]),
    ),
    ("InvalidGroup.NotFound", "run_instances", lambda w: w.launch(SecurityGroups=["none"])),
    ("InvalidSubnetID.NotFound", "run_instances", lambda w: w.launch(SubnetId=GONE["subnet"])),
    (
        "InvalidParameter",
        "run_instances",
        lambda w: w.launch(SubnetId=w.subnet, SecurityGroupIds=[w.group]),
    ),
    (
        "InvalidParameterValue",
        "run_instances",
        lambda w: w.launch(Placement={"AvailabilityZone": "mars-1a"}),
    ),
    (
        "InvalidParameterValue",
        "run_instances",
        lambda w: w.launch(PrivateIpAddress="203.0.113.9"),
    ),
    (
        "InvalidParameterCombination",
        "run_instances",
        lambda w: w.launch(SubnetId=w.subnet, NetworkInterfaces=[{"DeviceIndex": 0}]),
    ),
    (
        "InvalidParameterValue",
        "run_instances",
        lambda w: w.launch(IamInstanceProfile={"Name": "none"}),
    ),
    ("InvalidParameterValue", "run_instances", lambda w: w.launch(UserData=LONG)),
    (
        "InvalidParameterValue",
        "run_instances",
        lambda w: w.launch(MetadataOptions={"HttpTokens": "perhaps"}),
    ),
    (
        "InvalidParameterValue",
        "run_instances",
        lambda w: w.launch(InstanceInitiatedShutdownBehavior="sleep"),
    ),
    ("InvalidParameterValue", "run_instances", lambda w: w.tagged(("aws:x", "1"))),
    (
        "TagLimitExceeded",
        "run_instances",
        lambda w: w.tagged(*((str(number), "") for number in range(51))),
    ),
    ("InvalidParameterValue", "run_instances", lambda w: w.tagged(("k" * 129, ""))),
    ("InvalidParameterValue", "run_instances", lambda w: w.tagged(("k", "v" * 257))),
    ("InvalidParameterValue", "run_instances", lambda w: w.tagged(("k", ""), kind="vpc")),
    ("InvalidSnapshot.NotFound", "run_instances", lambda w: w.mapped(SnapshotId=GONE["snapshot"])),
    ("InvalidParameterCombination", "run_instances", lambda w: w.mapped(VolumeSize=1, Iops=100)),
    ("MissingParameter", "run_instances", lambda w: w.mapped(VolumeSize=4, VolumeType="io1")),
    (
        "InvalidLaunchTemplateId.NotFound",
        "run_instances",
        lambda w: w.launch(LaunchTemplate={"LaunchTemplateId": GONE["template"]}),
    ),
    (
        "InvalidLaunchTemplateName.NotFoundException",
        "run_instances",
        lambda w: w.launch(LaunchTemplate={"LaunchTemplateName": "none"}),
    ),
    (
        "InvalidLaunchTemplateId.VersionNotFound",
        "run_instances",
        lambda w: w.launch(LaunchTemplate={"LaunchTemplateId": w.template, "Version": "9"}),
    ),
]

SPOT: list[Row] = [
    ("MissingParameter", "request_spot_instances", lambda w: w.ask(LaunchSpecification=None)),
    ("InvalidParameterValue", "request_spot_instances", lambda w: w.ask(SpotPrice="0")),
    ("InvalidParameterValue", "request_spot_instances", lambda w: w.ask(SpotPrice="-1")),
    ("InvalidParameterValue", "request_spot_instances", lambda w: w.ask(SpotPrice="cheap")),
    ("InvalidParameterValue", "request_spot_instances", lambda w: w.ask(Type="for ever")),
    ("InvalidParameterValue", "request_spot_instances", lambda w: w.ask(InstanceCount=0)),
    (
        "InvalidParameterValue",
        "request_spot_instances",
        lambda w: w.ask(InstanceInterruptionBehavior="sleep"),
    ),
    (
        "InvalidParameterValue",
        "request_spot_instances",
        lambda w: w.ask(ValidUntil="2020-01-01T00:00:00Z"),
    ),
    (
        "InvalidParameterCombination",
        "request_spot_instances",
        lambda w: w.ask(InstanceInterruptionBehavior="stop", Type="one-time"),
    ),
    (
        "InvalidAMIID.NotFound",
        "request_spot_instances",
        lambda w: w.ask({"ImageId": GONE["image"]}),
    ),
    (
        "InvalidAMIID.Malformed",
        "request_spot_instances",
        lambda w: w.ask({"ImageId": "ami-xyz"}),
    ),
    # Clients encode it for RunInstances, not here
    ("InvalidUserData.Malformed", "request_spot_instances", lambda w: w.ask({"UserData": "*"})),
    ("InvalidKeyPair.NotFound", "request_spot_instances", lambda w: w.ask({"KeyName": "none"})),
    (
        "InvalidGroup.NotFound",
        "request_spot_instances",
        lambda w: w.ask({"SecurityGroupIds": [GONE["group"]]}),
    ),
    (
        "InvalidSubnetID.NotFound",
        "request_spot_instances",
        lambda w: w.ask({"SubnetId": GONE["subnet"]}),
    ),
    (
        "InvalidSpotInstanceRequestID.NotFound",
        "cancel_spot_instance_requests",
        lambda _: {"SpotInstanceRequestIds": [GONE["request"]]},
    ),
    (
        "InvalidSpotInstanceRequestID.NotFound",
        "describe_spot_instance_requests",
        lambda _: {"SpotInstanceRequestIds": [GONE["request"]]},
    ),
    (
        "InvalidSpotInstanceRequestID.Malformed",
        "describe_spot_instance_requests",
        lambda _: {"SpotInstanceRequestIds": ["sir"]},
    ),
    ("DryRunOperation", "request_spot_instances", lambda w: w.ask(DryRun=True)),
]

TEMPLATES: list[Row] = [
    (
        "InvalidLaunchTemplateName.AlreadyExistsException",
        "create_launch_template",
        lambda w: {"LaunchTemplateName": "twice", "LaunchTemplateData": {"ImageId": w.image}},
    ),
    (
        "InvalidLaunchTemplateName.MalformedException",
        "create_launch_template",
        lambda w: {"LaunchTemplateName": "a b", "LaunchTemplateData": {"ImageId": w.image}},
    ),
    (
        "InvalidLaunchTemplateId.NotFound",
        "delete_launch_template",
        lambda _: {"LaunchTemplateId": GONE["template"]},
    ),
    (
        "InvalidLaunchTemplateName.NotFoundException",
        "delete_launch_template",
        lambda _: {"LaunchTemplateName": "none"},
    ),
    (
        "InvalidLaunchTemplateId.NotFound",
        "describe_launch_templates",
        lambda _: {"LaunchTemplateIds": [GONE["template"]]},
    ),
    ("MissingParameter", "create_launch_template", lambda _: {"LaunchTemplateName": "none"}),
]
