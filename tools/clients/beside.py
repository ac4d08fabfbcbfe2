"""A rehearsal cloud with services of moto's own beside it, for those of its tests that use both.

The rehearsal cloud has neither S3 nor CloudFormation, and no ``localcloud start`` gives it any.
These are moto's as they are, with its rules and not AWS's. All that they make in EC2, IAM and SSM
is the rehearsal cloud's, so whatever they would make past its rules is refused.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.wrappers import Request, Response

from localcloud.api.rest import Application
from localcloud.authorization.signature import is_genuine, is_timely, signature_of
from localcloud.credentials import credentials
from localcloud.daemon.server import Server
from tools.clients.stacks import require_rehearsed_stacks

# By the name in a call's signature, moto's name of the service
SERVICES: Mapping[str, str] = {
    "cloudformation": "cloudformation",
    "config": "config",
    "elasticloadbalancing": "elbv2",
    "logs": "logs",
    "s3": "s3",
    "secretsmanager": "secretsmanager",
    "tagging": "resourcegroupstaggingapi",
}


class ServerBeside(Server):
    """A rehearsal cloud that answers for those services, too. They begin empty."""

    def application(self) -> Application:
        own = super().application()
        require_rehearsed_stacks()
        for name in SERVICES.values():
            backends: Any = get_backend(name)  # type: ignore[call-overload]
            for _, _, backend in backends.iter_backends():
                backend.reset()
            backends.clear()
        apps = {
            signed: create_backend_app(name)  # type: ignore[arg-type]
            for signed, name in SERVICES.items()
        }
        signer = credentials(self.config)

        def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            request = Request(environ)
            signature = signature_of(request)
            if not signature or signature.service not in apps:
                return own(environ, start_response)
            environ["wsgi.input"] = io.BytesIO(request.get_data(cache=True))
            if not (is_timely(signature) and is_genuine(request, signature, signer.secret_key)):
                return Response("", HTTPStatus.FORBIDDEN)(environ, start_response)
            with self.cloud.transaction():
                response = Response.from_app(apps[signature.service], environ, buffered=True)
            return response(environ, start_response)

        return answer
