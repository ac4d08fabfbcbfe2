"""AttachVolume and DetachVolume: who may have which volume under which name."""

from __future__ import annotations

from localcloud.ec2.backend.volumes import Volumes
from localcloud.ec2.errors import invalid, invalid_value, missing, refusal
from localcloud.ec2.launch.block_devices import DEVICE
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.volume import Volume, VolumeAttachment


class Attachments(Volumes):
    def attached_to(self, instance: Instance) -> list[VolumeAttachment]:
        """The instance's attachments, the root volume's first."""
        attachments = [v.attachment for v in self.volumes.values() if v.attachment]
        mine = [a for a in attachments if a.instance is instance]
        return sorted(mine, key=lambda a: a.device != instance.root_device_name)

    def attach(self, volume_id: str, instance_id: str, device: str | None) -> VolumeAttachment:
        volume, instance = self.volume(volume_id), self.instance(instance_id)
        self._refuse_unsettled(instance)
        if not device:
            raise missing("device")
        if not DEVICE.fullmatch(device):
            raise invalid_value("device", device, f"{device} is not a valid EBS device name.")
        if volume.attachment:
            raise refusal("VolumeInUse", f"{volume_id} is already attached to an instance")
        if volume.status != "available":
            raise refusal(
                "IncorrectState", f"Volume '{volume_id}' is '{volume.status}', not 'available'."
            )
        if instance.state not in ("running", "stopped"):
            raise refusal("IncorrectState", f"Instance '{instance_id}' is not 'running'.")
        if volume.availability_zone != instance.availability_zone:
            raise refusal(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume_id}' is not in the same availability zone"
                f" ({volume.availability_zone}) as instance '{instance_id}'"
                f" ({instance.availability_zone})",
            )
        # On a machine /dev/sdj and /dev/xvdj are one name
        taken = {_bare(one.device) for one in self.attached_to(instance)}
        taken |= {_bare(device) for device in instance.ephemeral.values()}
        if _bare(device) in taken:
            raise invalid(
                f"Invalid value '{device}' for unixDevice. Attachment point {device} is already"
                " in use"
            )
        volume.attachment = VolumeAttachment(volume, instance, device)
        self.touch()
        return volume.attachment

    def _refuse_unsettled(self, instance: Instance) -> None:
        """For some seconds after a launch not every part of EC2 knows the instance (EC2 Developer
        Guide, eventual consistency): it is not there, then not in a state for this."""
        age = (self.now() - instance.launch_time).total_seconds()
        settling = self.cloud.settling
        if age >= settling:
            return
        if age < settling / 2 and not instance.restarted:
            raise refusal(
                "InvalidInstanceID.NotFound", f"The instance ID '{instance.id}' does not exist"
            )
        raise refusal("IncorrectInstanceState", f"Instance '{instance.id}' is not 'running'.")

    def detach(
        self, volume_id: str, instance_id: str | None, device: str | None
    ) -> VolumeAttachment:
        volume = self.volume(volume_id)
        attachment = volume.attachment
        if attachment is None:
            raise refusal("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
        if instance_id:
            self.instance(instance_id)
        if (instance_id and attachment.instance_id != instance_id) or (
            device and attachment.device != device
        ):
            raise refusal(
                "InvalidAttachment.NotFound",
                f"The volume '{volume_id}' is not attached to instance"
                f" '{instance_id or attachment.instance_id}' as device"
                f" '{device or attachment.device}'.",
            )
        instance = attachment.instance
        if attachment.device == instance.root_device_name and instance.state != "stopped":
            raise refusal(
                "OperationNotPermitted",
                f"Unable to detach root volume '{volume_id}' from instance '{instance.id}', which"
                f" is '{instance.state}'. Stop it first.",
            )
        if attachment.state == "attaching":
            raise refusal("IncorrectState", f"Volume '{volume_id}' is still 'attaching'.")
        if attachment.state == "attached":
            attachment.state = "detaching"
            self.touch()
        return attachment

    def let_go(self, volume: Volume) -> None:
        """The guest and the host have nothing to do with the volume any more."""
        volume.attachment = None
        self.touch()


def _bare(device: str) -> str:
    name = device.removeprefix("/dev/")
    return name.replace("xvd", "sd", 1) if name.startswith("xvd") else name
