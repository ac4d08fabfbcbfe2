"""The most that a cloudtop may cost a month, by setting: refused beforehand, warned of later."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cloudtop import rates
from cloudtop.aws.find import Request
from cloudtop.errors import CloudtopError
from cloudtop.machine.status import BudgetStatus
from cloudtop.settings.settings import Settings

# Per cent of the budget at which a warning begins, and at which it is spent
NEAR, SPENT = 80.0, 100.0
# A bid is named to a hundredth of a cent, as EC2's prices are
BID_STEPS = 10_000


@dataclass(frozen=True)
class Standing:
    """The part of a budget that is gone this month, in dollars; ``at_most``: or less than that."""

    budget: float
    spent: float
    at_most: bool
    action: str

    @property
    def percent(self) -> float:
        return 100 * self.spent / self.budget

    @property
    def level(self) -> str:
        """``fine``, ``near`` or ``spent``."""
        if self.percent >= SPENT:
            return "spent"
        return "near" if self.percent >= NEAR else "fine"

    @property
    def warning(self) -> str:
        """A sentence for people; empty while all is fine."""
        if self.level == "fine":
            return ""
        # Rounded down, so that it says 100 only when it is spent
        amount = f"{'at most ' if self.at_most else ''}${self.spent:.2f}"
        sum_up = (
            f"{amount} of this month's ${self.budget:.2f} is gone ({math.floor(self.percent)}%)"
        )
        return f"the budget is spent: {sum_up}" if self.level == "spent" else sum_up

    def shown(self) -> BudgetStatus:
        """As status shows it."""
        return BudgetStatus(
            dollars=self.budget,
            percent=round(self.percent, 1),
            level=self.level,
            action=self.action,
            warning=self.warning,
        )


def standing(settings: Settings, spent: float, at_most: bool) -> Standing | None:
    """How a cloudtop stands to its budget; None if it has none."""
    if not settings.monthly_budget:
        return None
    return Standing(settings.monthly_budget, spent, at_most, settings.budget_action)


def highest_bid(budget: float, volume_gib: int, root_gib: int, kept: int = 0) -> float:
    """The highest bid whose worst month is within the budget; not above 0 if none is."""
    beside = rates.worst_month(0, volume_gib, root_gib, kept).total
    # The least of a hair, for sums that are exact on paper
    return math.floor((budget - beside) / rates.HOURS_PER_MONTH * BID_STEPS + 1e-6) / BID_STEPS


def refuse(settings: Settings) -> None:
    """Refuse a bid whose worst month is above the budget. Raises CloudtopError with what fits."""
    budget, bid = settings.monthly_budget, settings.bid
    worst = settings.worst_month()
    if not budget or round(worst.total, 2) <= budget:
        return
    message = (
        f"cloudtop_bid is ${bid:g} an hour, which is ${worst.total:.2f} in the worst month, and"
        f" cloudtop_monthly_budget is ${budget:.2f}."
    )
    highest = highest_bid(budget, settings.volume_size, settings.root_size, settings.snapshots_kept)
    if highest > 0:
        raise CloudtopError(
            f"{message} The highest bid that fits is ${highest:g}.",
            f"Try: -e cloudtop_bid={highest:.4f}",
        )
    beside = worst.total - worst.machine
    kept = ", their snapshots" if worst.snapshots else ""
    raise CloudtopError(
        f"{message} No bid fits: the disks{kept} and the address alone are ${beside:.2f}.",
        f"Try: -e cloudtop_monthly_budget={math.ceil(worst.total)}",
    )


def note_on_request(settings: Settings, request: Request | None) -> str:
    """A warning of a live request's own bid, which no later setting changes."""
    bid = request.spot_price if request else 0.0
    worst = replace(settings, bid=bid).worst_month().total
    if not settings.monthly_budget or round(worst, 2) <= settings.monthly_budget:
        return ""
    return (
        f"The live request's bid is ${bid:g} an hour: its worst month is ${worst:.2f}, above the"
        f" budget of ${settings.monthly_budget:.2f}. To lower it, with the same volume:"
        " python runner.py switch --bid LESS"
    )
