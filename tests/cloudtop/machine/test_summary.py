"""The rows of ``status`` about money: what people read, and when it is called a bound."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtop.aws import find as ec2
from cloudtop.machine import status, summary
from cloudtop.settings import clouds, settings

NOTHING = {
    "machine": 0,
    "address": 0,
    "root": 0,
    "volume": 0,
    "snapshots": 0,
    "replaced": 0,
    "total": 0,
}
TOLD: dict[str, Any] = {
    "month": "2026-11",
    "month_hours": 720,
    "hours_run": 240.0,
    "hours_at_most": False,
    "price": 0.14,
    "bid": 0.20,
    "below_bid": 0.06,
    "so_far": {**NOTHING, "machine": 28.8, "address": 1.2, "volume": 1.33, "total": 31.33},
    "projection": {**NOTHING, "total": 104.45},
    "worst": {**NOTHING, "total": 133.25},
    "at_most": [],
    "notes": [],
    "budget": None,
}


def test_rows_of_a_running_machine() -> None:
    assert summary.money(TOLD) == [
        ("price", "$0.14/h now, bid $0.20 (30% below it)"),
        ("this month", "$31.33 so far: machine $28.80 (240.0 h), address $1.20, volume $1.33"),
        ("projected", "$104.45 by the month's end, if all stays as it is"),
        ("at worst", "$133.25 by then, if it runs from now on at the bid"),
    ]


def test_a_bound_is_called_one_and_says_why() -> None:
    rows = summary.money({**TOLD, "at_most": ["it could not be asked"], "notes": ["a note"]})
    assert rows[1][1].startswith("at most $31.33 so far")
    assert rows[2:4] == [("", "at most: it could not be asked"), ("", "a note")]
    assert rows[4] == ("projected", "at most $104.45 by the month's end, if all stays as it is")


def test_without_a_request_there_is_no_price_and_no_worst_case() -> None:
    kept = {**NOTHING, "volume": 1.33, "total": 1.33}
    rows = summary.money({**TOLD, "bid": None, "price": None, "so_far": kept})
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
    assert summary.money({**TOLD, "price": price})[0] == ("price", row)


def test_nothing_spent_is_a_sum_too() -> None:
    rows = summary.money({**TOLD, "so_far": NOTHING})
    assert rows[1] == ("this month", "$0.00 so far")


def test_budget_has_its_row_and_its_warning() -> None:
    fine = {"dollars": 200.0, "percent": 15.7, "level": "fine", "warning": ""}
    assert summary.money({**TOLD, "budget": fine})[-1] == (
        "budget",
        "$200.00 a month, 15.7% of it is gone",
    )
    near = {**fine, "level": "near", "warning": "$170.00 of this month's $200.00 is gone (85%)"}
    assert summary.money({**TOLD, "budget": near})[-1] == (
        "budget",
        "WARNING: $170.00 of this month's $200.00 is gone (85%)",
    )


def test_what_is_not_known_has_no_rows() -> None:
    assert summary.money({}) == []


@pytest.mark.parametrize(
    ("amount", "shown"), [(0.2, "$0.20"), (0.03, "$0.03"), (0.1412, "$0.1412"), (12, "$12.00")]
)
def test_dollars_have_at_least_their_cents(amount: float, shown: str) -> None:
    assert summary.dollars(amount) == shown


@pytest.mark.parametrize("differs", [True, False])
def test_another_host_key_is_told_from_no_answer(differs: bool) -> None:
    nothing = ec2.Resources(request=None, instance=None, volume=None)
    seen = status.gather(settings.load(), clouds.load("rehearsal"), nothing, ask=False)
    assert seen["host_key_differs"] is False
    machine = {"id": "i-1", "type": "a.b", "state": "running", "zone": "z", "address": "127.0.0.1"}
    shown = summary.render({**seen, "instance": machine, "host_key_differs": differs})
    assert ("has another ssh host key" in shown) == differs
    assert ("could not be asked" in shown) != differs


@pytest.mark.parametrize(
    ("state", "code", "row"),
    [
        ("stopped", "instance-stopped-by-user", "stopped      by you, or as it was idle"),
        ("stopped", "instance-stopped-no-capacity", "stopped      by EC2, which alone starts it"),
        ("stopping", "instance-stopped-by-price", "stopped      by EC2, which alone starts it"),
        ("stopped", "instance-stopped-by-experiment", "stopped      by EC2, which alone starts it"),
        ("pending", "fulfilled", ""),
        ("stopped", "of-tomorrow", ""),
    ],
)
def test_a_machine_that_does_not_run_is_told_who_can_start_it(
    state: str, code: str, row: str
) -> None:
    nothing = ec2.Resources(request=None, instance=None, volume=None)
    seen = status.gather(settings.load(), clouds.load("rehearsal"), nothing, ask=False)
    machine = {"id": "i-1", "type": "a.b", "state": state, "zone": "z", "address": None}
    request = {"id": "sir-1", "bid": 0.2, "state": "disabled", "status": code, "valid_until": None}
    shown = summary.render({**seen, "instance": machine, "request": request})
    assert row in shown
    assert ("stopped      " in shown) == bool(row)
    # Nobody could be asked, and nobody was
    assert "could not be asked" not in shown
