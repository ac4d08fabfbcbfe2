"""ModifyInstanceAttribute: which attribute may change when, and to what."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.types import Base64EncodedString

from localcloud.ec2.backend.instances import Instances
from localcloud.ec2.errors import invalid, missing, not_rehearsed, refusal
from localcloud.ec2.instance_types import require_architecture, require_drivers, require_offered
from localcloud.ec2.launch.planner import require_user_data
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.instance import Instance

# By the name that the parameter Attribute has, the structure that says the same
STRUCTURES = {
    "blockDeviceMapping": "BlockDeviceMappings",
    "disableApiStop": "DisableApiStop",
    "disableApiTermination": "DisableApiTermination",
    "ebsOptimized": "EbsOptimized",
    "groupSet": "Groups",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
    "instanceType": "InstanceType",
    "sourceDestCheck": "SourceDestCheck",
    "userData": "UserData",
}
# Attributes that EC2 changes only while the instance is stopped (EC2 User Guide)
STOPPED_ONLY = ("instanceType", "userData", "ebsOptimized")
LISTS = ("blockDeviceMapping", "groupSet")


class InstanceAttributes(Instances):
    def change_attribute(self, params: Mapping[str, Any]) -> None:
        """One attribute of one instance: checked in whole, then changed."""
        refuse_unknown("ModifyInstanceAttribute", params)
        instance = self.instance(params.get("InstanceId") or _no("InstanceId"))
        name, value = _attribute(params)
        if name in STOPPED_ONLY and instance.state != "stopped":
            raise refusal(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in the 'stopped' state.",
            )
        changes: Mapping[str, Callable[[Instance, Any], None]] = {
            "blockDeviceMapping": self._change_devices,
            "groupSet": self._change_groups,
            "instanceInitiatedShutdownBehavior": _change_shutdown,
            "instanceType": self._change_type,
            "userData": _change_user_data,
            "disableApiStop": _flag("disable_api_stop"),
            "disableApiTermination": _flag("disable_api_termination"),
            "ebsOptimized": _flag("ebs_optimized"),
            "sourceDestCheck": _flag("source_dest_check"),
        }
        changes[name](instance, value)
        self.touch()

    def _change_type(self, instance: Instance, kind: str) -> None:
        if instance.spot_instance_request_id:
            # EC2 User Guide, stop-spot-instances: all but the instance type may be modified
            raise refusal(
                "UnsupportedOperation",
                f"You can't modify the instance type of the Spot Instance '{instance.id}'.",
            )
        image = self.amis.get(instance.image_id)
        try:
            require_architecture(kind, (image and image.architecture) or "x86_64")
            require_drivers(kind, instance.ena_support)
            require_offered(self.region_name, kind, instance.availability_zone or "")
        except Exception as error:
            reason = getattr(error, "message", error)
            raise refusal("InvalidInstanceAttributeValue", f"{reason}") from error
        instance.instance_type = kind

    def _change_groups(self, instance: Instance, ids: list[str]) -> None:
        vpc_id = self.get_subnet(instance.nics[0].subnet_id).vpc_id
        in_vpc = self.groups.get(vpc_id, {})
        for ident in ids:
            if ident not in in_vpc:
                raise refusal(
                    "InvalidGroup.NotFound", f"The security group '{ident}' does not exist"
                )
        self.modify_instance_security_groups(instance.id, ids)

    def _change_devices(self, instance: Instance, mappings: list[Mapping[str, Any]]) -> None:
        """DeleteOnTermination only."""
        attached = {one.device: one for one in self.attached_to(instance)}
        for mapping in mappings:
            device = mapping.get("DeviceName", "")
            if device not in attached:
                raise refusal(
                    "InvalidInstanceAttributeValue", f"No device is currently mapped at {device}"
                )
        for mapping in mappings:
            delete = mapping.get("Ebs", {}).get("DeleteOnTermination")
            if delete is not None:
                attached[mapping["DeviceName"]].delete_on_termination = delete


def _attribute(params: Mapping[str, Any]) -> tuple[str, Any]:
    """Name and value of the one attribute that the call changes."""
    values: dict[str, Any] = {}
    for name, structure in STRUCTURES.items():
        given = params.get(structure)
        if given and name in LISTS:
            values[name] = given
        elif given is not None and name not in LISTS:
            values[name] = given.get("Value")
    named = params.get("Attribute")
    if named and params.get("Value") is not None:
        if named not in STRUCTURES or named in LISTS:
            raise not_rehearsed(f"a Value for the attribute {named}")
        values[named] = params["Value"]
    if len(values) != 1:
        names = ", ".join(sorted(values))
        raise refusal(
            "InvalidParameterCombination",
            f"Fields for multiple attribute types specified: {names}"
            if values
            else "No attributes specified.",
        )
    ((name, value),) = values.items()
    if value is None:
        raise missing("Value")
    return name, value


def _flag(attribute: str) -> Callable[[Instance, Any], None]:
    """A setter of a boolean, which is a word in the form with Attribute and Value."""

    def change(instance: Instance, value: Any) -> None:
        word = str(value).lower()
        if word not in ("true", "false"):
            raise refusal(
                "InvalidInstanceAttributeValue",
                f"The value '{value}' is invalid. It has to be true or false.",
            )
        setattr(instance, attribute, word == "true")

    return change


def _change_shutdown(instance: Instance, value: str) -> None:
    if value not in ("stop", "terminate"):
        raise invalid(
            f"Value ({value}) for parameter instanceInitiatedShutdownBehavior is invalid."
        )
    instance.instance_initiated_shutdown_behavior = value


def _change_user_data(instance: Instance, value: str | bytes) -> None:
    """Clients encode it, and moto's parser of the structure decodes it again."""
    text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    require_user_data(text)
    instance.user_data = Base64EncodedString(text) if text else None


def _no(parameter: str) -> str:
    raise missing(parameter)
