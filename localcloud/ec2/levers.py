"""What EC2 does by itself and a rehearsal does by hand: HTTP paths below /localcloud/."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from moto.ec2.exceptions import EC2ClientError
from werkzeug.wrappers import Request, Response

from localcloud.ec2 import market_levers
from localcloud.ec2.cloud import Cloud
from localcloud.ec2.errors import invalid
from localcloud.ec2.given import Given, seconds, text
from localcloud.ec2.instance import Instance
from localcloud.ec2.reap import NOTICE_SECONDS, Terms
from localcloud.ec2.reaps import Reaps
from localcloud.ec2.reconciler import backends


def reap(given: Given) -> object:
    """POST: instance; notice (seconds, or null for none), lead, keep_down, overlap, cause."""
    ident = text(given, "instance")
    notice = given.get("notice", NOTICE_SECONDS)
    terms = Terms(
        notice=None if notice is None else seconds("notice", notice),
        lead=seconds("lead", given.get("lead", 0)),
        keep_down=seconds("keep_down", given.get("keep_down", 0)),
        overlap=given.get("overlap", False) is True,
        cause=given.get("cause", "no-capacity"),
    )
    backend, instance = _instance(ident)
    return backend.reap(instance, terms).timeline()


def reaps(given: Given) -> object:
    """GET: the timelines of all reaps that are kept, oldest first."""
    found = [reap for backend in backends() for reap in backend.reaps]
    return [reap.timeline() for reap in sorted(found, key=lambda reap: reap.asked)]


LEVERS: dict[tuple[str, str], Callable[[Given], object]] = {
    ("GET", "reaps"): reaps,
    ("POST", "reap"): reap,
    ("GET", "prices"): market_levers.prices,
    ("POST", "price"): market_levers.price,
    ("POST", "replay"): market_levers.replay,
    ("POST", "replay/stop"): market_levers.stop,
    ("POST", "capacity"): market_levers.capacity,
}


def pull(cloud: Cloud, request: Request, name: str) -> Response | None:
    """The answer as JSON, or None for a path that is no lever."""
    lever = LEVERS.get((request.method, name))
    if lever is None:
        return None
    if request.method == "POST" and request.mimetype != "application/json":
        # A page in the owner's browser cannot send this without being let in first
        return answer({"message": "Send JSON."}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        given = json.loads(request.get_data() or b"{}", parse_constant=_no_number)
        if not isinstance(given, dict):
            raise invalid("Send a JSON object.")
        given = {**request.args.to_dict(), **given}
        with cloud.transaction():
            return answer(lever(given))
    except EC2ClientError as refused:
        return answer({"message": refused.message}, HTTPStatus.BAD_REQUEST)
    except ValueError as malformed:
        return answer({"message": f"That is no JSON: {malformed}"}, HTTPStatus.BAD_REQUEST)


def _no_number(name: str) -> None:
    raise ValueError(name)


def names() -> str:
    return ", ".join(f"{name} ({method})" for method, name in LEVERS)


def answer(value: object, status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(value, indent=2) + "\n", status, mimetype="application/json")


def _instance(ident: str) -> tuple[Reaps, Instance]:
    every = backends()
    for backend in every:
        if found := backend.known(ident):
            return backend, found
    live = [i.id for b in every for i in b.every_instance() if i.state == "running"]
    raise invalid(f"There is no instance '{ident}'. Running: {', '.join(live) or 'none'}.")
