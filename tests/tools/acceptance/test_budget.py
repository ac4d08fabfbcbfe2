"""The most that a run may cost is computed beforehand, and a cap that is not enough is refused."""

from __future__ import annotations

import pytest

from cloudtop.errors import CloudtopError
from tools.acceptance.budget import CLEANING, NEEDED, Budget
from tools.acceptance.run import affordable


def budget(cap: float = 2.0, bid: float = 0.20) -> Budget:
    return Budget(cap, bid, 8, 16, "us-east-1")


def test_the_hour_has_all_that_is_paid_by_it() -> None:
    """The bid, an address, twice each disk, and snapshots of all of them."""
    gib = 2 * (8 + 16)
    by_hand = 0.20 + 0.005 + gib * (0.08 + 0.05) / 730
    assert budget().hourly == pytest.approx(by_hand)
    assert budget().fixed == pytest.approx(0.30)


def test_the_default_run_costs_far_less_than_its_cap() -> None:
    assert budget().enough
    assert 0.5 < budget().worst < 1.0
    assert budget().worst == pytest.approx(budget().after(NEEDED + CLEANING))


@pytest.mark.parametrize("bid", [0.01, 0.2, 1.0, 5.0])
@pytest.mark.parametrize("cap", [0.5, 1.0, 2.0])
def test_a_run_that_uses_its_time_stays_below_the_cap(cap: float, bid: float) -> None:
    one = budget(cap, bid)
    assert one.after(one.minutes + CLEANING) == pytest.approx(cap)
    if one.enough:
        assert one.worst <= cap


def test_a_dear_machine_has_less_time() -> None:
    assert budget(bid=2.0).minutes < budget(bid=1.0).minutes < budget().minutes
    assert not budget(bid=2.0).enough


def test_a_cap_that_is_not_enough_is_refused_with_one_that_is() -> None:
    with pytest.raises(CloudtopError, match=r"--cap is \$0.4, and a run") as no:
        affordable(0.4, "us-east-1")
    cap = float(no.value.hint.rpartition("--cap ")[2].rstrip("'"))
    assert affordable(cap, "us-east-1").enough
