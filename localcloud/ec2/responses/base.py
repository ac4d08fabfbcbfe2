"""Typed access to the parsed parameters and to our backend."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.responses._base_response import EC2BaseResponse

from localcloud.ec2.backend.whole import Backend


class BaseResponses(EC2BaseResponse):
    @property
    def backend(self) -> Backend:
        backend = ec2_backends[self.current_account][self.region]
        assert isinstance(backend, Backend)
        return backend

    @property
    def given(self) -> dict[str, Any]:
        """The call's parameters by their names in EC2's service model, parsed by type."""
        return dict(self.params)

    def one(self, name: str) -> Any:
        return self.given.get(name)
