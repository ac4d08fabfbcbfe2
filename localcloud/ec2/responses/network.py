"""Network interfaces of their own, and what moto takes that EC2 refuses of groups and keys."""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidKeyPairFormatError

from localcloud.ec2.errors import refusal
from localcloud.ec2.responses.base import BaseResponses


class NetworkResponses(BaseResponses):
    def create_network_interface(self) -> ActionResult:
        return ActionResult({"NetworkInterface": self.backend.make_network_interface(self.given)})

    def create_security_group(self) -> Any:
        vpc = self.one("VpcId")
        if vpc and vpc not in self.backend.vpcs:
            raise refusal("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
        return super().create_security_group()  # type: ignore[misc]

    def import_key_pair(self) -> Any:
        try:
            return super().import_key_pair()  # type: ignore[misc]
        except (InvalidKeyPairFormatError, UnsupportedAlgorithm) as error:
            raise refusal(
                "InvalidKey.Format", "Key is not in valid OpenSSH public key format"
            ) from error
