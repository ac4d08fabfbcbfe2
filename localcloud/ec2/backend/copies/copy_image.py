"""CopyImage: an AMI of this region, made of copies of another's snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ec2.utils import random_ami_id

from localcloud.ec2.backend.base import tags_for
from localcloud.ec2.backend.copies.copy_snapshot import CopySnapshot
from localcloud.ec2.backend.create_image import CreateImage
from localcloud.ec2.errors import missing, not_rehearsed, refusal
from localcloud.ec2.parameters import refuse_unknown
from localcloud.ec2.records.baked_image import BakedImage
from localcloud.ec2.records.snapshot import Snapshot

Given = Mapping[str, Any]


class CopyImage(CopySnapshot, CreateImage):
    def copy_image_of(self, params: Given) -> BakedImage:
        """CopyImage."""
        token = params.get("ClientToken")
        for ident in self.made_before("CopyImage", token, params):
            image = self.amis.get(ident)
            if isinstance(image, BakedImage):
                return image
        refuse_unknown("CopyImage", params)
        origin = self.region_of_copy(params)
        assert isinstance(origin, CopyImage)
        source = origin.source_of_copy(params.get("SourceImageId") or _no("SourceImageId"))
        self.require_image_name(params.get("Name"))
        tags = tags_for(params, allowed=("image", "snapshot"))
        if params.get("CopyImageTags"):
            own = origin.tags.get(source.id, {})
            kept = {key: value for key, value in own.items() if not key.startswith("aws:")}
            tags["image"] = {**kept, **tags["image"]}
        every = [origin.snapshots[ident] for ident in source.snapshot_ids]
        sealed = {
            one.id: self.encryption_of(params, encrypted=bool(one.encrypted)) for one in every
        }
        ami_id = random_ami_id()
        copies = {}
        for one in every:
            copied = self.new_copy(
                one, sealed[one.id],
                f"Copied for DestinationAmi {ami_id} from SourceAmi {source.id} for SourceSnapshot"
                f" {one.id}.",
            )  # fmt: skip
            self.set_tags(copied.id, tags["snapshot"])
            copies[one.id] = copied
        mappings = [_copied(entry, copies) for entry in source.block_device_mappings]
        image = self.new_image(params, source.traits, mappings, tags["image"], ami_id)
        image.source_image_id, image.source_image_region = source.id, origin.region_name
        self.remember("CopyImage", token, params, [image.id])
        return image

    def source_of_copy(self, ami_id: str) -> BakedImage:
        image = self.launchable(ami_id)
        if not isinstance(image, BakedImage):
            raise not_rehearsed(
                f"a copy of {ami_id}, the base image: bake an image of a machine and copy that"
            )
        if image.owner_id != self.account_id:
            raise refusal("InvalidAMIID.NotFound", f"The image id '[{ami_id}]' does not exist")
        return image


def _copied(entry: Given, copies: Mapping[str, Snapshot]) -> Given:
    """The entry with the copy of its snapshot, if it has one."""
    if not (ident := entry.get("Ebs", {}).get("SnapshotId")):
        return entry
    copied = copies[ident]
    ebs = {**entry["Ebs"], "SnapshotId": copied.id, "Encrypted": copied.encrypted}
    return {**entry, "Ebs": ebs}


def _no(parameter: str) -> str:
    raise missing(parameter)
