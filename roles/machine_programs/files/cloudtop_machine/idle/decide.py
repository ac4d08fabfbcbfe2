"""The next step of an idle machine: one pure function of its count and of a look."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

# Seconds between two looks, at most, and for EC2 to stop a machine after it said it would
GAP, LASTS = 300, 900


class Stage(str, enum.Enum):
    """How far an end has come. ENDING: what was begun may have to be taken back."""

    NONE = ""
    WARNED = "warned"
    ENDING = "ending"
    SAVED = "saved"
    ASKED = "asked"


class Step(enum.Enum):
    """The step that follows from a look."""

    BEGIN = enum.auto()  # the count, as there is nothing to compare with
    ACTIVE = enum.auto()  # somebody works: the count begins anew
    COUNT = enum.auto()
    WARN = enum.auto()
    LEAVE = enum.auto()  # EC2 takes the machine at this moment, and saves it
    SAVE = enum.auto()
    ASK = enum.auto()
    WAIT = enum.auto()  # for EC2, which was asked
    RETURN = enum.auto()  # somebody came while it saved: take the end back
    FAIL = enum.auto()  # the end failed: take it back and say why


@dataclass(frozen=True)
class Count:
    """``idle`` seconds so far; ``asked`` is the uptime at which EC2 was asked."""

    idle: float = 0.0
    stage: Stage = Stage.NONE
    asked: float = 0.0


@dataclass(frozen=True)
class Limits:
    """In seconds: how long a machine may be idle, and the part of it after the warning."""

    idle: float
    warning: float

    @property
    def warns_at(self) -> float:
        return self.idle - min(self.warning, self.idle)


@dataclass(frozen=True)
class Seen:
    """A look, as far as it decides. ``elapsed`` is None at the first; ``signs`` are of work."""

    uptime: float
    elapsed: float | None
    signs: tuple[str, ...] = ()
    noticed: bool = False


@dataclass(frozen=True)
class Decision:
    """The next step, the count that it leaves, and for some a sentence why."""

    step: Step
    count: Count
    why: str = ""


def decide(count: Count, seen: Seen, limits: Limits) -> Decision:
    """The next step. The clock has no part in it, as it may jump: all times are of uptime."""
    gone = seen.elapsed
    if count.stage is Stage.ASKED and gone is not None and gone >= 0:
        if seen.uptime - count.asked <= LASTS:
            return Decision(Step.WAIT, count)
        why = "EC2 was asked to end this machine, and it is still here"
        return Decision(Step.FAIL, Count(), why)
    if count.stage is Stage.ENDING:
        return Decision(Step.FAIL, Count(), "the end of this machine was interrupted")
    if count.stage is Stage.SAVED:
        if seen.signs:
            return Decision(Step.RETURN, Count(), seen.signs[0])
        return Decision(Step.ASK, replace(count, stage=Stage.ASKED, asked=seen.uptime))
    if gone is None or not 0 <= gone <= GAP:
        return Decision(Step.BEGIN, Count())
    if seen.signs:
        return Decision(Step.ACTIVE, Count(), seen.signs[0])
    return _counted(replace(count, idle=count.idle + gone), seen.noticed, limits)


def _counted(count: Count, noticed: bool, limits: Limits) -> Decision:
    if count.stage is Stage.NONE and limits.warning and count.idle >= limits.warns_at:
        # The whole of the warning, though the settings may have changed meanwhile
        return Decision(Step.WARN, Count(limits.warns_at, Stage.WARNED))
    if count.idle < limits.idle:
        return Decision(Step.COUNT, count)
    if noticed:
        return Decision(Step.LEAVE, count)
    return Decision(Step.SAVE, replace(count, stage=Stage.ENDING))
