"""Random work trees, saved, lost and restored: CLOUDTOP_FUZZ_TREES of them, 30 if it is unset."""

from __future__ import annotations

import os
import random

import pytest

from tests.fuzz import saved_trees
from tests.machine_programs.support.saved import place_for_all_users

TREES = int(os.environ.get("CLOUDTOP_FUZZ_TREES", "30"))
# The same in all processes of one run of pytest, which prints the numbers of the tests
SEED = int(os.environ.get("CLOUDTOP_FUZZ_SEED", "0"))


@pytest.mark.parametrize("batch", range(-(-TREES // saved_trees.BATCH)))
def test_random_trees_come_back_or_are_named(batch: int) -> None:
    seed = SEED + batch if SEED else random.SystemRandom().randrange(1 << 31)
    print(f"Again: python -m tests.fuzz.saved_trees {saved_trees.BATCH} {seed}")
    with place_for_all_users() as place:
        assert saved_trees.try_batch(place, seed) == []
