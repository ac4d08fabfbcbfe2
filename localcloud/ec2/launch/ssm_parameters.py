"""SSM's public parameters of Canonical's and Amazon's images; here they name the base image."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import moto.ssm.urls
from moto.core.utils import utcnow
from moto.ssm.models import Parameter, SimpleSystemManagerBackend

# Names of parameters that are AWS's own begin so
PUBLIC = "/aws/"
RELEASES = ("22.04", "24.04", "26.04")
PATH = "/aws/service/canonical/ubuntu/server/{}/stable/current/{}/hvm/ebs-gp3/ami-id"

AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest"


class Parameters(SimpleSystemManagerBackend):
    @property
    def _url_module(self) -> ModuleType:
        return moto.ssm.urls

    def describe_parameters(
        self, filters: list[dict[str, Any]], parameter_filters: list[dict[str, Any]]
    ) -> list[Parameter]:
        """One's own: public parameters are got by their names or below /aws/service only."""
        every = super().describe_parameters(filters, parameter_filters)
        return [one for one in every if not one.name.startswith(PUBLIC)]

    def get_parameters_by_path(
        self, path: str, recursive: bool, filters: list[dict[str, Any]] | None = None,
        next_token: str | None = None, max_results: int = 10,
    ) -> tuple[list[Parameter], str | None]:  # fmt: skip
        if path.startswith(PUBLIC.rstrip("/")):
            return super().get_parameters_by_path(path, recursive, filters, next_token, max_results)
        hidden = {name: self._parameters[name] for name in self._public()}
        try:
            for name in hidden:
                del self._parameters[name]
            return super().get_parameters_by_path(path, recursive, filters, next_token, max_results)
        finally:
            self._parameters.update(hidden)

    def _public(self) -> list[str]:
        return [name for name in self._parameters if name.startswith(PUBLIC)]

    def publish(self, architecture: str, image_id: str) -> None:
        """Name the image of an architecture, which is amd64 or arm64 here."""
        for release in RELEASES:
            self._name(PATH.format(release, architecture), image_id)
        for name in self._of_amazon_linux():
            if ("arm64" in name) == (architecture == "arm64"):
                self._name(name, image_id)

    def _of_amazon_linux(self) -> list[str]:
        """Names in moto's file, which has ids of images that are not here; asked for one such
        name, moto reads it."""
        return list(self._parameters.get_keys_beginning_with(AMAZON_LINUX, True))

    def _name(self, name: str, image_id: str) -> None:
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
