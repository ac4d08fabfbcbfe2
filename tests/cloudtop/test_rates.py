"""The sums, against sums made by hand."""

from __future__ import annotations

import pytest

from cloudtop import rates


def test_original_recipe_bid_is_about_145_dollars_a_month() -> None:
    assert rates.worst_month(0.20, 0, 0).machine == pytest.approx(145, abs=1.5)


def test_original_recipe_small_machine_is_a_little_over_20_dollars() -> None:
    assert 20 < rates.worst_month(0.03, 0, 0).machine < 22.5


def test_worst_month_adds_volume_root_and_address() -> None:
    month = rates.worst_month(0.20, 50, 16)
    # 0.20 * 730 + 50 * 0.08 + 16 * 0.08 + 0.005 * 730
    assert month.total == pytest.approx(146 + 4 + 1.28 + 3.65)
    assert month.at_rest == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("instance_type", "price"),
    [
        ("i3.4xlarge", 1.248),
        ("i3.large", 0.156),
        ("c3.xlarge", 0.21),
        ("zz9.large", None),
        ("i3.odd", None),
    ],
)
def test_on_demand_price_scales_with_size(instance_type: str, price: float | None) -> None:
    assert rates.on_demand_price(instance_type) == price


def test_bid_cap_is_ten_times_on_demand() -> None:
    assert rates.bid_cap("i3.4xlarge") == pytest.approx(12.48)
