"""A run of the steps within the budget's time, and the removal of everything in any case."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tools.acceptance.cleaner import Cleaner
from tools.acceptance.steps import Execute, Outcome, Step


@dataclass
class Journey:
    """``minutes`` is the time until the clean-up begins; ``seconds`` tells the clock."""

    steps: Sequence[Step]
    execute: Execute
    cleaner: Cleaner
    minutes: float
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    # Called before the clean-up, which nothing should interrupt
    shield: Callable[[], None] = lambda: None
    outcomes: list[tuple[Step, Outcome]] = field(default_factory=list)
    # Left by an earlier run, and left after this one
    found_before: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        whole = len(self.outcomes) == len(self.steps)
        verdicts = [outcome.verdict(step) for step, outcome in self.outcomes]
        return whole and not any(verdicts) and not self.left

    def run(self) -> None:
        """All steps until one fails; then, and in every other case, the clean-up."""
        began = self.clock()
        try:
            self.found_before = self.cleaner.left()
            if self.found_before:
                self.tell("An earlier run left something; it is removed first.")
                self.cleaner.run()
            for step in self.steps:
                left = self.minutes * 60 - (self.clock() - began)
                self.tell(f"{step.name} ({left / 60:.0f} minutes left)")
                outcome = self.execute(step, left) if left > 0 else Outcome(None, "", 0.0)
                self.outcomes.append((step, outcome))
                if why := outcome.verdict(step):
                    self.tell(f"{step.name} {why}")
                    break
        finally:
            self.shield()
            self.tell("Removing everything.")
            self.left = self.cleaner.run()
            self.seconds = self.clock() - began
