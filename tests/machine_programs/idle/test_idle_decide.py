"""The decisions of the idle stop: the whole tables of their cases."""

from __future__ import annotations

from typing import Any

import pytest
from cloudtop_machine.ec2 import Trouble
from cloudtop_machine.idle.decide import (
    GAP,
    LASTS,
    Count,
    Limits,
    Seen,
    Stage,
    Step,
    decide,
)
from cloudtop_machine.idle.end import refusal, unsaved

# Ends after ten minutes, of which it warns in the last four
LIMITS = Limits(600, 240)
SIGNS = ("there was input at pts/0", "1 container runs")
NOW = 5000.0
COUNTING, WARNED = Count(180), Count(360, Stage.WARNED)
ENDING, SAVED = Count(600, Stage.ENDING), Count(600, Stage.SAVED)
ASKED = Count(600, Stage.ASKED, NOW - LASTS)


def seen(elapsed: float | None, *signs: str, noticed: bool = False) -> Seen:
    return Seen(NOW, elapsed, signs, noticed)


@pytest.mark.parametrize(
    ("count", "look", "step", "left"),
    [
        # Nothing to compare with: the first look, a jump back, a gap as after a hibernation
        *((each, seen(None, *SIGNS), Step.BEGIN, Count()) for each in (COUNTING, WARNED)),
        *((each, seen(-1), Step.BEGIN, Count()) for each in (COUNTING, WARNED)),
        *((each, seen(GAP + 1), Step.BEGIN, Count()) for each in (COUNTING, WARNED)),
        (ASKED, seen(None), Step.BEGIN, Count()),
        (ASKED, seen(-1), Step.BEGIN, Count()),
        # Somebody works, and EC2's notice is no matter
        *((each, seen(60, *SIGNS), Step.ACTIVE, Count()) for each in (COUNTING, WARNED)),
        (WARNED, seen(60, *SIGNS, noticed=True), Step.ACTIVE, Count()),
        # Nobody does
        (Count(), seen(0), Step.COUNT, Count()),
        (COUNTING, seen(60), Step.COUNT, Count(240)),
        (COUNTING, seen(179), Step.COUNT, Count(359)),
        (COUNTING, seen(180), Step.WARN, WARNED),
        (COUNTING, seen(60, noticed=True), Step.COUNT, Count(240)),
        # The whole of the warning, whatever the limits were before
        (Count(599), seen(60), Step.WARN, WARNED),
        (Count(9999), seen(60, noticed=True), Step.WARN, WARNED),
        (WARNED, seen(60), Step.COUNT, Count(420, Stage.WARNED)),
        (WARNED, seen(239), Step.COUNT, Count(599, Stage.WARNED)),
        (WARNED, seen(240), Step.SAVE, ENDING),
        (WARNED, seen(240, noticed=True), Step.LEAVE, Count(600, Stage.WARNED)),
        # An end that was killed in the middle, whatever is seen
        (ENDING, seen(60), Step.FAIL, Count()),
        (ENDING, seen(None), Step.FAIL, Count()),
        (ENDING, seen(60, *SIGNS, noticed=True), Step.FAIL, Count()),
        # Saved: the last look
        (SAVED, seen(60, *SIGNS), Step.RETURN, Count()),
        (SAVED, seen(60), Step.ASK, Count(600, Stage.ASKED, NOW)),
        # Asked: nobody can come any more, and EC2 gets its time
        (ASKED, seen(60, *SIGNS, noticed=True), Step.WAIT, ASKED),
        (ASKED, seen(GAP + 1), Step.WAIT, ASKED),
        (Count(600, Stage.ASKED, NOW - LASTS - 1), seen(60), Step.FAIL, Count()),
    ],
)
def test_every_stage_has_its_next_step(count: Count, look: Seen, step: Step, left: Count) -> None:
    decision = decide(count, look, LIMITS)
    assert (decision.step, decision.count) == (step, left)
    assert bool(decision.why) == (step in (Step.ACTIVE, Step.RETURN, Step.FAIL))


@pytest.mark.parametrize(
    ("warning", "idle", "step"),
    [(0, 540, Step.SAVE), (0, 539, Step.COUNT), (600, 0, Step.WARN), (9000, 0, Step.WARN)],
)
def test_the_warning_may_be_nothing_or_all(warning: float, idle: float, step: Step) -> None:
    assert decide(Count(idle), seen(60), Limits(600, warning)).step is step


def report(**values: Any) -> dict[str, Any]:
    saved = {"trees": [], "paths": [], "complete": True, "not_saved": []}
    return {"saved": saved, "mounted": True, "hooks": [], **values}


LARGE = {"path": "/mnt/ephemeral/big", "why": "7 files do not fit"}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (report(), ""),
        (report(volume="mounted", held="vim (12)"), ""),
        (None, "there is no report"),
        ([], "there is no report"),
        (report(mounted=False), "the volume did not take it"),
        (report(mounted="yes"), "the volume did not take it"),
        (report(saved=None), "the volume did not take it"),
        (report(saved={}), "Not all work was saved; look"),
        (report(saved={"complete": None}), "Not all work was saved; look"),
        (report(saved={"complete": False, "not_saved": [3]}), "Not all work was saved; look"),
        (
            report(saved={"complete": False, "not_saved": [LARGE, {}]}),
            "Not all of /mnt/ephemeral/big was saved: 7 files do not fit. Save it by hand",
        ),
        (report(hooks=["/etc/x ended with 3."]), "saved: /etc/x ended with 3. For more, look"),
        (report(hooks=None), "the report names no hooks"),
    ],
)
def test_a_machine_ends_only_with_a_whole_report(values: object, why: str) -> None:
    sentence = unsaved(values)
    assert why in sentence
    assert bool(why) == bool(sentence)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("UnauthorizedOperation", "This machine may not do x: run on your computer: python run"),
        ("UnsupportedOperation", "EC2 does not do x: It says no. Set cloudtop_idle_action"),
        ("IncorrectInstanceState", "EC2 did not do x (IncorrectInstanceState: It says no.)."),
        ("Unreachable", "EC2 did not do x (Unreachable: It says no.)."),
    ],
)
def test_a_refusal_says_what_to_do(code: str, sentence: str) -> None:
    assert refusal("do x", Trouble(code, "It says no.")).startswith(sentence)
