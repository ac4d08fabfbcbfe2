"""The HTTP side: finds out which service a call is for, one lock round all of moto."""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.ec2.exceptions import DryRunClientError, EC2ClientError
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.wrappers import Request, Response

from localcloud.api import controls, kms, rest, service_quotas, simulate, sts
from localcloud.authorization.authorize import authorize
from localcloud.authorization.caller import Machine
from localcloud.authorization.signature import signature_of
from localcloud.credentials import credentials
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.responses.all import require_rehearsed
from localcloud.ec2.responses.serializer import REQUEST_ID, request_id
from localcloud.errors import LocalCloudError, Refused
from localcloud.machines.qemu import HOST_ADDRESS
from localcloud.own_calls import PROOF, is_genuine, proof

log = logging.getLogger("localcloud.api")

SERVICES = ("dlm", "ec2", "fis", "iam", "kms", "servicequotas", "ssm", "sts")
# Moto has no DLM, an FIS that does nothing, KMS keys that cannot be kept, and no quotas of EC2
OURS = ("dlm", "fis", "kms", "servicequotas")
READING = re.compile(r"(Describe|Get|List|Lookup|Search|Simulate|AssumeRole)")
OWN = "/localcloud/"
# This computer, as it calls itself and as QEMU's machines call it
HOSTS = ("127.0.0.1", "localhost", HOST_ADDRESS)
NOT_THIS_HOST = "The rehearsal cloud answers by this computer's own address only: 127.0.0.1\n"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Api:
    """A WSGI application: AWS's services, and our own few paths below /localcloud/."""

    def __init__(self, cloud: Cloud, health: Callable[[], dict[str, object]], port: int) -> None:
        self._cloud = cloud
        self._administrator = credentials(cloud.config)
        # Others are a web page's, whose name was made to mean this computer (DNS rebinding)
        self._hosts = {f"{name}:{port}" for name in HOSTS}
        self._health = health
        self._apps: dict[str, Any] = {
            name: create_backend_app(name)  # type: ignore[arg-type]
            for name in SERVICES
            if name not in OURS
        }
        self._apps |= {name: rest.application(name) for name in rest.RESPONSES}
        self._calls: dict[str, Counter[str]] = {"mutating": Counter(), "reading": Counter()}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        began = time.monotonic()
        if request.headers.get("Host", "").lower() not in self._hosts:
            response = Response(NOT_THIS_HOST, HTTPStatus.FORBIDDEN, mimetype="text/plain")
        elif request.path.startswith(OWN):
            response = self._own(request)
        else:
            # Read here, outside of the lock: a slow client must not hold up the others.
            # It stays cached in the environ for moto's own request object.
            request.get_data(cache=True, parse_form_data=False)
            environ["wsgi.input"] = _Body(request.get_data())
            response = self._aws(request, environ)
        if not request.path.startswith(OWN):
            spent = (time.monotonic() - began) * 1000
            log.info("%s %d %.0f ms", environ.get(WHAT, "?"), response.status_code, spent)
        return response(environ, start_response)

    def _aws(self, request: Request, environ: Environ) -> Response:
        signature = signature_of(request)
        if not signature and self._is_unsigned(request):
            return self._unsigned(request, environ)
        if not signature:
            return error(
                "ec2", HTTPStatus.FORBIDDEN, "MissingAuthenticationToken",
                "Request is missing an AWS Signature Version 4. Try: python -m localcloud env",
            )  # fmt: skip
        service = signature.service
        action, dry = (
            (rest.action(service, environ), False)
            if service in rest.RESPONSES
            else action_of(request)
        )
        environ[WHAT] = f"{service}:{action}"
        if service not in SERVICES:
            style = "ssm" if "X-Amz-Target" in request.headers else "sts"
            return error(
                style, HTTPStatus.BAD_REQUEST, "UnsupportedOperation",
                f"The rehearsal cloud has {', '.join(SERVICES)}; it does not have {service}.",
            )  # fmt: skip
        if not action:
            return error(
                service, HTTPStatus.BAD_REQUEST, "MissingAction", "The request names no action."
            )
        mutating = not dry and not READING.match(action) and service != "sts"
        try:
            if service == "ec2":
                require_rehearsed(action)
            with self._cloud.transaction():
                self._calls["mutating" if mutating else "reading"][f"{service}:{action}"] += 1
                machine = authorize(request, signature, self._administrator, action)
                response = self._ours(
                    request, service, action, signature.region, machine
                ) or self._moto(service, environ)
                if mutating and response.status_code < HTTPStatus.BAD_REQUEST:
                    self._cloud.touch()
            return response
        except Refused as refused:
            return error(service, refused.status, refused.code, refused.message)
        except EC2ClientError as refused:
            return error(service, _status(refused), refused.code, refused.message)
        except NotImplementedError as lacking:
            log.warning("%s: %s", environ[WHAT], lacking)
            return error(
                service, HTTPStatus.BAD_REQUEST, "UnsupportedOperation",
                f"The rehearsal cloud cannot do this: {_first_sentence(lacking)}",
            )  # fmt: skip
        except LocalCloudError as broken:
            return error(service, HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", str(broken))
        except Exception as broken:
            log.exception("%s", environ[WHAT])
            return error(
                service, HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError",
                f"{type(broken).__name__}: {broken}. The log has more:"
                f" {self._cloud.config.log_file}",
            )  # fmt: skip

    @staticmethod
    def _is_unsigned(request: Request) -> bool:
        """Whether it is a call that STS takes without a signature, and has none."""
        return action_of(request)[0] in sts.UNSIGNED and "Authorization" not in request.headers

    def _unsigned(self, request: Request, environ: Environ) -> Response:
        action, _ = action_of(request)
        environ[WHAT] = f"sts:{action}"
        try:
            with self._cloud.lock:
                self._calls["reading"][environ[WHAT]] += 1
                return sts.unsigned(action, request.values)
        except Refused as refused:
            return error("sts", refused.status, refused.code, refused.message)

    def _ours(
        self, request: Request, service: str, action: str, region: str, machine: Machine | None
    ) -> Response | None:
        """The answer to what moto does not have, or None."""
        if service == "kms":
            return kms.answer(action, request.get_data(), region)
        if service == "servicequotas":
            return service_quotas.answer(action, request.get_data(), region)
        if service == "sts":
            return sts.answer(action, request.values, machine)
        if service == "iam" and action == "SimulatePrincipalPolicy":
            return simulate.answer(request.values)
        return None

    def _moto(self, service: str, environ: Environ) -> Response:
        answer = Response.from_app(self._apps[service], environ, buffered=True)
        assert isinstance(answer, Response)
        if answer.mimetype == "text/html" and answer.status_code >= HTTPStatus.BAD_REQUEST:
            # Flask's own page for a path that it does not have
            return error(service, answer.status_code, "InvalidAction", "There is no such call.")
        # Moto lets every web page in the owner's browser call; none has any business here
        for name in [name for name, _ in answer.headers if name.startswith("Access-Control")]:
            del answer.headers[name]
        return answer

    # --- our own paths ----------------------------------------------------------------

    def _own(self, request: Request) -> Response:
        name = request.path.removeprefix(OWN)
        if name == "caller-address":
            return Response(request.remote_addr or "", mimetype="text/plain")
        authorization = request.headers.get("Authorization", "")
        path = request.environ["RAW_URI"]
        body = request.get_data(cache=True, parse_form_data=False)
        if not is_genuine(self._administrator, request.method, path, body, authorization):
            home = self._cloud.config.home
            return Response(
                f"The rehearsal cloud of {home} takes calls that are signed with its credentials"
                " only. Try: python -m localcloud\n",
                HTTPStatus.FORBIDDEN,
                mimetype="text/plain",
            )
        response = self._own_signed(request, name)
        response.headers[PROOF] = proof(self._administrator, authorization)
        return response

    def _own_signed(self, request: Request, name: str) -> Response:
        if name == "health":
            return controls.answer(self._health())
        if name == "calls" and request.method == "GET":
            return controls.answer(self.calls())
        if name == "calls/reset" and request.method == "POST":
            with self._cloud.lock:
                for counter in self._calls.values():
                    counter.clear()
            return controls.answer(self.calls())
        response = controls.use(self._cloud, request, name)
        return response or Response(
            f"There is nothing at {request.path}. There are: health, caller-address, calls"
            f" (GET), calls/reset (POST), {controls.names()}.\n",
            HTTPStatus.NOT_FOUND,
            mimetype="text/plain",
        )

    def calls(self) -> dict[str, object]:
        """Calls since the start or the last reset, by service and action."""
        with self._cloud.lock:
            return {
                **{kind: counter.total() for kind, counter in self._calls.items()},
                "actions": {kind: dict(sorted(c.items())) for kind, c in self._calls.items()},
            }


# Key of the environ that tells the log which action a call was
WHAT = "localcloud.action"


class _Body:
    """A request's body that can be read from its start by each who opens it."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, size: int = -1) -> bytes:
        size = len(self._left) if size is None or size < 0 else size
        head, self._left = self._left[:size], self._left[size:]
        return head


def action_of(request: Request) -> tuple[str, bool]:
    """The action's name, and whether it is a dry run."""
    target = request.headers.get("X-Amz-Target", "")
    if target:
        return target.rpartition(".")[2], False
    form = parse_qs(request.get_data(as_text=True)) or parse_qs(request.query_string.decode())
    action = form.get("Action", [""])[0]
    return action, form.get("DryRun", ["false"])[0].lower() == "true"


def _status(refused: EC2ClientError) -> int:
    """HTTP's status of a refusal; EC2 has another for a dry run that would have succeeded."""
    passed = isinstance(refused, DryRunClientError)
    return HTTPStatus.PRECONDITION_FAILED if passed else HTTPStatus.BAD_REQUEST


def _first_sentence(reason: Exception) -> str:
    return str(reason).partition(" Feel free")[0] or "not implemented"


def error(service: str, status: int, code: str, message: str) -> Response:
    """An error as the service's protocol has it, so that clients show its words."""
    ident = request_id()
    if service in ("dlm", "fis", "kms", "servicequotas", "ssm"):
        body = json.dumps({"__type": code, "message": message, "Message": message})
        headers = {"x-amzn-ErrorType": code, REQUEST_ID: ident}
        return Response(body, status, headers, mimetype="application/x-amz-json-1.1")
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        body = (
            f"<Response><Errors><Error>{inner}</Error></Errors>"
            f"<RequestID>{ident}</RequestID></Response>"
        )
    else:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error>"
            f"<RequestId>{ident}</RequestId></ErrorResponse>"
        )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return Response(head + body, status, {REQUEST_ID: ident}, mimetype="text/xml")
