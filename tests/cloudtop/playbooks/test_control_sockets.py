"""Sockets of shared connections lie where their paths are short, and nobody else comes."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from cloudtop.playbooks import control_sockets

LONG = Path("/home/" + "a" * 93)


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of this test's own, which may be long: its path counts from the directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(control_sockets, "SHORT", Path())


def test_f17_a_short_home_keeps_ansibles_own_place() -> None:
    assert control_sockets.environment({}, Path("/home/jane")) == {}


@pytest.mark.parametrize("name", ["ANSIBLE_SSH_CONTROL_PATH_DIR", "ANSIBLE_SSH_CONTROL_PATH"])
def test_f17_the_owners_place_stays(name: str) -> None:
    assert control_sockets.environment({name: "/mine"}, LONG) == {}


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("home", [LONG, Path("/home/50%h")])
def test_f17_a_long_home_has_a_short_place_for_sockets(home: Path) -> None:
    variables = control_sockets.environment({}, home)
    place = Path(variables[control_sockets.DIRECTORY])
    assert control_sockets.fits(place)
    assert place.stat().st_mode & 0o777 == 0o700
    again = control_sockets.environment({}, home)
    assert again == variables, "a shared connection outlives the run that opened it"


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("kind", ["open", "link"])
def test_f17_a_directory_that_others_may_enter_is_not_used(tmp_path: Path, kind: str) -> None:
    taken = tmp_path / f"cloudtop-{os.getuid()}"
    if kind == "open":
        taken.mkdir()
        taken.chmod(0o777)
    else:
        taken.symlink_to(tmp_path)
    place = Path(control_sockets.environment({}, LONG)[control_sockets.DIRECTORY])
    assert place.resolve() not in (taken, tmp_path)
    assert place.stat().st_mode & 0o777 == 0o700


def test_f17_the_runtime_directory_comes_first() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        variables = control_sockets.environment({"XDG_RUNTIME_DIR": runtime}, LONG)
        assert Path(variables[control_sockets.DIRECTORY]).parent == Path(runtime)


def test_f17_the_longest_place_is_one_that_ssh_takes(tmp_path: Path) -> None:
    """ssh looks at the length before it connects: mux.c."""
    place = "/tmp/" + "a" * (control_sockets.LONGEST - 5)
    words = ["-o", f'ControlPath="{place}/0123456789"', "-o", "ControlMaster=auto"]
    argv = ["ssh", "-F", "none", *words, "-o", "BatchMode=yes", "-p", "1", "127.0.0.1", "true"]
    text = subprocess.run(argv, capture_output=True, text=True, check=False).stderr
    assert "too long" not in text
    assert "refused" in text
