"""The rows of ``status`` about money: what people read, and when it is called a bound."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest

from cloudtop.aws import find as ec2
from cloudtop.aws.snapshot_schedule import Schedule
from cloudtop.machine import status, summary
from cloudtop.machine.status import BudgetStatus, InstanceStatus, Money, RequestStatus, Sums
from cloudtop.settings import clouds, settings
from module_utils.cloudtop_resources import Attachment, Image, Machine, Request, Volume

NOTHING = Sums(0, 0, 0, 0, 0, 0, 0)
BILL = Money(
    month="2026-11",
    month_hours=720,
    hours_run=240.0,
    hours_at_most=False,
    price=0.14,
    bid=0.20,
    below_bid=0.06,
    so_far=replace(NOTHING, machine=28.8, address=1.2, volume=1.33, total=31.33),
    projection=replace(NOTHING, total=104.45),
    worst=replace(NOTHING, total=133.25),
    at_most=(),
    notes=(),
    budget=None,
)


def test_rows_of_a_running_machine() -> None:
    assert summary.money(BILL) == [
        ("price", "$0.14/h now, bid $0.20 (30% below it)"),
        ("this month", "$31.33 so far: machine $28.80 (240.0 h), address $1.20, volume $1.33"),
        ("projected", "$104.45 by the month's end, if all stays as it is"),
        ("at worst", "$133.25 by then, if it runs from now on at the bid"),
    ]


def test_a_bound_is_called_one_and_says_why() -> None:
    rows = summary.money(replace(BILL, at_most=("it could not be asked",), notes=("a note",)))
    assert rows[1][1].startswith("at most $31.33 so far")
    assert rows[2:4] == [("", "at most: it could not be asked"), ("", "a note")]
    assert rows[4] == ("projected", "at most $104.45 by the month's end, if all stays as it is")


def test_without_a_request_there_is_no_price_and_no_worst_case() -> None:
    kept = replace(NOTHING, volume=1.33, total=1.33)
    rows = summary.money(replace(BILL, bid=None, price=None, so_far=kept))
    assert rows[0] == ("this month", "$1.33 so far: volume $1.33")
    assert [name for name, _ in rows] == ["this month", "projected"]


@pytest.mark.parametrize(
    ("price", "row"),
    [
        (None, "unknown now, bid $0.20/h"),
        (0.20, "$0.20/h now, bid $0.20 (just the price)"),
        (0.1412, "$0.1412/h now, bid $0.20 (29% below it)"),
        (0.2512, "$0.2512/h now, above the bid of $0.20"),
    ],
)
def test_the_price_is_compared_with_the_bid(price: float | None, row: str) -> None:
    assert summary.money(replace(BILL, price=price))[0] == ("price", row)


def test_nothing_spent_is_a_sum_too() -> None:
    rows = summary.money(replace(BILL, so_far=NOTHING))
    assert rows[1] == ("this month", "$0.00 so far")


def test_budget_has_its_row_and_its_warning() -> None:
    fine = BudgetStatus(200.0, 15.7, "fine", "warn", "")
    assert summary.money(replace(BILL, budget=fine))[-1] == (
        "budget",
        "$200.00 a month, 15.7% of it is gone",
    )
    warning = "$170.00 of this month's $200.00 is gone (85%)"
    near = replace(fine, level="near", warning=warning)
    assert summary.money(replace(BILL, budget=near))[-1] == (
        "budget",
        "WARNING: $170.00 of this month's $200.00 is gone (85%)",
    )


EMPTY = ec2.Resources(request=None, instance=None, volume=None)


def test_a_bill_that_nobody_has_asked_for_has_no_rows() -> None:
    seen = status.gather(settings.load(), clouds.load("rehearsal"), EMPTY)
    assert "this month" not in summary.render(seen)
    assert "this month" in summary.render(replace(seen, money=BILL))


@pytest.mark.parametrize(
    ("amount", "shown"), [(0.2, "$0.20"), (0.03, "$0.03"), (0.1412, "$0.1412"), (12, "$12.00")]
)
def test_dollars_have_at_least_their_cents(amount: float, shown: str) -> None:
    assert summary.dollars(amount) == shown


@pytest.mark.parametrize("differs", [True, False])
def test_another_host_key_is_told_from_no_answer(differs: bool) -> None:
    seen = status.gather(settings.load(), clouds.load("rehearsal"), EMPTY)
    assert seen.host_key_differs is False
    machine = InstanceStatus("i-1", "a.b", "running", "z", "127.0.0.1", None)
    shown = summary.render(replace(seen, instance=machine, host_key_differs=differs))
    assert ("has another ssh host key" in shown) == differs
    assert ("could not be asked" in shown) != differs


@pytest.mark.parametrize(
    ("state", "code", "row"),
    [
        (
            "stopped",
            "instance-stopped-by-user",
            "stopped      by you, or as it was idle",
        ),
        ("stopped", "instance-stopped-no-capacity", "stopped      by EC2, which alone starts it"),
        ("stopping", "instance-stopped-by-price", "stopped      by EC2, which alone starts it"),
        ("stopped", "instance-stopped-by-experiment", "stopped      by you, or as it was idle"),
        ("pending", "fulfilled", ""),
        ("stopped", "of-tomorrow", ""),
    ],
)
def test_a_machine_that_does_not_run_is_told_who_can_start_it(
    state: str, code: str, row: str
) -> None:
    seen = status.gather(settings.load(), clouds.load("rehearsal"), EMPTY)
    machine = InstanceStatus("i-1", "a.b", state, "z", None, None)
    request = RequestStatus(
        "sir-1", "disabled", code, None, "a.b", 0.2, "stop", "ami-1", None, None
    )
    shown = summary.render(replace(seen, instance=machine, request=request))
    assert row in shown
    assert ("stopped      " in shown) == bool(row)
    # Nobody could be asked, and nobody was
    assert "could not be asked" not in shown


MADE = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
WHOLE = ec2.Resources(
    Request(
        "sir-1",
        "active",
        "fulfilled",
        "Your request is fulfilled.",
        spot_price=0.3,
        instance_type="i3.4xlarge",
        image_id="ami-1",
        create_time=MADE,
    ),
    Machine("i-1", "i3.4xlarge", "running", "us-east-1a", "127.0.0.2", MADE),
    Volume("vol-1", "in-use", 50, "us-east-1a", attachments=(Attachment("i-1"),)),
)


def test_the_json_of_status_has_stable_keys() -> None:
    image = Image("ami-1", "box-1", "2026-03-04T05:06:07.000Z", 16, "available")
    timer = Schedule("policy-1", 24, 7, "ENABLED")
    report = status.gather(
        settings.load(["cloudtop_owner=alice"]),
        clouds.load("rehearsal"),
        WHOLE,
        [image],
        image,
        timer=timer,
    )
    moment = "2026-03-04T05:06:07+00:00"
    own = {
        "id": "ami-1",
        "name": "box-1",
        "created": "2026-03-04T05:06:07.000Z",
        "state": "available",
        "baked": True,
    }
    assert json.loads(json.dumps(asdict(report))) == {
        "name": "cloudtop",
        "owner": "alice",
        "cloud": "rehearsal",
        "region": "us-east-1",
        "request": {
            "id": "sir-1",
            "state": "active",
            "status": "fulfilled",
            "message": "Your request is fulfilled.",
            "type": "i3.4xlarge",
            "bid": 0.3,
            "interruption": "terminate",
            "image": "ami-1",
            "created": moment,
            "valid_until": None,
        },
        "instance": {
            "id": "i-1",
            "type": "i3.4xlarge",
            "state": "running",
            "zone": "us-east-1a",
            "address": "127.0.0.2",
            "launched": moment,
        },
        "volume": {
            "id": "vol-1",
            "state": "in-use",
            "size": 50,
            "zone": "us-east-1a",
            "attached_to": ["i-1"],
        },
        "schedule": {
            "id": "policy-1",
            "hours": 24,
            "keep": 7,
            "state": "ENABLED",
            "message": "",
            "sentence": timer.sentence(50),
            "month_at_most": 17.5,
        },
        "image": own,
        "images": [own],
        "next_relaunch": "box-1, baked 2026-03-04 05:06 UTC",
        "left": "",
        "machine": None,
        "host_key_differs": False,
        "money": None,
        # 0.30 * 730 + 50 * 0.08 + 16 * 0.08 + 0.005 * 730 + 7 * 50 * 0.05
        "worst_month": 245.43,
        "login": "python runner.py ssh",
    }


def test_what_is_not_there_is_null_in_the_json_of_status() -> None:
    report = status.gather(settings.load(), clouds.load("rehearsal"), EMPTY)
    nothing = ("request", "instance", "volume", "schedule", "image", "machine", "money")
    answer = asdict(report)
    assert [answer[key] for key in nothing] == [None] * len(nothing)
    bare = ec2.Resources(Request("sir-1", "open"), None, None)
    shown = asdict(status.gather(settings.load(), clouds.load("rehearsal"), bare))["request"]
    assert [shown[key] for key in ("status", "message", "type", "image")] == [None] * 4
