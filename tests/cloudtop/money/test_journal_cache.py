"""A machine's journal of its times away, once it can't be asked any more."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudtop.aws.find import Machine, Request, Resources
from cloudtop.money.journal_cache import FILE, Journals, journals

JOURNAL = [{"event": "back", "instance": "i-2"}]
OTHER = [{"event": "back", "instance": "i-3"}]
NOTHING = Journals(None, None)


def resources(
    request: str | None = "sir-1", instance: str | None = "i-2", launched: int = 9
) -> Resources:
    at = datetime(2026, 1, launched, tzinfo=UTC)
    return Resources(
        request=Request(request) if request else None,
        instance=Machine(instance, launch_time=at) if instance else None,
        volume=None,
    )


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A directory that does not exist before the machine was asked once."""
    place = tmp_path / "state/cloudtop"
    assert journals(place, resources(), JOURNAL) == Journals(JOURNAL, JOURNAL)
    return place


def test_the_same_launch_has_the_whole_journal(kept: Path) -> None:
    assert journals(kept, resources(), None) == Journals(JOURNAL, JOURNAL)


@pytest.mark.parametrize(
    "now", [resources(launched=10), resources(instance="i-3"), resources(instance=None)]
)
def test_another_launch_has_what_was_before_the_request(kept: Path, now: Resources) -> None:
    assert journals(kept, now, None) == Journals(None, JOURNAL)


@pytest.mark.parametrize(
    "now", [resources(request="sir-2"), resources(request=None, instance=None)]
)
def test_another_request_knows_nothing(kept: Path, now: Resources) -> None:
    assert journals(kept, now, None) == NOTHING


def test_the_newest_answer_is_kept(kept: Path) -> None:
    journals(kept, resources(), OTHER)
    assert journals(kept, resources(), None) == Journals(OTHER, OTHER)
    # No answer is none
    journals(kept, resources(), {"trouble": "torn"})
    assert journals(kept, resources(), None) == Journals(OTHER, OTHER)


def test_nothing_was_kept_yet(tmp_path: Path) -> None:
    assert journals(tmp_path, resources(), None) == NOTHING


@pytest.mark.parametrize("text", ["", "{", "[]", '{"request": "sir-1"}', '{"journal": 7}', "\0"])
def test_a_damaged_file_is_no_file(kept: Path, text: str) -> None:
    (kept / FILE).write_text(text)
    assert journals(kept, resources(), None) == NOTHING


def test_a_disk_that_takes_nothing_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    assert journals(tmp_path / "state", resources(), JOURNAL) == Journals(JOURNAL, JOURNAL)
    assert journals(tmp_path / "state", resources(), None) == NOTHING
