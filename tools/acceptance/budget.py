"""The most that a run may cost: computed before anything is made, and kept."""

from __future__ import annotations

from dataclasses import dataclass

from cloudtop import rates
from cloudtop.aws import interruption

CAP = 2.0
# Minutes that a whole run takes at most on AWS, and those that its clean-up is given
NEEDED, CLEANING = 75.0, 15.0
# An interruption is rounded to the nearest minute, and may be asked for again while IAM is slow
ACTION_MINUTES = interruption.MINUTES + 1.0


@dataclass(frozen=True)
class Budget:
    """``bid`` is dollars an hour, and the most that a machine costs; sizes are in GiB. While a
    switch or a bake goes on, there are two of each disk, and an image and a snapshot of them."""

    cap: float
    bid: float
    volume_gib: int
    root_gib: int
    region: str

    @property
    def fixed(self) -> float:
        """Dollars that do not grow with time."""
        return rates.experiments(ACTION_MINUTES, self.region)

    @property
    def hourly(self) -> float:
        """Dollars an hour, at most."""
        month = rates.worst_month(self.bid, 2 * self.volume_gib, 2 * self.root_gib, kept=0)
        stored = rates.snapshots(2 * (self.volume_gib + self.root_gib))
        return (month.total + stored) / rates.HOURS_PER_MONTH

    @property
    def minutes(self) -> float:
        """How long the run may take until the clean-up has to begin."""
        return (self.cap - self.fixed) / self.hourly * 60 - CLEANING

    @property
    def worst(self) -> float:
        """Dollars of a run that takes as long as it may, with its clean-up; never above the cap."""
        return self.after(min(self.minutes, NEEDED) + CLEANING)

    @property
    def enough(self) -> bool:
        return self.minutes >= NEEDED

    def after(self, minutes: float) -> float:
        """Dollars that so many minutes cost at most."""
        return self.fixed + self.hourly * minutes / 60
