"""Services of our own whose actions only method and path name (AWS's protocol rest-json)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from localcloud.dlm.responses import Responses as Lifecycles
from localcloud.fis.responses import Responses as Experiments

RESPONSES: Mapping[str, type[BaseResponse]] = {"dlm": Lifecycles, "fis": Experiments}
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def action(service: str, environ: dict[str, Any]) -> str:
    """The action's name; empty if the service has none at this method and path."""
    try:
        operation, _ = get_service_router(service).match(Request(environ))
    except NotFound:
        return ""
    return str(operation.name)


def application(service: str) -> Application:
    """WSGI, as moto makes it of the services that it has."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        status, headers, body = RESPONSES[service].dispatch(Request(environ))
        return Response(body, status, headers, mimetype="application/json")(environ, start_response)

    return answer
