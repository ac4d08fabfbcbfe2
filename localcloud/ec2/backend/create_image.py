"""RegisterImage, CreateImage and DeregisterImage."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.ec2.utils import random_ami_id

from localcloud.ec2.backend.attachments import Attachments
from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.image_mapping import added, captured, require_unchanged
from localcloud.ec2.backend.images import ARCHITECTURES, Images
from localcloud.ec2.backend.snapshots import Snapshots
from localcloud.ec2.errors import invalid, invalid_value, missing, not_rehearsed, refusal
from localcloud.ec2.launch.block_devices import Mapped, bad_mapping, named
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.baked_image import BakedImage
from localcloud.ec2.records.image import Traits
from localcloud.ec2.records.volume import VolumeAttachment

NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
BOOT_MODES = ("legacy-bios", "uefi", "uefi-preferred")
# Parameters of RegisterImage for images that no machine here can boot
FOREIGN = (
    "BillingProducts", "ImageLocation", "KernelId", "RamdiskId", "TpmSupport", "UefiData",
)  # fmt: skip


class CreateImage(Attachments, Snapshots, Images):
    def register(self, params: Mapping[str, Any]) -> BakedImage:
        """RegisterImage, from the snapshot of a root volume."""
        self.require_image_name(params.get("Name"))
        tags = tags_for(params, allowed=("image",))["image"]
        for name in FOREIGN:
            if params.get(name):
                raise not_rehearsed(f"{name} in RegisterImage")
        # EC2's defaults are i386 and paravirtual, which no current instance type boots
        for name, values, otherwise in (
            ("Architecture", tuple(ARCHITECTURES), "i386"),
            ("VirtualizationType", ("hvm",), "paravirtual"),
        ):
            if (given := params.get(name) or otherwise) not in values:
                raise not_rehearsed(f"{given} images; give {name}={' or '.join(values)}")
        root = params.get("RootDeviceName")
        if not root:
            raise missing("RootDeviceName")
        traits = Traits(
            root_device_name=root,
            boot_mode=_one_of(params, "BootMode", BOOT_MODES),
            ena_support=bool(params.get("EnaSupport")),
            imds_support=_one_of(params, "ImdsSupport", ("v2.0",)),
            sriov_net_support=_one_of(params, "SriovNetSupport", ("simple",)),
            architecture=params["Architecture"],
        )
        entries = named(params.get("BlockDeviceMappings", []))
        mappings = added(self, entries)
        snapshot_id = entries.get(root, {}).get("Ebs", {}).get("SnapshotId")
        if not snapshot_id or "NoDevice" in entries[root]:
            raise bad_mapping(f"No root snapshot specified in device mapping, at {root}")
        snapshot = self.snapshots[snapshot_id]
        _require_bootable(snapshot.bootable, f"{snapshot_id} of {snapshot.volume_id}")
        return self.new_image(params, traits, mappings, tags)

    def bake(self, params: Mapping[str, Any]) -> BakedImage:
        """CreateImage: a snapshot of every attached volume that the mapping does not omit."""
        instance = self.instance(params.get("InstanceId") or _no("InstanceId"))
        self.require_image_name(params.get("Name"))
        tags = tags_for(params, allowed=("image", "snapshot"))
        refuse_unknown("CreateImage", params)
        if instance.state not in ("running", "stopping", "stopped"):
            raise invalid(
                f"Invalid value '{instance.id}' for instanceId. Instance is not in state 'running'"
                " or 'stopping' or 'stopped'"
            )
        if not instance.root_volume:
            raise refusal(
                "IncorrectInstanceState",
                f"Instance '{instance.id}' does not have a volume attached at root"
                f" ({instance.root_device_name})",
            )
        root = self.volumes[instance.root_volume]
        _require_bootable(root.bootable, root.id)
        given = named(params.get("BlockDeviceMappings", []))
        if "NoDevice" in given.get(instance.root_device_name, {}):
            raise bad_mapping("The root device cannot be left out")
        attached = {one.device: one for one in self.attached_to(instance)}
        for name, one in attached.items():
            require_unchanged(name, one.volume, given.get(name, {}).get("Ebs", {}))
        new = {name: one for name, one in given.items() if name not in attached}
        # The machine's own instance-store disks are the image's too
        for name, device in instance.ephemeral.items():
            new.setdefault(f"/dev/{device}", {"VirtualName": name})
        more = added(self, new)
        ami_id, reboot = random_ami_id(), not params.get("NoReboot")
        mappings = [
            self._captured(ami_id, one, given.get(name, {}), reboot=reboot, tags=tags["snapshot"])
            for name, one in attached.items()
            if "NoDevice" not in given.get(name, {})
        ]
        image = self.new_image(params, instance.traits, [*mappings, *more], tags["image"], ami_id)
        image.instance_id = instance.id
        image.source_image_id, image.source_image_region = instance.image_id, self.region_name
        return image

    def deregister(self, params: Mapping[str, Any]) -> list[dict[str, str]]:
        """DeregisterImage. Returns what became of its snapshots, if the call asks for that."""
        image = self.own_image(params.get("ImageId") or _no("ImageId"))
        snapshot_ids = image.snapshot_ids
        self.drop_image(image.id)
        if not params.get("DeleteAssociatedSnapshots"):
            return []
        results = []
        for ident in snapshot_ids:
            code = "skipped" if self.user_of_snapshot(ident) else "success"
            if code == "success":
                self.remove_snapshot(ident)
            results.append({"SnapshotId": ident, "ReturnCode": code})
        return results

    def own_image(self, ami_id: str) -> BakedImage:
        image = self.image(ami_id)
        if not isinstance(image, BakedImage):
            raise refusal("AuthFailure", f"Not authorized for image:{ami_id}")
        return image

    # --- inside ---------------------------------------------------------------------

    def require_image_name(self, name: str | None) -> None:
        if not name:
            raise missing("Name")
        if not NAME.fullmatch(name):
            raise refusal(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain letters,"
                f" numbers, and only ()[] ./-'@_ beside them: '{name}'",
            )
        for image in self.amis.values():
            if image.name == name and image.owner_id == self.account_id:
                raise refusal(
                    "InvalidAMIName.Duplicate",
                    f"AMI name {name} is already in use by AMI {image.id}",
                )

    def _captured(
        self, ami_id: str, attachment: VolumeAttachment, entry: Mapped, *, reboot: bool,
        tags: Mapping[str, str],
    ) -> dict[str, Any]:  # fmt: skip
        instance = attachment.instance
        snapshot = self.new_snapshot(
            attachment.volume,
            f"Created by CreateImage({instance.id}) for {ami_id}",
            at_rest_in=instance.id if reboot and instance.state == "running" else "",
        )
        self.set_tags(snapshot.id, tags)
        return captured(attachment, entry, snapshot.id)

    def new_image(
        self, params: Mapping[str, Any], traits: Traits, mappings: Sequence[Mapping[str, Any]],
        tags: Mapping[str, str], ami_id: str = "",
    ) -> BakedImage:  # fmt: skip
        image = BakedImage(self, ami_id or random_ami_id(), params, traits, mappings)
        self.amis[image.id] = image
        self.set_tags(image.id, tags)
        self.touch()
        return image


def _one_of(params: Mapping[str, Any], name: str, valid: Sequence[str]) -> str | None:
    given: str | None = params.get(name) or None
    if given and given not in valid:
        raise invalid_value(name, given, f"Valid: {', '.join(valid)}.")
    return given


def _require_bootable(bootable: bool, what: str) -> None:
    """EC2 takes any snapshot and boots none but a root volume's; here a kernel is needed too."""
    if not bootable:
        raise not_rehearsed(
            f"an image of {what}, which no kernel boots: an image's root has to be a snapshot of"
            " a machine's root volume, or of a volume made from one"
        )


def _no(parameter: str) -> str:
    raise missing(parameter)
