"""Root's files on the volume: nothing that others put in their place is read or written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cloudtop_machine.volume_directory import NotRoots, VolumeDirectory

from tests.machine_programs.support.journal import Journal

SECRET = "root:secret\n"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file elsewhere that only root may read or write."""
    place = tmp_path / "secret"
    place.write_text(SECRET)
    return place


@pytest.fixture
def top(tmp_path: Path) -> VolumeDirectory:
    (tmp_path / "volume").mkdir()
    return VolumeDirectory.top(str(tmp_path / "volume"), os.getuid())


def link(place: Path, secret: Path) -> None:
    place.symlink_to(secret)


def second_name(place: Path, secret: Path) -> None:
    place.hardlink_to(secret)


def pipe(place: Path, secret: Path) -> None:
    os.mkfifo(place)


def directory(place: Path, secret: Path) -> None:
    place.mkdir()


Plant = Callable[[Path, Path], None]
PLANTS = (link, second_name, pipe, directory)
WRITES = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_RDWR | os.O_CREAT | os.O_APPEND)


@pytest.mark.parametrize("flags", WRITES, ids=["read", "write", "append"])
@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_no_file_of_roots_is_not_opened(
    top: VolumeDirectory, secret: Path, plant: Plant, flags: int
) -> None:
    plant(Path(top.place) / "file", secret)
    with pytest.raises(NotRoots, match=r"file is no regular file of root's"):
        top.open("file", flags)
    assert secret.read_text() == SECRET


@pytest.mark.parametrize("plant", [link, second_name, pipe])
def test_a_new_file_takes_the_place_of_whatever_is_there(
    top: VolumeDirectory, secret: Path, plant: Plant
) -> None:
    plant(Path(top.place) / "file", secret)
    for name in ("file.new", "file.tmp"):
        plant(Path(top.place) / name, secret)
    top.replace("file", b"new")
    with top.open("file") as file:
        assert file.read() == b"new"
    assert secret.read_text() == SECRET


def test_a_file_that_cannot_be_written_leaves_nothing(top: VolumeDirectory) -> None:
    (Path(top.place) / "file").mkdir()
    with pytest.raises(IsADirectoryError):
        top.replace("file", b"new")
    assert os.listdir(top.place) == ["file"]  # noqa: PTH208


def test_an_empty_file_is_made_only_of_the_right_one(top: VolumeDirectory, secret: Path) -> None:
    (Path(top.place) / "file").write_text("old")
    with top.open("file", os.O_WRONLY | os.O_TRUNC) as file:
        file.write(b"n")
    assert (Path(top.place) / "file").read_text() == "n"


@pytest.mark.parametrize("plant", [link, pipe])
@pytest.mark.parametrize("make", [False, True])
def test_a_directory_is_reached_through_no_link(
    top: VolumeDirectory, tmp_path: Path, plant: Plant, make: bool
) -> None:
    plant(Path(top.place) / "saved", tmp_path)
    with pytest.raises(NotRoots, match=r"saved is no directory of root's"):
        top.inside("saved", make)


def test_anothers_directory_is_not_used(tmp_path: Path) -> None:
    (tmp_path / ".cloudtop").mkdir()
    with pytest.raises(NotRoots):
        VolumeDirectory.top(str(tmp_path), os.getuid() + 1)


@pytest.mark.parametrize("mode", ["", "alive", "why"])
@pytest.mark.parametrize("name", ["reaps.jsonl", "last", "alive", "reaps.jsonl.new", "last.new"])
@pytest.mark.parametrize("plant", [link, pipe])
def test_the_journal_neither_follows_nor_waits_nor_fails_with_a_traceback(
    tmp_path: Path, plant: Plant, name: str, mode: str
) -> None:
    machine = Journal(tmp_path)
    machine.had("i-old", seconds_ago=300)
    (machine.place / name).unlink(missing_ok=True)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    plant(machine.place / name, secret)
    done: subprocess.CompletedProcess[str] = machine.run(mode) if mode else machine.run()
    assert "Traceback" not in done.stderr
    assert secret.read_text() == SECRET
    assert SECRET.strip() not in done.stdout + done.stderr
