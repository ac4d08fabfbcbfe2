"""The report of a run, in Markdown: times, verdicts and what was said, with ids masked."""

from __future__ import annotations

from tools.acceptance.budget import Budget
from tools.acceptance.journey import Journey
from tools.acceptance.masking import Mask

# Lines of a step's output that are shown
LINES = 60


def render(journey: Journey, budget: Budget | None, facts: dict[str, str], mask: Mask) -> str:
    """The whole report; ``facts`` are its head: cloud, region, types, version, date."""
    lines = [f"# Acceptance: {'passed' if journey.good else 'FAILED'}", ""]
    lines += [f"* {name}: {value}" for name, value in facts.items()]
    if budget:
        lines.append(
            f"* budget: ${budget.cap:.2f}; at worst ${budget.worst:.2f} was computed beforehand,"
            f" and this run took at most ${budget.after(journey.seconds / 60):.2f}"
        )
    lines += ["", "| step | verdict | minutes |", "|---|---|---|"]
    for step, outcome in journey.outcomes:
        verdict = outcome.verdict(step) or "ok"
        lines.append(f"| {step.name} | {verdict} | {outcome.seconds / 60:.1f} |")
    for step in journey.steps[len(journey.outcomes) :]:
        lines.append(f"| {step.name} | not run | |")
    lines.append("")
    if journey.found_before:
        lines.append(f"An earlier run had left: {', '.join(journey.found_before)}.")
    lines.append(
        f"LEFT OVER: {', '.join(journey.left)}. Try: make acceptance ARGS=--clean"
        if journey.left
        else "Nothing is left of it."
    )
    lines += [f"* {each}" for each in journey.cleaner.errors if journey.left]
    for step, outcome in journey.outcomes:
        shown = "\n".join(outcome.output.rstrip().splitlines()[-LINES:])
        lines += ["", f"## {step.name}", "", f"`runner.py {' '.join(step.words)}`", "", "```"]
        lines += [shown.replace("```", "'''"), "```"]
    return mask("\n".join([*lines, ""]))
