"""``make clients``: moto's own tests against the rehearsal cloud, and a line of totals."""

from __future__ import annotations

import sys

from tools.clients import moto_tests

# Ignored by git
PLACE = moto_tests.ROOT / "build" / "clients"


def main(words: list[str]) -> int:
    PLACE.mkdir(parents=True, exist_ok=True)
    outcome, reasons = moto_tests.run(PLACE, words), moto_tests.reasons()
    unexplained = outcome.unexplained(reasons)
    for name in unexplained:
        print(f"FAILED {name}: {outcome.failed[name].splitlines()[0][:300]}")
    for name in outcome.stale(reasons):
        print(f"passes, so its reason is stale: {name}")
    print(
        f"moto's tests: {len(outcome.passed)} pass, {len(outcome.failed)} fail, of these"
        f" {len(unexplained)} without a reason, {len(outcome.skipped)} skipped"
    )
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
