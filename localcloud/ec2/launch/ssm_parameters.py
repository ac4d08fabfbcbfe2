"""SSM's public parameters that name Canonical's images; here they name the base image."""

from __future__ import annotations

from types import ModuleType

import moto.ssm.urls
from moto.core.utils import utcnow
from moto.ssm.models import Parameter, SimpleSystemManagerBackend

RELEASES = ("22.04", "24.04", "26.04")
PATH = "/aws/service/canonical/ubuntu/server/{}/stable/current/{}/hvm/ebs-gp3/ami-id"


class Parameters(SimpleSystemManagerBackend):
    @property
    def _url_module(self) -> ModuleType:
        return moto.ssm.urls

    def publish(self, architecture: str, image_id: str) -> None:
        """Name the image of an architecture, which is amd64 or arm64 here."""
        for release in RELEASES:
            name = PATH.format(release, architecture)
            self._parameters.pop(name, None)
            self._parameters[name].append(
                Parameter(  # type: ignore[abstract]
                    account_id=self.account_id,
                    name=name,
                    value=image_id,
                    parameter_type="String",
                    description=None,
                    allowed_pattern=None,
                    keyid=None,
                    last_modified_date=utcnow().timestamp(),  # type: ignore[arg-type]
                    version=1,
                    data_type="aws:ec2:image",
                )
            )
