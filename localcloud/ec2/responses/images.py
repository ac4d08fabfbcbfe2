"""Images and their attributes."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult

from localcloud.ec2.describe import image_attributes
from localcloud.ec2.filters import page
from localcloud.ec2.responses.base import BaseResponses


class ImageResponses(BaseResponses):
    def register_image(self) -> ActionResult:
        return ActionResult({"ImageId": self.backend.register(self.given).id})

    def create_image(self) -> ActionResult:
        return ActionResult({"ImageId": self.backend.bake(self.given).id})

    def copy_image(self) -> ActionResult:
        return ActionResult({"ImageId": self.backend.copy_image_of(self.given).id})

    def deregister_image(self) -> ActionResult:
        results = self.backend.deregister(self.given)
        return ActionResult({"Return": True, "DeleteSnapshotResults": results})

    def describe_images(self) -> ActionResult:
        shown, token = page(self.backend.images(self.given), self.given, low=1, ids="ImageIds")
        return ActionResult({"Images": shown, "NextToken": token})

    def describe_image_attribute(self) -> ActionResult:
        image = self.backend.own_image(self.one("ImageId") or "")
        shown = image_attributes.shown(image, self.one("Attribute") or "")
        return ActionResult({"ImageId": image.id, **shown})

    def modify_image_attribute(self) -> ActionResult:
        image_attributes.change(self.backend.own_image(self.one("ImageId") or ""), self.given)
        return EmptyResult()
