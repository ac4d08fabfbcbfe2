"""The blows that one call can meet: the rehearsal cloud's API, with one of its calls struck."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from werkzeug.wrappers import Request, Response

from localcloud.api import rest, wsgi
from localcloud.authorization.signature import signature_of

BLOWS = (
    "throttled", "error 500", "error 500 after", "reset before", "reset after", "timeout after",
    "denied",
)  # fmt: skip
# Seconds; longer than the patience of whoever asks (see tools/warm/server.py, IMPATIENT)
TIMEOUT = 6.0


@dataclass
class Struck:
    """The calls that changed something since the start, and the one that is struck.

    ``number`` counts from 1; 0 strikes none. Permissions do not come back within a run, so a denied
    action is denied until ``over``; all else happens once, and the client's own retry goes through.
    """

    number: int = 0
    blow: str = ""
    calls: list[str] = field(default_factory=list)
    action: str = ""
    # All calls, those that read too
    asked: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def meets(self, call: str) -> str:
        """Count a call, and say which blow it meets; empty for none."""
        with self.lock:
            self.calls.append(call)
            if len(self.calls) == self.number:
                self.action = call
                return self.blow
            return self.blow if self.blow == "denied" and call == self.action else ""

    def asks(self) -> int:
        """Count a call of any kind; its number from 1."""
        with self.lock:
            self.asked += 1
            return self.asked

    def over(self) -> None:
        """From now on every call goes through."""
        with self.lock:
            self.number, self.blow, self.action = 0, "", ""


class Api(wsgi.Api):
    """The API whose calls meet what ``struck`` says."""

    struck = Struck()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        service, action = call_of(environ)
        if not environ["PATH_INFO"].startswith(wsgi.OWN):
            self.struck.asks()
        blow = self.struck.meets(f"{service}:{action}") if action else ""
        if not blow:
            return super().__call__(environ, start_response)
        if blow.endswith("after"):
            # It takes effect, and nobody hears of it
            Response.from_app(super().__call__, environ, buffered=True)
        if blow.removesuffix(" after") in ANSWERS:
            status, codes = ANSWERS[blow.removesuffix(" after")]
            code = codes.get(service, codes[""])
            refusal = wsgi.error(service, status, code, f"{action} was struck: {blow}.")
            return refusal(environ, start_response)
        if blow == "timeout after":
            threading.Event().wait(TIMEOUT)
        reset(environ["werkzeug.socket"])
        raise ConnectionResetError(f"{action} was struck: {blow}")


# As each service says it; EC2 API Reference, "Error codes"
ANSWERS: dict[str, tuple[HTTPStatus, dict[str, str]]] = {
    "throttled": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        {"": "RequestLimitExceeded", "iam": "Throttling", "dlm": "ThrottlingException"},
    ),
    "error 500": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        {"": "InternalError", "iam": "ServiceFailure", "dlm": "InternalServerException"},
    ),
    "denied": (
        HTTPStatus.FORBIDDEN,
        {"": "UnauthorizedOperation", "iam": "AccessDenied", "dlm": "AccessDeniedException"},
    ),
}


def call_of(environ: dict[str, Any]) -> tuple[str, str]:
    """The service and the action of a call that changes something; else the action is empty."""
    request = Request(environ)
    body = request.get_data(cache=True, parse_form_data=False)
    environ["wsgi.input"] = io.BytesIO(body)
    signature = None if request.path.startswith(wsgi.OWN) else signature_of(request)
    if not signature or signature.service == "sts":
        return "", ""
    service = signature.service
    if service in rest.RESPONSES:
        action, dry = rest.action(service, environ), False
    else:
        action, dry = wsgi.action_of(request)
    return service, "" if dry or wsgi.READING.match(action) else action


def reset(connection: socket.socket) -> None:
    """End a connection as a router does that has forgotten it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
