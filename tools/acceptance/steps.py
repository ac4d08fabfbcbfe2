"""The steps of a run: which commands, and what has to be seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

NAME = "acceptance"
LABEL = "accepted"


@dataclass(frozen=True)
class Step:
    """A command of ``runner.py``; ``seen`` has to be in what it prints, and the pattern ``never``
    nowhere."""

    name: str
    words: tuple[str, ...]
    seen: str = ""
    never: str = ""
    # In the short form, too
    short: bool = False


def steps(*, other_type: str, has_check: bool, short: bool) -> list[Step]:
    """The whole way, or the short one. ``has_check``: whether provision takes --check."""
    every = [
        Step("doctor", ("doctor",), short=True),
        *([Step("check", ("provision", "--check"))] if has_check else []),
        Step("provision", ("provision", "--yes"), "Done in", short=True),
        Step("provision again", ("provision", "--yes"), "changed=0", r"changed=[1-9]"),
        Step("bake", ("bake", "--yes"), short=True),
        Step("change over to the image", ("provision", "--yes", "--lose-work"), short=True),
        Step("interruption", ("rehearse", "--yes"), "nothing was lost", short=True),
        Step("snapshot", ("snapshot", LABEL, "--yes")),
        Step("switch", ("switch", "--type", other_type, "--yes", "--lose-work")),
        Step("destroy", ("destroy", "--yes", "--lose-work", "--delete-volume", NAME), short=True),
    ]
    return [one for one in every if one.short or not short]


@dataclass(frozen=True)
class Outcome:
    """How a step ended: 0 is good, None for one that had no time any more."""

    code: int | None
    output: str
    seconds: float

    def verdict(self, step: Step) -> str:
        """Empty if the step is good, else why not."""
        if self.code is None:
            return "stopped: the budget's time was over"
        if self.code:
            return f"ended with {self.code}"
        if step.never and (match := re.search(step.never, self.output)):
            return f"printed {match[0]!r}"
        return "" if step.seen in self.output else f"did not print {step.seen!r}"


Execute = Callable[[Step, float], Outcome]
