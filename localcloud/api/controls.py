"""HTTP paths below /localcloud/: a rehearsal does by hand what EC2 does by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from moto.ec2.exceptions import EC2ClientError
from werkzeug.wrappers import Request, Response

from localcloud.api import account_controls, market_controls
from localcloud.api.control_arguments import Arguments, seconds, text
from localcloud.ec2.backend.reaps import Reaps
from localcloud.ec2.backend.whole import backends
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.errors import invalid
from localcloud.ec2.records.instance import Instance
from localcloud.ec2.records.reap import NOTICE_SECONDS, Terms


def reap(arguments: Arguments) -> object:
    """POST: instance; notice (seconds, or null for none), lead, keep_down, overlap, cause."""
    ident = text(arguments, "instance")
    notice = arguments.get("notice", NOTICE_SECONDS)
    terms = Terms(
        notice=None if notice is None else seconds("notice", notice),
        lead=seconds("lead", arguments.get("lead", 0)),
        keep_down=seconds("keep_down", arguments.get("keep_down", 0)),
        overlap=arguments.get("overlap", False) is True,
        cause=arguments.get("cause", "no-capacity"),
    )
    backend, instance = _instance(ident)
    return backend.reap(instance, terms).timeline()


def reaps(arguments: Arguments) -> object:
    """GET: the timelines of all reaps that are kept, oldest first."""
    all_reaps = [reap for backend in backends() for reap in backend.reaps]
    return [reap.timeline() for reap in sorted(all_reaps, key=lambda reap: reap.asked)]


CONTROLS: dict[tuple[str, str], Callable[[Arguments], object]] = {
    ("GET", "account"): account_controls.show,
    ("POST", "account"): account_controls.change,
    ("GET", "reaps"): reaps,
    ("POST", "reap"): reap,
    ("GET", "prices"): market_controls.prices,
    ("POST", "price"): market_controls.price,
    ("POST", "replay"): market_controls.replay,
    ("POST", "replay/availability"): market_controls.replay_availability,
    ("POST", "replay/stop"): market_controls.stop,
    ("POST", "capacity"): market_controls.capacity,
}


def use(cloud: Cloud, request: Request, name: str) -> Response | None:
    """The answer as JSON, or None for a path that is no control."""
    control = CONTROLS.get((request.method, name))
    if control is None:
        return None
    if request.method == "POST" and request.mimetype != "application/json":
        # A page in the owner's browser cannot send this without being let in first
        return answer({"message": "Send JSON."}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        arguments = json.loads(request.get_data() or b"{}", parse_constant=_no_number)
        if not isinstance(arguments, dict):
            raise invalid("Send a JSON object.")
        arguments = {**request.args.to_dict(), **arguments}
        with cloud.transaction():
            return answer(control(arguments))
    except EC2ClientError as refused:
        return answer({"message": refused.message}, HTTPStatus.BAD_REQUEST)
    except (ValueError, RecursionError) as malformed:
        return answer({"message": f"The request is no JSON: {malformed}"}, HTTPStatus.BAD_REQUEST)


def _no_number(name: str) -> None:
    raise ValueError(name)


def names() -> str:
    return ", ".join(f"{name} ({method})" for method, name in CONTROLS)


def answer(value: object, status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(value, indent=2) + "\n", status, mimetype="application/json")


def _instance(ident: str) -> tuple[Reaps, Instance]:
    every = backends()
    for backend in every:
        if instance := backend.known(ident):
            return backend, instance
    live = [i.id for b in every for i in b.every_instance() if i.state == "running"]
    raise invalid(f"There is no instance '{ident}'. Running: {', '.join(live) or 'none'}.")
