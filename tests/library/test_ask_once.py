"""A call without a client token: what was asked for is looked for before it is asked for again."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.machine_programs.support.load import module

ours = module("ansible.module_utils.ec2_ours")


class EC2:
    """Answers to calls, one after the other; each may make something that is seen later."""

    def __init__(self, *answers: Any, shown_after: int = 0) -> None:
        self.answers, self.shown_after = list(answers), shown_after
        self.things: list[str] = []
        self.looks = 0

    def ask(self) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, tuple):
            self.things.append("made")
            answer = answer[0]
        if isinstance(answer, Exception):
            raise answer
        self.things.append(answer)
        return str(answer)

    def look(self) -> str:
        self.looks += 1
        return self.things[0] if self.things and self.looks > self.shown_after else ""


def refused(code: str, status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": "No."},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "CreateSnapshot")


CLOSED = ConnectionClosedError(endpoint_url="http://ec2")
SLOW = ReadTimeoutError(endpoint_url="http://ec2")
BROKEN = refused("InternalError", 500)
THROTTLED = refused("RequestLimitExceeded", 503)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time that passes only while something waits."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(ours.time, "sleep", sleep)
    monkeypatch.setattr(ours.time, "monotonic", lambda: now[0])
    return now


def once(ec2: EC2, end: float = 300, **more: Any) -> str:
    return str(ours.ask_once(ec2.ask, ec2.look, end, **more))


@pytest.mark.parametrize("lost", [CLOSED, SLOW, BROKEN])
def test_an_answer_that_was_lost_makes_no_second_one(lost: Exception) -> None:
    ec2 = EC2((lost,), "second", shown_after=3)
    assert once(ec2) == "made"
    assert ec2.things == ["made"]


@pytest.mark.parametrize("lost", [CLOSED, SLOW, BROKEN])
def test_a_call_that_was_lost_on_its_way_is_made_again(lost: Exception) -> None:
    ec2 = EC2(lost, "second")
    assert once(ec2) == "second"
    assert ec2.looks > 1


def test_a_throttled_call_is_made_again_until_the_deadline(clock: list[float]) -> None:
    assert once(EC2(THROTTLED, THROTTLED, "third")) == "third"
    with pytest.raises(ClientError):
        once(EC2(*[THROTTLED] * 100), end=clock[0] + 60)
    assert clock[0] < 200


def test_what_is_there_already_is_adopted() -> None:
    taken = refused("InvalidAMIName.Duplicate")
    assert once(EC2((taken,)), already=("InvalidAMIName.Duplicate",)) == "made"
    with pytest.raises(ClientError):
        once(EC2((taken,)))


def test_a_refusal_is_no_reason_to_ask_again() -> None:
    ec2 = EC2(refused("UnauthorizedOperation", 403), "second")
    with pytest.raises(ClientError):
        once(ec2)
    assert ec2.answers == ["second"]
