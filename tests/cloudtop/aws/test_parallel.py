"""Many calls at a time: in order, and the first error is the one that is raised."""

from __future__ import annotations

import threading

import pytest

from cloudtop.aws import parallel


def test_answers_come_in_the_order_of_the_questions() -> None:
    assert parallel.ask(lambda number: number * 2, range(50)) == list(range(0, 100, 2))


def test_calls_are_made_at_one_time() -> None:
    # Nobody passes before all are there; one after the other would never end
    meeting = threading.Barrier(parallel.AT_A_TIME, timeout=30)
    parallel.ask(lambda _: meeting.wait(), range(parallel.AT_A_TIME))


def test_an_error_is_raised_as_it_is() -> None:
    def call(number: int) -> int:
        if number == 7:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="7"):
        parallel.ask(call, range(1000))
