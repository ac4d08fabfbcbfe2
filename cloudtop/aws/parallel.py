"""Many calls to AWS at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# botocore keeps ten connections of a client by default; AWS throttles who asks much more
AT_A_TIME = 10

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def ask(call: Callable[[Question], Answer], questions: Iterable[Question]) -> list[Answer]:
    """The answers in the order of the questions.

    boto3's clients may be shared by threads. Raises what the first failing call raised, and
    does not begin those that were still to come.
    """
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        return list(pool.map(call, questions))
    finally:
        pool.shutdown(cancel_futures=True)
