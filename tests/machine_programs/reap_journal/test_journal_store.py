"""The journal's files and its words, by import: what the programs that run them share."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest
from cloudtop_machine import config, times
from cloudtop_machine.reap_journal import words
from cloudtop_machine.reap_journal.store import Store
from cloudtop_machine.volume_directory import NotRoots


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.on(str(tmp_path), os.getuid())


def test_an_entry_is_read_again(store: Store) -> None:
    store.append({"event": "notice", "why": "Spaß"})
    store.append({"event": "back"})
    assert store.entries() == [{"event": "notice", "why": "Spaß"}, {"event": "back"}]


def test_an_entry_after_a_torn_line_begins_its_own(store: Store, tmp_path: Path) -> None:
    (tmp_path / ".cloudtop/reaps.jsonl").write_text('{"event": "noti')
    store.append({"event": "back"})
    assert store.entries() == [{"event": "back"}]


@pytest.mark.parametrize("line", ["[1]", "NaN", "not json", "", '"\\ud800"', "[" * 100_000])
def test_a_line_that_is_no_object_is_left_out(store: Store, tmp_path: Path, line: str) -> None:
    (tmp_path / ".cloudtop/reaps.jsonl").write_text(f'{line}\n{{"a": NaN}}\n')
    assert store.entries() == [{"a": None}]


def test_an_entry_for_which_there_is_no_room_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store.append({"event": "notice"})
    before = (tmp_path / ".cloudtop/reaps.jsonl").read_bytes()
    # The kernel takes what fits, and refuses the rest, as on a full disk
    room = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, room[1]))
        with pytest.raises(OSError):
            store.append({"event": "back", "why": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, room)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (tmp_path / ".cloudtop/reaps.jsonl").read_bytes() == before


def test_an_entry_is_on_the_disk_without_a_program(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sync FILE of rust-coreutils has all disks written."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda handle: synced.append(file_of(handle)))
    store.append({"event": "notice"})
    assert synced == ["reaps.jsonl"]


def file_of(handle: int) -> str:
    return Path(f"/proc/self/fd/{handle}").readlink().name


@pytest.mark.parametrize("place", ["link", "file"])
def test_a_directory_that_is_not_roots_is_left_alone(tmp_path: Path, place: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    if place == "link":
        (tmp_path / ".cloudtop").symlink_to("elsewhere")
    else:
        (tmp_path / ".cloudtop").touch()
    with pytest.raises(NotRoots, match="is no directory of root's"):
        Store.on(str(tmp_path), os.getuid())


def test_another_owner_is_not_root(tmp_path: Path) -> None:
    with pytest.raises(NotRoots):
        Store.on(str(tmp_path), os.getuid() + 1)


def test_the_directory_is_the_one_that_was_opened(store: Store, tmp_path: Path) -> None:
    """Whoever owns the directory above may exchange it at any moment."""
    (tmp_path / ".cloudtop").rename(tmp_path / "moved")
    (tmp_path / ".cloudtop").symlink_to("/nonexistent")
    store.append({"event": "back"})
    assert (tmp_path / "moved/reaps.jsonl").exists()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (192, "3 min 12 s"), (7261, "2 h 1 min"), (3601, "1 h 1 s")],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


@pytest.mark.parametrize("odd", [None, True, "long", float("nan"), [], {}])
def test_what_is_no_number_is_no_length_and_no_price(odd: Any) -> None:
    assert words.span(odd) == "an unknown time"
    assert words.dollars(odd) == ""


@pytest.mark.parametrize(("price", "text"), [(0.19, "$0.19/h"), (1, "$1/h"), (2.0, "$2/h")])
def test_a_price_has_no_needless_zeros(price: float, text: str) -> None:
    assert words.dollars(price) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-01-01", "2026-01-01 00:00:00Z", "2026-13-01T00:00:00Z", None, 7),
        "２026-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time_has_no_seconds(text: Any) -> None:
    assert times.seconds_of(text) is None


def test_a_time_is_read_as_it_is_written() -> None:
    assert times.text_of(1769860800) == "2026-01-31T12:00:00Z"
    assert times.seconds_of("2026-01-31T12:00:00Z") == 1769860800


def test_a_configuration_is_read_as_a_shell_would(tmp_path: Path) -> None:
    other = tmp_path / "other.conf"
    other.write_text("a=first\nb='it'\"'\"'s'\n")
    place = tmp_path / "x.conf"
    place.write_text(f"# Read as shell\n. {other}\na='two\nlines'\nunknown=x\n")
    settings = config.read(str(place), {"a": "", "b": "", "c": "kept"})
    assert settings == {"a": "two\nlines", "b": "it's", "c": "kept"}
