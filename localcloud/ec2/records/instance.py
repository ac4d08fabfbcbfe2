"""One instance: moto's, with states that only the reconciler finishes."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.models.instances import Instance as MotoInstance
from moto.ec2.models.instances import InstanceState, StateReason

from localcloud.ec2.records.launch_plan import LaunchPlan

CODES = {
    "pending": 0, "running": 16, "shutting-down": 32, "terminated": 48,
    "stopping": 64, "stopped": 80,
}  # fmt: skip
LIVE = ("pending", "running", "shutting-down", "stopping", "stopped")

BY_USER = ("Client.UserInitiatedShutdown", "User initiated shutdown")
BY_GUEST = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
BY_SPOT = ("Server.SpotInstanceTermination", "Spot instance termination")
STOPPED_BY_SPOT = ("Server.SpotInstanceShutdown", "Spot instance shutdown")
# A customer-managed key that EC2 may not use (EC2 User Guide, troubleshooting-launch)
BY_KEY = ("Client.InternalError", "Client error on launch")
BY_HOST = ("Server.InternalError", "The machine went down by itself")


class Instance(MotoInstance):
    # Whether it was stopped and started since its launch
    restarted = False

    def __init__(
        self,
        backend: Any,
        plan: LaunchPlan,
        *,
        private_ip: str,
        loopback: str,
        index: int,
        spot_request_id: str | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__(
            backend,
            plan.image.id,
            Base64EncodedString(plan.user_data) if plan.user_data else None,
            list(plan.groups),
            instance_type=plan.instance_type,
            region_name=backend.region_name,
            subnet_id=plan.subnet_id,
            key_name=plan.key_name,
            ebs_optimized=plan.ebs_optimized,
            monitoring_state="enabled" if plan.monitoring else "disabled",
            private_ip=private_ip,
            associate_public_ip=False,
            ami_launch_index=index,
            lifecycle="spot" if spot_request_id else None,
            metadata_options=options.get("MetadataOptions", {}),
            instance_initiated_shutdown_behavior=options.get("InstanceInitiatedShutdownBehavior"),
            disable_api_termination=bool(options.get("DisableApiTermination")),
            disable_api_stop=bool(options.get("DisableApiStop")),
        )
        # ImdsSupport v2.0 of the image makes tokens required (EC2 User Guide)
        hardened = plan.image.imds_support == "v2.0"
        if hardened and "HttpTokens" not in options.get("MetadataOptions", {}):
            self.metadata_options.http_tokens = "required"
        self.launch_time = backend.now()
        self.client_token = options.get("ClientToken") or ""
        self.platform_details, self.usage_operation = "Linux/UNIX", "RunInstances"
        self.traits = plan.image.traits
        self.ena_support = self.traits.ena_support
        self.hibernation_options = {"Configured": False}
        # The host reaches it there in any case; EC2 shows it as public if the launch asked for one
        self.loopback: str | None = loopback
        self.wants_address = plan.public_address
        # The Elastic IP that is associated with it, and where its machine is reached by now
        self.elastic_ip: str | None = None
        self.forwarded: str | None = None
        # Its own copy: the AMI may be deregistered while the instance is stopped
        self.machine_image = plan.machine
        # Device names of its instance-store disks by virtual name, if they are not NVMe
        self.ephemeral = dict(plan.ephemeral)
        self.spot_instance_request_id = spot_request_id
        self.profile_name = plan.profile_name
        if plan.profile_arn:
            self.iam_instance_profile = {"Arn": plan.profile_arn, "Id": plan.profile_id}
        # From it follow the credentials of its profile
        self.secret_key = secrets.token_hex(20)
        # The spot notice: {"action": …, "time": …} as the metadata shows it
        self.spot_notice: dict[str, str] | None = None
        # Since when EC2 recommends to rebalance, as the metadata shows it
        self.rebalance: str | None = None
        # Whether its end is a power cut, with no clean shutdown
        self.power_cut = False
        self.reboot_asked = False
        # Whether it ever ran: one that did is stopped, not lost, when it cannot start
        self.ran = False
        # Set when `stop` paused the whole cloud: at the next start EC2 has taken the machine
        self.taken = False
        self.ended: datetime | None = None
        nic = self.nics[0]
        nic.delete_on_termination = True
        nic.description = ""
        self.move_to(loopback)
        self.become("pending")

    def __del__(self) -> None:
        # Moto's gives the private address back whenever a copy is collected
        return

    def move_to(self, loopback: str | None) -> None:
        """Take a new address on this computer, or none while there is no machine.

        An Elastic IP goes before it, and is the instance's also while there is no machine.
        """
        self.loopback = loopback and (self.elastic_ip or loopback)
        self.nics[0].public_ip = self.elastic_ip or (loopback if self.wants_address else None)

    def become(self, state: str, reason: tuple[str, str] | None = None) -> None:
        """Enter a state; the reason is a code of StateReason and its message."""
        self._state = InstanceState(state, CODES[state])
        if state in ("pending", "running"):
            self._reason, self.state_reason = "", StateReason()
        if reason:
            code, message = reason
            when = self.ec2_backend.now().strftime("%Y-%m-%d %H:%M:%S GMT")
            cause = "User initiated" if code.startswith("Client.User") else code
            self._reason = f"{cause} ({when})"
            self.state_reason = StateReason(f"{code}: {message}", code)
        if state == "terminated":
            self.ended = self.ec2_backend.now()
        self.ec2_backend.touch()

    @property
    def live(self) -> bool:
        return self.state != "terminated"

    @property
    def by_user(self) -> bool:
        """True when the owner, or the guest itself, made it go down."""
        code = self.state_reason.code
        return code.startswith("Client.") and code != BY_KEY[0]

    def previous_state(self) -> InstanceState:
        return InstanceState(self._state.name, self._state.code)

    # As DescribeInstances shows it: a terminated instance has no network any more.

    @property
    def address(self) -> str | None:
        return self.nics[0].public_ip if self.live and 0 in self.nics else None

    @property
    def private_ip_address(self) -> str | None:
        return self.nics[0].private_ip_address if self.live else None

    @property
    def private_ip(self) -> str | None:
        return self.private_ip_address

    @property
    def private_dns_name(self) -> str:
        return super().private_dns_name if self.live else ""

    @property
    def public_ip_address(self) -> str | None:
        return self.address

    @property
    def public_ip(self) -> str | None:
        return self.address

    @property
    def network_interfaces(self) -> list[Any]:
        return list(self.nics.values()) if self.live else []

    @property
    def mac_address(self) -> str:
        return str(self.nics[0].mac_address)

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        return [
            {
                "DeviceName": one.device,
                "Ebs": {
                    "AttachTime": one.attach_time,
                    "DeleteOnTermination": one.delete_on_termination,
                    "Status": "detaching" if one.state == "busy" else one.state,
                    "VolumeId": one.volume_id,
                },
            }
            for one in self.ec2_backend.attached_to(self)
        ]

    @property
    def root_volume(self) -> str:
        """Id of the volume that it boots from, or empty when that is detached."""
        for one in self.ec2_backend.attached_to(self):
            if one.device == self.root_device_name:
                return str(one.volume_id)
        return ""
