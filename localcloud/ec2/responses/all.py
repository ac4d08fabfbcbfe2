"""All of EC2's actions as the rehearsal cloud answers them."""

from __future__ import annotations

from botocore.model import OperationNotFoundError
from moto.core.common_types import TYPE_RESPONSE
from moto.core.parse import RequestParserError
from moto.core.request import Request
from moto.core.responses import ActionContext, ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.responses import EC2Response

from localcloud.ec2.errors import invalid, not_rehearsed, refusal
from localcloud.ec2.query import parameters
from localcloud.ec2.responses.addresses import AddressResponses
from localcloud.ec2.responses.fleets import FleetResponses
from localcloud.ec2.responses.images import ImageResponses
from localcloud.ec2.responses.instances import InstanceResponses
from localcloud.ec2.responses.launch_templates import LaunchTemplateResponses
from localcloud.ec2.responses.network import NetworkResponses
from localcloud.ec2.responses.serializer import REQUEST_ID, Serializer
from localcloud.ec2.responses.spot import SpotResponses
from localcloud.ec2.responses.storage import StorageResponses

# Moto has these, but would make instances, images or volumes that no machine knows of
NOT_REHEARSED = frozenset(
    {
        "AllocateHosts", "AttachNetworkInterface", "DisableImage", "EnableImage",
        "ModifySnapshotTier", "RequestSpotFleet", "ResetImageAttribute", "RestoreSnapshotTier",
    }
)  # fmt: skip


class Responses(
    AddressResponses,
    FleetResponses,
    ImageResponses,
    InstanceResponses,
    LaunchTemplateResponses,
    NetworkResponses,
    SpotResponses,
    StorageResponses,
    EC2Response,
):
    """Ours first, then moto's for the rest."""

    _request_id: str

    def parse_parameters(self, request: Request) -> None:
        try:
            self.params = parameters(request, self._get_action())
        except OperationNotFoundError as error:
            raise refusal(
                "InvalidAction", f"The action {error} is not valid for this web service"
            ) from error
        except (ValueError, RequestParserError) as error:
            raise invalid(f"A parameter is malformed: {error}") from error

    def serialized(self, action_result: ActionResult) -> TYPE_RESPONSE:
        model = get_service_model("ec2")
        operation = model.operation_model(self._get_action())
        context = ActionContext(model, operation, Serializer, self)
        status, headers, body = action_result.execute_result(context)
        self._request_id = headers[REQUEST_ID]
        return status, {**headers, **self.response_headers}, body

    def call_action(self) -> TYPE_RESPONSE:
        # For every action, as several of moto's do not look
        if hasattr(self, camelcase_to_underscores(self._get_action())):
            self.error_on_dryrun()
        status, headers, body = super().call_action()
        # Moto makes up another for the header
        return status, {**headers, REQUEST_ID: self._request_id}, body


def require_rehearsed(action: str) -> None:
    if action in NOT_REHEARSED:
        raise not_rehearsed(action)
