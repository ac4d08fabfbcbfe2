"""One spot instance request: its terms and its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from moto.ec2.utils import random_spot_request_id

from localcloud.ec2.filters import tags_of
from localcloud.ec2.instance_types import DEFAULT_TYPE

# EC2 User Guide, spot-request-status, with its sentences
MESSAGES = {
    "pending-evaluation": "Your Spot request has been submitted for review, and is pending"
    " evaluation.",
    "not-scheduled-yet": "Your Spot request will not be evaluated until the scheduled date.",
    "pending-fulfillment": "Your Spot request is pending fulfillment.",
    "price-too-low": "Your Spot request price is lower than the minimum required Spot request"
    " fulfillment price.",
    "capacity-not-available": "There is no Spot capacity available that matches your request.",
    "bad-parameters": "Your Spot request failed due to bad parameters.",
    "fulfilled": "Your spot request is fulfilled.",
    "schedule-expired": "Your Spot request has expired.",
    "canceled-before-fulfillment": "Your Spot request was cancelled before it could be fulfilled.",
    "request-canceled-and-instance-running": "Your Spot request was cancelled, but your instance"
    " is still running.",
    "instance-terminated-by-user": "Your Spot instance was terminated by you.",
    "instance-terminated-no-capacity": "Your Spot instance was terminated because there is no"
    " Spot capacity available.",
    "instance-terminated-by-price": "Your Spot instance was terminated because the Spot price"
    " exceeds your maximum price.",
    "instance-terminated-by-experiment": "Your Spot instance was terminated by an experiment.",
    "marked-for-termination": "Your Spot instance is marked for termination.",
    "marked-for-stop": "Your Spot instance is marked for stopping.",
    "marked-for-stop-by-experiment": "Your Spot instance is marked for stopping by an experiment.",
    "instance-stopped-by-price": "Your Spot instance was stopped because the Spot price exceeds"
    " your maximum price.",
    "instance-stopped-by-experiment": "Your Spot instance was stopped by an experiment.",
    "instance-stopped-by-user": "Your Spot instance was stopped by you.",
    "instance-stopped-no-capacity": "Your Spot instance was stopped because there is no Spot"
    " capacity available.",
}
# A one-time request that names no end gets this one (ec2-facts: seen by many)
ONE_TIME_LIFE = timedelta(days=7)

FILTERS = {
    "availability-zone-group": lambda r: r.availability_zone_group,
    "create-time": lambda r: r.create_time,
    "fault-code": lambda r: (r.fault or {}).get("Code"),
    "fault-message": lambda r: (r.fault or {}).get("Message"),
    "instance-id": lambda r: r.instance_id,
    "instance-interruption-behavior": lambda r: r.instance_interruption_behavior,
    "launch-group": lambda r: r.launch_group,
    "launch.block-device-mapping.device-name": lambda r: [d.get("DeviceName") for d in r.devices],
    "launch.block-device-mapping.snapshot-id": lambda r: r.ebs("SnapshotId"),
    "launch.block-device-mapping.delete-on-termination": lambda r: r.ebs("DeleteOnTermination"),
    "launch.block-device-mapping.volume-size": lambda r: r.ebs("VolumeSize"),
    "launch.block-device-mapping.volume-type": lambda r: r.ebs("VolumeType"),
    "launch.group-id": lambda r: [g["GroupId"] for g in r.groups],
    "launch.group-name": lambda r: [g["GroupName"] for g in r.groups],
    "launch.image-id": lambda r: r.spec.get("ImageId"),
    "launch.instance-type": lambda r: r.spec.get("InstanceType"),
    "launch.key-name": lambda r: r.spec.get("KeyName"),
    "launch.monitoring-enabled": lambda r: bool(r.spec.get("Monitoring", {}).get("Enabled")),
    "launched-availability-zone": lambda r: r.launched_availability_zone,
    "launch.kernel-id": lambda r: None,
    "launch.ramdisk-id": lambda r: None,
    "network-interface.delete-on-termination": lambda r: r.nic("DeleteOnTermination"),
    "network-interface.description": lambda r: r.nic("Description"),
    "network-interface.device-index": lambda r: r.nic("DeviceIndex"),
    "network-interface.group-id": lambda r: r.nic("Groups"),
    "network-interface.network-interface-id": lambda r: r.nic("NetworkInterfaceId"),
    "network-interface.private-ip-address": lambda r: r.nic("PrivateIpAddress"),
    "network-interface.subnet-id": lambda r: [r.spec.get("SubnetId"), r.nic("SubnetId")],
    "product-description": lambda r: r.product_description,
    "spot-instance-request-id": lambda r: r.id,
    "spot-price": lambda r: r.spot_price,
    "state": lambda r: r.state,
    "status-code": lambda r: r.code,
    "status-message": lambda r: r.message,
    "type": lambda r: r.type,
    "valid-from": lambda r: r.valid_from,
    "valid-until": lambda r: r.valid_until,
}


class SpotRequest:
    """open, active, disabled, cancelled, closed or failed, with a status code that says why.

    ``spec`` is the launch specification as it was given; each launch reads it anew.
    """

    product_description = "Linux/UNIX"

    def __init__(
        self, backend: Any, params: Mapping[str, Any], price: float, groups: Iterable[Any]
    ) -> None:
        self.ec2_backend = backend
        self.id = random_spot_request_id()
        self.spec: dict[str, Any] = dict(params["LaunchSpecification"])
        self.spec.setdefault("InstanceType", DEFAULT_TYPE)
        self.groups = [{"GroupId": one.id, "GroupName": one.name} for one in groups]
        self.bid = price
        self.type = params.get("Type") or "one-time"
        self.instance_interruption_behavior = (
            params.get("InstanceInterruptionBehavior") or "terminate"
        )
        self.launch_group = params.get("LaunchGroup")
        self.availability_zone_group = params.get("AvailabilityZoneGroup")
        self.create_time: datetime = backend.now()
        self.valid_from: datetime | None = params.get("ValidFrom")
        self.valid_until: datetime | None = params.get("ValidUntil")
        if self.valid_until is None and not self.persistent:
            self.valid_until = self.create_time + ONE_TIME_LIFE
        # Options that RunInstances gives its machine beside the specification
        self.options: Mapping[str, Any] = {}
        self.instance_id: str | None = None
        self.launched_availability_zone: str | None = None
        # Not before this moment is a failed launch tried again
        self.retry_at: datetime | None = None
        self.fault: dict[str, str] | None = None
        self.state = ""
        self.enter("open", "pending-evaluation")

    def enter(self, state: str, code: str, message: str = "") -> None:
        """Move on; the time is the status's UpdateTime."""
        self.state = state
        self.code = code
        self.message = message or MESSAGES[code]
        self.update_time: datetime = self.ec2_backend.now()
        self.ec2_backend.touch()

    @property
    def persistent(self) -> bool:
        return bool(self.type == "persistent")

    @property
    def ended(self) -> bool:
        return self.state in ("cancelled", "closed", "failed")

    @property
    def stopped_by_ec2(self) -> bool:
        # The owner starts a machine that the owner's experiment stopped (EC2 User Guide, FIS)
        owners = ("instance-stopped-by-user", "instance-stopped-by-experiment")
        return self.state == "disabled" and self.code not in owners

    @property
    def devices(self) -> list[dict[str, Any]]:
        devices: list[dict[str, Any]] = self.spec.get("BlockDeviceMappings", [])
        return devices

    def nic(self, name: str) -> list[Any]:
        return [nic.get(name) for nic in self.spec.get("NetworkInterfaces", [])]

    def ebs(self, name: str) -> list[Any]:
        return [device.get("Ebs", {}).get(name) for device in self.devices]

    # --- as DescribeSpotInstanceRequests shows it

    @property
    def spot_instance_request_id(self) -> str:
        return self.id

    @property
    def spot_price(self) -> str:
        return f"{self.bid:.6f}"

    @property
    def status(self) -> dict[str, Any]:
        return {"Code": self.code, "Message": self.message, "UpdateTime": self.update_time}

    @property
    def launch_specification(self) -> dict[str, Any]:
        # User data is not shown (EC2 shows it neither), ids and names come in one list
        shown = {k: v for k, v in self.spec.items() if k not in ("UserData", "SecurityGroupIds")}
        monitoring = {"Enabled": bool(self.spec.get("Monitoring", {}).get("Enabled"))}
        return {**shown, "SecurityGroups": self.groups, "Monitoring": monitoring}

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in tags_of(self).items()]
