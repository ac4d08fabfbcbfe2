"""The budget's part of ``watch``: warns as it goes, and stops the machine if so set."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudtop.aws.find import Resources
from cloudtop.errors import CloudtopError
from cloudtop.machine.save_work import NotSaved
from cloudtop.machine.status import Money
from cloudtop.machine.watch import Launch

# Seconds between two looks: at a dollar an hour, ten minutes are 17 cents
EVERY = 600.0
# And after a try that found work which can't be saved: each try stops docker for a moment
NOT_SAVED_PAUSE = 3600.0


@dataclass
class BudgetWatch:
    """Looks every EVERY seconds while a machine runs, and at once when another one does.

    ``look`` tells the cloudtop's money, as status shows it, and whether the machine told
    its times away; ``stop`` stops the machine and is None if a warning suffices;
    ``tell`` gets each sentence, also that of a CloudtopError of ``look`` or ``stop``, which are
    tried again later.
    """

    look: Callable[[], tuple[Money, bool]]
    stop: Callable[[], None] | None
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _launch: Launch | None = field(default=None, init=False)
    _not_before: float = field(default=0.0, init=False)
    _held: bool = field(default=False, init=False)
    _kind: str = field(default="", init=False)

    def holds(self, resources: Resources) -> bool:
        """Whether the machine is to be left alone, as it was stopped or is to be."""
        launch = Launch.of(resources.instance)
        if launch is None:
            return False
        if launch != self._launch or self.clock() >= self._not_before:
            self._launch, self._not_before = launch, self.clock() + EVERY
            self._held = self._looked(launch)
        return self._held

    def _looked(self, launch: Launch) -> bool:
        try:
            money, asked = self.look()
        except CloudtopError as error:
            self._say(f"the budget could not be looked at: {error.message}", "unknown")
            return False
        warning = money.budget.warning if money.budget else ""
        level = money.budget.level if money.budget else "fine"
        spent = level == "spent"
        if spent and self.stop and money.hours_at_most and not asked:
            why = "not stopped yet, as it may have run less: the machine can't be asked now"
            self._say(f"{warning}; {why}", "unsure")
            return False
        self._say(warning, level)
        if spent and self.stop:
            self._end(launch, self.stop)
            return True
        return False

    def _end(self, launch: Launch, stop: Callable[[], None]) -> None:
        try:
            stop()
        except CloudtopError as error:
            pause, remedy = EVERY, ""
            if isinstance(error, NotSaved):
                pause, remedy = NOT_SAVED_PAUSE, f"{error.hint}. "
                self._not_before = self.clock() + pause
            self.tell(
                f"{launch.instance_id} could not be stopped: {error.message} {remedy}Next try in"
                f" {pause:.0f} s."
            )
        else:
            self.tell(
                f"{launch.instance_id} is stopped, as the budget says. To go on this month, raise"
                " cloudtop_monthly_budget first, then: python runner.py start"
            )

    def _say(self, sentence: str, kind: str) -> None:
        """Tell it once for as long as it is of the same kind."""
        if sentence and kind != self._kind:
            self.tell(sentence)
        self._kind = kind
