"""The budget: what is refused, what fits, when it warns, to the cent."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtop import paths, rates
from cloudtop.aws.find import Request
from cloudtop.errors import CloudtopError
from cloudtop.money import budget
from cloudtop.settings import settings


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")


def wanted(dollars: float, *given: str) -> settings.Settings:
    return settings.load([f"cloudtop_monthly_budget={dollars}", *given])


def refusal(dollars: float, *given: str) -> CloudtopError:
    with pytest.raises(CloudtopError) as refused:
        budget.refuse(wanted(dollars, *given))
    return refused.value


def test_without_a_budget_no_bid_is_refused() -> None:
    budget.refuse(wanted(0, "cloudtop_bid=12"))


def test_bid_above_it_is_refused_with_the_highest_that_fits() -> None:
    refused = refusal(100)
    # 0.65 * 730 + 4.00 + 1.28 + 3.65; (100 - 8.93) / 730 = 0.12475…
    assert refused.message == (
        "cloudtop_bid is $0.65 an hour, which is $483.43 in the worst month, and"
        " cloudtop_monthly_budget is $100.00. The highest bid that fits is $0.1247."
    )
    assert refused.hint == "Try: -e cloudtop_bid=0.1247"
    budget.refuse(wanted(100, "cloudtop_bid=0.1247"))
    refusal(100, "cloudtop_bid=0.1248")


def test_bid_that_is_just_the_budget_fits() -> None:
    budget.refuse(wanted(483.43))
    refusal(483.42)
    assert budget.highest_bid(483.43, 50, 16) == 0.65


def test_bigger_disks_leave_less_for_the_bid() -> None:
    # (100 - 80.00 - 1.28 - 3.65) / 730 = 0.02064…
    assert "$0.0206" in refusal(100, "cloudtop_volume_size=1000").message


def test_no_bid_fits_where_the_disks_alone_are_above_it() -> None:
    refused = refusal(8)
    assert "No bid fits: the disks and the address alone are $8.93." in refused.message
    assert refused.hint == "Try: -e cloudtop_monthly_budget=484"
    # One that leaves less than the smallest step of a bid
    assert "No bid fits" in refusal(8.95).message


@pytest.mark.parametrize("dollars", [9.01, 12.34, 20, 33.33, 99.99, 250, 1000])
def test_highest_bid_fits_and_the_next_step_does_not(dollars: float) -> None:
    bid = budget.highest_bid(dollars, 50, 16)
    assert rates.worst_month(bid, 50, 16).total <= dollars + 1e-6
    assert rates.worst_month(bid + 0.0001, 50, 16).total > dollars


def test_live_request_with_a_dearer_bid_is_told_of() -> None:
    note = budget.note_on_request(wanted(100), Request("sir-1", spot_price=0.3))
    # 219.00 + 8.93
    assert "$0.3 an hour: its worst month is $227.93, above the budget of $100.00" in note
    assert budget.note_on_request(wanted(100), Request("sir-1", spot_price=0.12)) == ""
    assert budget.note_on_request(wanted(0), Request("sir-1", spot_price=0.3)) == ""
    assert budget.note_on_request(wanted(100), None) == ""


@pytest.mark.parametrize(
    ("spent", "level", "warning"),
    [
        (0, "fine", ""),
        (39.99, "fine", ""),
        (40, "near", "$40.00 of this month's $50.00 is gone (80%)"),
        (49.99, "near", "$49.99 of this month's $50.00 is gone (99%)"),
        (50, "spent", "the budget is spent: $50.00 of this month's $50.00 is gone (100%)"),
        (61.5, "spent", "the budget is spent: $61.50 of this month's $50.00 is gone (123%)"),
    ],
)
def test_it_warns_at_80_and_at_100_per_cent(spent: float, level: str, warning: str) -> None:
    standing = budget.standing(wanted(50), spent, at_most=False)
    assert standing and (standing.level, standing.warning) == (level, warning)


def test_an_upper_bound_is_called_one() -> None:
    standing = budget.standing(wanted(50), 45, at_most=True)
    assert standing and standing.warning == "at most $45.00 of this month's $50.00 is gone (90%)"


def test_without_a_budget_nothing_stands() -> None:
    assert budget.standing(wanted(0), 1000, at_most=False) is None
