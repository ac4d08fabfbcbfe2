"""cloudtop-spot-guard and the metadata service: tokens, connections, and how little it takes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support.guard import Guard
from tests.machine_programs.support.imds import NOTICE, REBALANCE, Imds


@pytest.fixture
def imds() -> Iterator[Imds]:
    imds = Imds()
    yield imds
    imds.close()


@pytest.fixture
def guard(tmp_path: Path, imds: Imds) -> Guard:
    return Guard(tmp_path, imds)


def test_recommendations_are_asked_for_seldomer(guard: Guard, imds: Imds) -> None:
    with guard:
        guard.looks(20)
    assert imds.gets.count(REBALANCE) <= imds.gets.count(NOTICE) / 4


def test_one_token_and_few_connections_serve_all_looks(guard: Guard, imds: Imds) -> None:
    with guard:
        guard.looks(20)
    assert imds.ttls == [21600]
    # One for the token, after which this server hangs up
    assert len(imds.accepted) == 2


def test_a_token_is_renewed_before_it_ends(guard: Guard, imds: Imds) -> None:
    guard.settings["token_ttl"] = 0.1
    with guard:
        guard.looks(20)
    assert len(imds.tokens) > 1
    assert imds.refused == 0


def test_a_refused_token_is_renewed(guard: Guard, imds: Imds) -> None:
    with guard:
        guard.looks()
        imds.revoked = len(imds.tokens)
        guard.notice()
        guard.looks()
    assert guard.started == ["end"]
    assert (imds.refused, len(imds.tokens)) == (1, 2)


def test_refused_for_good_it_asks_twice_a_look_and_no_more(guard: Guard, imds: Imds) -> None:
    imds.revoked = 10**9
    with guard:
        guard.looks(10)
    notices, tokens = imds.gets.count(NOTICE), len(imds.tokens)
    assert tokens <= len(imds.gets) + 1
    assert len(imds.gets) <= 2 * notices + 4
    assert guard.started == []


@pytest.mark.parametrize("answer", [(500, ""), (403, ""), (200, ""), (200, "to\r\nken")])
def test_without_a_token_it_waits_for_one(guard: Guard, imds: Imds, answer: Any) -> None:
    imds.token_answer = answer
    guard.notice()
    with guard:
        guard.until(lambda: len(imds.tokens) >= 5)
        assert guard.started == []
        imds.token_answer = None
        guard.looks()
    assert guard.started == ["end"]


def test_outlives_a_service_that_is_not_there(tmp_path: Path, imds: Imds) -> None:
    guard = Guard(tmp_path, imds)
    with guard:
        guard.looks()
        port = imds.server_port
        imds.close()
        guard.until(lambda: "does not answer" in guard.text)
        again = Imds(port)
        guard.imds = again
        guard.notice()
        guard.looks()
        again.close()
    assert guard.started == ["end"]
    assert "answers again" in guard.text


def test_outlives_a_service_that_says_nothing(guard: Guard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        guard.settings["imds"] = f"http://127.0.0.1:{silent.getsockname()[1]}/latest"
        with guard:
            guard.until(lambda: "timed out" in guard.text)
        assert guard.started == []


def test_stays_small(guard: Guard) -> None:
    with guard:
        guard.looks(50)
        files = guard.open_files
        guard.looks(50)
        assert guard.resident_kib < 20 * 1024
        assert guard.open_files == files
