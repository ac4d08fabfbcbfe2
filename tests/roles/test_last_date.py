"""A request that ends itself at a date: made with it, kept, switched, and what is left after it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cloudtop.aws import find
from cloudtop.machine import status, summary
from cloudtop.settings import clouds, settings
from localcloud.ec2.backend.whole import backends
from tests.localcloud.lab import until
from tests.roles.plays import Place

NAME = "dated"
LATER = "2099-03-31"
# The records of the rehearsal cloud have naive times, in UTC
PAST = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def requests(place: Place, *states: str) -> list[dict[str, Any]]:
    return [each for each in place.requests(NAME) if each["State"] in states]


def run(place: Place, date: str, **more: Any) -> str:
    settings = {"cloudtop_name": NAME, "cloudtop_valid_until": date, **more}
    outcome = place.run("playbooks/cloud.yml", **settings)
    assert outcome.code == 0, outcome.text
    return outcome.text


def test_b12_a_request_has_its_last_date(place: Place) -> None:
    run(place, LATER)
    (request,) = requests(place, "active")
    assert request["ValidUntil"] == datetime(2099, 3, 31, 23, 59, 59, tzinfo=UTC)
    assert "is kept as it is" not in run(place, LATER)
    # With no date wanted that of EC2 will do
    assert "is kept as it is" not in run(place, "")
    text = run(place, "2098-01-01T12:00:00Z")
    assert "its last date is 2099-03-31T23:59:59Z, not 2098-01-01T12:00:00Z" in text


def test_b12_after_its_date_the_machine_that_is_left_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (request,) = requests(place, "active")
    ident = request["SpotInstanceRequestId"]
    backends()[0].spot_instance_requests[ident].valid_until = PAST
    until("its end", lambda: not requests(place, "active"))
    for key, value in place.environ.items():
        monkeypatch.setenv(key, value)
    wanted = settings.load(["cloudtop_owner=alice"], name=NAME)
    resources = find.find(place.ec2, NAME, "alice")
    text = summary.render(status.gather(wanted, clouds.load("rehearsal"), resources))
    assert f"{ident} has ended, as its last date, 2020-01-01T00:00:00Z, is past" in text
    assert f"{request['InstanceId']} (m5d.4xlarge) still runs and costs up to" in text
    outcome = place.run("playbooks/cloud.yml", cloudtop_name=NAME)
    assert "still runs although its request has ended" in outcome.sentence
    outcome = place.run("playbooks/destroy.yml", cloudtop_name=NAME)
    assert outcome.code == 0, outcome.text
    assert find.find(place.ec2, NAME, "alice").left is None
