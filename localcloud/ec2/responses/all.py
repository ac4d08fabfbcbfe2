"""All of EC2's actions as the rehearsal cloud answers them."""

from __future__ import annotations

from botocore.model import OperationNotFoundError
from moto.core.parse import RequestParserError
from moto.core.request import Request
from moto.ec2.responses import EC2Response

from localcloud.ec2.errors import invalid, not_rehearsed, refusal
from localcloud.ec2.responses.addresses import AddressResponses
from localcloud.ec2.responses.images import ImageResponses
from localcloud.ec2.responses.instances import InstanceResponses
from localcloud.ec2.responses.spot import SpotResponses
from localcloud.ec2.responses.storage import StorageResponses

# Moto has these, but would make instances, images or volumes that no machine knows of
NOT_REHEARSED = frozenset(
    {
        "AllocateHosts", "CopyImage", "CopySnapshot", "CreateFleet", "CreateLaunchTemplate",
        "CreateNetworkInterface", "CreateSnapshots", "DisableImage", "EnableImage",
        "ModifySnapshotTier", "RequestSpotFleet", "ResetImageAttribute", "RestoreSnapshotTier",
    }
)  # fmt: skip


class Responses(
    AddressResponses,
    ImageResponses,
    InstanceResponses,
    SpotResponses,
    StorageResponses,
    EC2Response,
):
    """Ours first, then moto's for the rest."""

    def parse_parameters(self, request: Request) -> None:
        try:
            super().parse_parameters(request)
        except OperationNotFoundError as error:
            raise refusal(
                "InvalidAction", f"The action {error} is not valid for this web service"
            ) from error
        except (ValueError, RequestParserError) as error:
            raise invalid(f"A parameter is malformed: {error}") from error


def require_rehearsed(action: str) -> None:
    if action in NOT_REHEARSED:
        raise not_rehearsed(action)
