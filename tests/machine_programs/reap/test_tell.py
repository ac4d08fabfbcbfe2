"""tell.py: shows a message unchanged on every terminal that answers, and waits for none."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.machine_programs.support import hostile_tmux
from tests.machine_programs.support.hostile_corpus import corpus
from tests.machine_programs.support.load import ROOT

PROGRAM = ROOT / "roles/machine_programs/files/cloudtop_machine/tell.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cloudtop_tell", PROGRAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tell = load()
PRINTABLE = bytes(range(0x20, 0x7F))


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    place = tmp_path / "t"
    place.mkdir()
    return place


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the input of wall."""
    place = tmp_path / "bin/wall"
    place.parent.mkdir()
    place.write_text(f"#!/bin/sh\nenv >'{tmp_path}/environment'\ncat >>'{tmp_path}/wall'\n")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.parent}:/usr/sbin:/usr/bin:/sbin:/bin")
    return tmp_path / "wall"


def test_plain_text_is_one_line_of_printable_ascii(tmp_path: Path) -> None:
    for text in corpus(tmp_path / "marker"):
        line = tell.plain(text).encode()
        assert line.translate(None, PRINTABLE) == b"", text
        assert len(line) <= tell.LONGEST
    assert tell.plain("two words, 50% of #1") == "two words, 50% of #1"
    assert tell.plain("a\n\tb  c") == "a b c"


def test_a_real_tmux_shows_foreign_text_and_runs_nothing(tmp: Path, wall: Path) -> None:
    marker = tmp / "marker"
    with hostile_tmux.tmux(tmp) as server, server.client(tmp / "screen"):
        for text in corpus(marker):
            line = tell.plain(text)
            shown = server.ask("display-message", "-p", "--", tell.tmux_text(text))
            # Two of them before a bracket become one when tmux draws the line
            assert shown.replace("##[", "#[").strip() == line.strip()
            tell.everyone(text, str(tmp))
            if line and len(line) < 200:
                assert line.replace("#[", "##[") in server.ask("show-messages")
        assert server.ran_nothing(marker)
    assert wall.read_bytes().translate(None, PRINTABLE).strip(b"\n") == b""


def test_the_guarded_failure_is_real(tmp: Path) -> None:
    with hostile_tmux.tmux(tmp) as server, server.client(tmp / "screen"):
        server.run_format(f"touch {tmp / 'marker'}", tmp / "marker")
        assert not server.ran_nothing(tmp / "marker")


def test_warns_sessions_beside_silent_ones(tmp: Path, wall: Path) -> None:
    with (
        hostile_tmux.nobody_answers(tmp),
        hostile_tmux.tmux(tmp, "works") as server,
        server.client(tmp / "screen"),
    ):
        subprocess.run(
            [sys.executable, "-IS", str(PROGRAM), "--tmp", str(tmp), "it ends"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
        assert "it ends" in server.ask("show-messages")
    assert wall.read_text() == "it ends\n"


def test_a_wall_that_hangs_delays_nothing(tmp: Path, wall: Path) -> None:
    (wall.parent / "bin/wall").write_text("#!/bin/sh\ntrap '' TERM\ntail -f /dev/null &\nwait\n")
    tell.everyone("it ends", str(tmp))


def test_a_program_gets_nothing_of_this_ones(
    tmp: Path, wall: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of root's")
    tell.everyone("it ends", str(tmp))
    names = {line.partition("=")[0] for line in (wall.parent / "environment").open()}
    assert names - {"PWD"} == {"PATH", "LC_ALL", "HOME", "TERM"}


def test_another_users_client_has_no_group_of_that_number() -> None:
    """A user's number may be that of the group docker; who is not root becomes nobody else."""
    program = tell.Program(("sh", "-c", "id -u; id -g; id -G"), uid=12345).run(10)
    if os.getuid() == 0:
        assert program.text.split() == ["12345", "65534", "65534"]
    else:
        assert program.code == 127


def test_only_sockets_of_the_directorys_user_are_asked(tmp: Path) -> None:
    mine = hostile_tmux.directory(tmp)
    elsewhere = tmp / "elsewhere"
    elsewhere.mkdir()
    for place in (mine / "good", elsewhere / "bad", tmp / "bad"):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(place))
    (mine / "link").symlink_to(elsewhere / "bad")
    (mine / "file").touch()
    (tmp / "tmux-99999").mkdir()
    (elsewhere / "bad").rename(tmp / "tmux-99999/bad")
    (tmp / "tmux-1x").symlink_to(mine)
    (tmp / "tmux-").mkdir()
    assert [server.path for server in tell.servers(str(tmp))] == [str(mine / "good")]
    assert tell.servers(str(tmp / "gone")) == []


def test_nobody_has_more_than_some_sockets(tmp: Path) -> None:
    mine = hostile_tmux.directory(tmp)
    for number in range(50):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(mine / str(number)))
    assert len(tell.servers(str(tmp))) == tell.SOCKETS_OF_USER


def test_a_client_that_never_stops_talking_is_cut_short() -> None:
    program = tell.Program(("yes",)).run(2)
    assert (program.code, len(program.text)) == (None, tell.MOST_BYTES)


def test_whoever_holds_the_pipe_is_not_waited_for(tmp: Path) -> None:
    script = f"setsid tail -f /dev/null & echo $! >{tmp}/pid; echo done"
    program = tell.Program(("sh", "-c", script)).run(60)
    os.kill(int((tmp / "pid").read_text()), 9)
    assert (program.code, program.text) == (0, "done\n")


def test_a_sentence_and_nothing_else(tmp: Path) -> None:
    done = subprocess.run([sys.executable, "-IS", str(PROGRAM)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "usage: tell.py [--tmp DIRECTORY] SENTENCE\n")
