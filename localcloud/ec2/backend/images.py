"""The AMIs there are, and which of them a call means."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localcloud.ec2.backend.base import Base
from localcloud.ec2.describe.image_filters import FILTERS
from localcloud.ec2.errors import refusal
from localcloud.ec2.filters import select
from localcloud.ec2.records.image import BaseImage, Image
from localcloud.machines.interface import MachineImage

ID = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})")


# Debian's names of the architectures, which Canonical's parameters have too
ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


def base_name(image: MachineImage, given: str, architecture: str) -> str:
    """An honest name: what the image was made from, never Canonical's own names."""
    digest = image.root.parent.name[:12]
    debian = ARCHITECTURES[architecture]
    if given:
        return f"localcloud/{Path(given).name}-{debian}-{digest}"
    release = platform.freedesktop_os_release()
    return f"localcloud/{release['ID']}-{release.get('VERSION_ID', 'rolling')}-{debian}-{digest}"


def image_id(image: MachineImage, architecture: str = "x86_64") -> str:
    """The same for the same image, on every computer."""
    suffix = "" if architecture == "x86_64" else f" {architecture}"
    text = f"{image.root.parent.name}{suffix}"
    return f"ami-{hashlib.sha256(text.encode()).hexdigest()[:17]}"


class Images(Base):
    def _load_amis(self) -> None:
        """Moto would load 1301 images here, none of which any machine can boot."""

    def register_base(self) -> None:
        """The base image of now; one of before stays, for requests that name it,
        until its files are gone: an AMI that cannot boot must not exist."""
        machine = self.cloud.image
        for architecture in ARCHITECTURES:
            current = image_id(machine, architecture)
            known = self.amis.get(current)
            if isinstance(known, BaseImage):
                known.machine = machine
            else:
                name = base_name(machine, self.cloud.config.base_image, architecture)
                self.amis[current] = BaseImage(self, current, name, machine, architecture)
        for ident, image in list(self.amis.items()):
            if isinstance(image, BaseImage) and not image.machine.root.exists():
                self.drop_image(ident)

    def drop_image(self, ami_id: str) -> None:
        del self.amis[ami_id]
        self.deleted_amis.append(ami_id)
        self.tags.pop(ami_id, None)
        self.touch()

    def image(self, ami_id: str) -> Image:
        """Raises EC2's error for an id that is malformed, unknown, or deregistered."""
        require_id(ami_id)
        if ami_id in self.amis:
            return self.amis[ami_id]
        if ami_id in self.deleted_amis:
            raise refusal(
                "InvalidAMIID.Unavailable", f"The image id '[{ami_id}]' is no longer available"
            )
        raise unknown([ami_id])

    def launchable(self, ami_id: str) -> Image:
        """An image to launch from; a deregistered one is as unknown as one that never was."""
        require_id(ami_id)
        if ami_id not in self.amis:
            raise unknown([ami_id])
        image = self.amis[ami_id]
        if image.state != "available":
            raise refusal(
                "InvalidAMIID.Unavailable", f"AMI '{ami_id}' is {image.state}, and cannot be run"
            )
        return image

    def images(self, params: Mapping[str, Any]) -> Sequence[Image]:
        """DescribeImages. It leaves out deregistered images, as EC2 does for a while."""
        ids = params.get("ImageIds", [])
        for ident in ids:
            require_id(ident)
        absent = [i for i in ids if i not in self.amis and i not in self.deleted_amis]
        if absent:
            raise unknown(absent)
        images = [self.amis[i] for i in dict.fromkeys(ids or self.amis) if i in self.amis]
        owners, users = (
            {self.account_id if one == "self" else one for one in params.get(name, [])}
            for name in ("Owners", "ExecutableUsers")
        )
        if owners:
            images = [image for image in images if image.owner_id in owners]
        if users:
            images = [
                image
                for image in images
                if ("all" in users and image.public)
                or any(one.get("UserId") in users for one in image.launch_permissions)
            ]
        return select(images, params.get("Filters", []), FILTERS)


def require_id(ami_id: str) -> None:
    if not ID.fullmatch(ami_id):
        raise refusal("InvalidAMIID.Malformed", f'Invalid id: "{ami_id}" (expecting "ami-...")')


def unknown(ids: Sequence[str]) -> Exception:
    plural, verb = ("s", "do") if len(ids) > 1 else ("", "does")
    return refusal(
        "InvalidAMIID.NotFound", f"The image id{plural} '[{', '.join(ids)}]' {verb} not exist"
    )
