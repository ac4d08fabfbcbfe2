"""Ending a machine from the laptop: what could not be saved is asked about, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.aws.find import Machine, Request, Resources, Volume
from cloudtop.command import Context
from cloudtop.commands import bake, converge, watch
from cloudtop.errors import CloudtopError
from cloudtop.machine import conversation, save_work
from cloudtop.settings import clouds, settings
from tests.machine_programs.support.departing import Departing, until
from tests.machine_programs.support.reaped import STOPPED
from tests.machine_programs.support.saved import Tree

INSTANCE = Machine("i-0abc", state="running", public_ip_address="127.77.0.5")
VOLUME = Volume("vol-1", tags={"cloudtop:host-key": "ssh-ed25519 AAAA"})
ROOT = paths.ROOT
DOCKER_AGAIN = "systemctl start docker.socket docker.service"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Departing]:
    """A machine that ssh reaches: the program that is sent runs on it, with its configuration."""
    (tmp_path / "machine").mkdir()
    machine = Departing(tmp_path / "machine")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(paths, "OWN_SETTINGS", tmp_path / "settings_local.yml")
    machine.stub("sudo", 'shift\nexec "$@"')
    config = machine.config()
    own = " ".join(f"{name}={machine.environment[name]}" for name in ("TREE", "PATH", "PYTHONPATH"))
    place = tmp_path / "laptop"
    place.mkdir()
    script = (
        f'#!/bin/sh\nexport {own}\nfor last; do :; done\n'
        f'exec sh -c "$last {config}"\n'
    )  # fmt: skip
    (place / "ssh").write_text(script)
    (place / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    for key, value in machine.environment.items():
        if key.startswith("GIT_"):
            monkeypatch.setenv(key, value)
    yield machine
    until("the end is kept by nobody", lambda: not machine.keepers())


@pytest.fixture
def tree(machine: Departing) -> Tree:
    tree = Tree(machine.array / "project")
    tree.write("file", "changed\n")
    return tree


def silent(tmp_path: Path) -> None:
    """From now on ssh can't connect."""
    ssh = tmp_path / "laptop/ssh"
    ssh.write_text("#!/bin/sh\necho 'ssh: connect to host x port 22: timed out' >&2\nexit 255\n")


def context(**options: Any) -> Context:
    given = Namespace(**{"yes": True, "lose_work": False, "verbose": 0, **options})
    return Context(given, settings.load(), clouds.load("rehearsal"), ())


def end(given: Context, action: str = "terminate", inside: Any = lambda: None) -> None:
    with save_work.ending(given, [INSTANCE], VOLUME, action):
        inside()


def is_back(machine: Departing) -> None:
    assert machine.is_mounted
    docker = [line for line in machine.log if line in (STOPPED[1], DOCKER_AGAIN)]
    assert docker[-1:] in ([], [DOCKER_AGAIN])


def test_a_machine_whose_work_is_saved_is_held_for_its_end(
    machine: Departing, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    end(context(), inside=lambda: assert_ready(machine))
    output = capsys.readouterr().out
    assert "Saved: 1 git work trees, 0 other places, " in output
    assert "The volume is unmounted." in output
    # EC2 would have ended it by now
    assert not machine.is_mounted
    take_back(machine)


def assert_ready(machine: Departing) -> None:
    assert machine.steps == machine.all_steps


def take_back(machine: Departing) -> None:
    machine.call("back").hears("back")
    is_back(machine)


def test_work_that_does_not_fit_is_named_and_nothing_is_ended(
    machine: Departing, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.settings["tree_cap_mib"] = 0
    machine.config()
    with pytest.raises(save_work.NotSaved) as refused:
        end(context(), inside=lambda: pytest.fail("it was ended"))
    assert f"Not all of {tree.place} was saved: " in refused.value.message
    assert "--lose-work" in refused.value.hint
    assert "i-0abc goes on: its volume is mounted" in capsys.readouterr().out
    is_back(machine)


def test_what_could_not_be_saved_is_given_up_by_an_option(machine: Departing, tree: Tree) -> None:
    machine.settings["tree_cap_mib"] = 0
    machine.config()
    ended: list[str] = []
    end(context(lose_work=True), inside=lambda: ended.append("it"))
    assert ended == ["it"]
    take_back(machine)


@pytest.mark.parametrize(("word", "ends"), [("y", True), ("n", False), ("", False)])
def test_somebody_at_a_terminal_is_asked_once_more(
    machine: Departing, monkeypatch: pytest.MonkeyPatch, word: str, ends: bool
) -> None:
    machine.hook("dump", "exit 3")
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def answer(question: str) -> str:
        asked.append(question)
        return word

    monkeypatch.setattr("builtins.input", answer)
    ended: list[str] = []
    try:
        end(context(yes=False), "stop", inside=lambda: ended.append("it"))
    except save_work.NotSaved as refused:
        assert "dump ended with 3." in refused.message
    assert (len(asked), bool(ended)) == (1, ends)
    assert "stopped all the same?" in asked[0]
    take_back(machine)


def test_a_volume_that_was_not_mounted_is_not_nothing_to_save(machine: Departing) -> None:
    machine.mounted("")
    with pytest.raises(save_work.NotSaved, match="The volume is not mounted for writing on i-0abc"):
        end(context())


@pytest.mark.parametrize(
    ("instance", "volume", "words"),
    [
        (replace(INSTANCE, public_ip_address=""), VOLUME, "i-0abc has no public address"),
        (INSTANCE, None, "i-0abc was never converged"),
    ],
)
def test_a_machine_that_cannot_be_logged_in_to_is_not_ended(
    machine: Departing, instance: Machine, volume: Volume | None, words: str
) -> None:
    given = context()
    with (
        pytest.raises(save_work.NotSaved, match=words),
        save_work.ending(given, [instance], volume),
    ):
        pytest.fail("it was ended")
    with save_work.ending(context(lose_work=True), [instance], volume):
        pass


def test_one_that_does_not_run_has_nothing_to_save(machine: Departing) -> None:
    stopped = replace(INSTANCE, state="stopped")
    with save_work.ending(context(), [stopped, None], VOLUME):
        assert machine.steps == []


def test_a_machine_without_a_guard_is_not_ended(machine: Departing) -> None:
    (machine.tree / "bin/cloudtop-reap").unlink()
    with pytest.raises(save_work.NotSaved, match="No guard that could save work is installed"):
        end(context())
    end(context(lose_work=True))


def test_a_silent_machine_is_let_in_first_and_then_not_ended(
    machine: Departing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = (tmp_path / "laptop/ssh").read_text()

    def opens(_context: Context, names: list[str]) -> dict[str, int]:
        opened.extend(names)
        return {}

    monkeypatch.setattr(save_work, "run_playbooks", opens)
    silent(tmp_path)
    for refuses in (end, lambda given: save_work.check(given, [INSTANCE], VOLUME)):
        with pytest.raises(save_work.NotSaved, match=r"does not answer \(ssh: connect.* timed out"):
            refuses(context())
    assert opened == ["reach.yml", "reach.yml"]

    def helps(_context: Context, names: list[str]) -> dict[str, int]:
        (tmp_path / "laptop/ssh").write_text(real)
        return {}

    monkeypatch.setattr(save_work, "run_playbooks", helps)
    end(context())
    assert not machine.is_mounted
    take_back(machine)


def test_trouble_of_this_computers_own_opens_no_port(machine: Departing, tmp_path: Path) -> None:
    ssh = tmp_path / "laptop/ssh"
    ssh.write_text("#!/bin/sh\necho 'command-line line 0: keyword identityfile' >&2\nexit 255\n")
    with pytest.raises(save_work.NotSaved, match="keyword identityfile"):
        end(context())


def test_an_end_that_ec2_refuses_is_taken_back(
    machine: Departing, tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise CloudtopError("EC2 answered UnauthorizedOperation.")

    with pytest.raises(CloudtopError, match="UnauthorizedOperation"):
        end(context(), inside=fails)
    assert "i-0abc goes on: its volume is mounted" in capsys.readouterr().out
    is_back(machine)


def test_an_end_that_cannot_be_taken_back_from_here_is_by_the_machine(
    machine: Departing, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(save_work, "HELD_SECONDS", 1)

    def fails() -> None:
        silent(tmp_path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        end(context(), inside=fails)
    assert "By itself it mounts the volume" in capsys.readouterr().out
    until("it does so", lambda: DOCKER_AGAIN in machine.log)
    is_back(machine)


@pytest.mark.parametrize("deadly", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_while_it_saves_the_machine_goes_on(
    machine: Departing, tree: Tree, tmp_path: Path, deadly: signal.Signals
) -> None:
    """Ctrl-C reaches the whole group of processes of a terminal, ssh too."""
    machine.settings["silence"] = 3
    machine.config()
    machine.hook("slow", f'until [ -e "{machine.tree}/go" ]; do :; done')
    script = (
        # Whoever started the tests in the background had it ignored
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tests.cloudtop.machine.test_save_work import *\n"
        "try:\n    end(context())\n"
        "except KeyboardInterrupt:\n    sys.exit(130)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    until("it saves", lambda: "terminate" in machine.warnings())
    os.killpg(process.pid, deadly)
    until("it hears", lambda: (machine.tree / "run/farewell/reap.off").exists())
    (machine.tree / "go").touch()
    output, _ = process.communicate(timeout=60)
    if deadly == signal.SIGINT:
        assert process.returncode == 130
        assert "i-0abc goes on: its volume is mounted" in output
    until("the end is kept by nobody", lambda: not machine.keepers())
    is_back(machine)
    assert STOPPED[1] not in machine.log
    assert "called off" in machine.warnings()


def test_the_program_that_is_sent_needs_no_posix_shell() -> None:
    line = conversation.command(save_work.PROGRAM, ["end", "180", "terminate"])
    assert len(line) < 100_000
    assert not set(line) & set("\n\\!$`%")


def test_what_is_not_whole_is_told_by_the_report() -> None:
    place = {"path": "/mnt/x", "complete": False, "trouble": "it is big", "files": 1, "bytes": 2}
    saved: dict[str, Any] = {"trees": [place], "paths": [], "bytes": 2}
    report = {"saved": saved, "mounted": True, "volume": "read-only", "held": "vim (9)"}
    work = save_work.saved_work("i-1", {"guard": True, "report": {**report, "seconds": 3}})
    assert not work.whole
    assert str(work).splitlines() == [
        "Saved: 1 git work trees, 0 other places, 2 bytes in 3 s. The volume is read-only now; it"
        " is held by vim (9).",
        "Not all of /mnt/x was saved: it is big.",
    ]
    for answer, words in (
        (None, "did not say in time"),
        ({"guard": True, "report": None}, "left no report"),
        ({"guard": True, "report": {**report, "saved": None}}, "failed: nothing was saved"),
        ({"guard": True, "report": {**report, "saved": {"complete": False}}}, "Not all places"),
    ):
        work = save_work.saved_work("i-1", answer)
        assert words in str(work)
        assert not work.whole
    assert replace(work, incomplete=()).whole


@pytest.mark.parametrize("yes", [False, True])
def test_a_new_image_ends_no_machine_whose_work_is_not_saved(
    machine: Departing, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    """The setting cloudtop_renew says yes to the change, and not to losing work."""
    machine.hook("dump", "exit 3")
    request = Request("sir-1", image_id="ami-1")
    resources = Resources(request, INSTANCE, VOLUME)
    wanted = replace(
        context(yes=yes), settings=settings.load(["cloudtop_renew=true", "cloudtop_image=ami-2"])
    )
    monkeypatch.setattr(bake, "images_of", lambda _context: [])
    # No EC2 is asked here: the bid reaches the price
    monkeypatch.setattr("cloudtop.commands.bake.aws.client", lambda: None)
    monkeypatch.setattr("cloudtop.commands.bake.images.pinned", lambda *_: None)
    monkeypatch.setattr("cloudtop.commands.bake.bid_check.notes", lambda *_: [])
    monkeypatch.setattr(Context, "find", lambda _context: resources)
    runs: list[Any] = []

    def run(_context: Context, more: Any) -> set[str]:
        runs.append(more)
        return {"i-0abc"}

    monkeypatch.setattr(converge, "run", run)
    sentences: list[str] = []
    watch.make_whole(wanted, sentences.append)
    assert runs == [{"cloudtop_renew": False, "cloudtop_wait": True}]
    assert "the machine keeps its image: " in sentences[0]
    (machine.hooks / "dump").unlink()
    watch.make_whole(wanted, sentences.append)
    assert runs[1:] == [{"cloudtop_renew": True, "cloudtop_wait": True}]
    take_back(machine)


def report_of(**parts: Any) -> dict[str, Any]:
    saved = {"trees": [], "paths": [], "bytes": 0, "complete": True, "not_saved": [], **parts}
    return {"guard": True, "report": {"mounted": True, "saved": saved, "hooks": [], "seconds": 1}}


def test_each_place_that_was_not_saved_is_named_once_with_its_reason() -> None:
    tree = {"path": "/a", "complete": False, "trouble": "too large"}
    unsaved = [{"path": "/a", "why": "too large"}, {"path": "/b", "why": "unreadable"}]
    answer = report_of(complete=False, trees=[tree], not_saved=unsaved)
    answer["report"]["hooks"] = ["dump ended with 1."]
    assert save_work.saved_work("i-1", answer).missing == [
        "Not all of /a was saved: too large.",
        "Not all of /b was saved: unreadable.",
        "dump ended with 1.",
    ]


def test_a_volume_that_a_program_still_writes_to_is_not_whole() -> None:
    answer = report_of()
    answer["report"] |= {"volume": "mounted", "held": "postgres (7)"}
    assert save_work.saved_work("i-1", answer).missing == [
        "The volume is still mounted: postgres (7) writes to it."
    ]


@pytest.mark.parametrize(
    "parts", [{"trees": ["x"]}, {"trees": 7}, {"bytes": "x"}, {"not_saved": [{}]}]
)
def test_an_odd_report_is_not_whole(parts: dict[str, Any]) -> None:
    assert save_work.saved_work("i-1", report_of(**parts)).missing == [
        "The report of i-1 cannot be read."
    ]


def test_a_bid_that_gets_no_machine_ends_none_for_a_new_image(
    machine: Departing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting has said yes to the role, which ends machines without saving their work."""
    resources = Resources(Request("sir-1", image_id="ami-1"), INSTANCE, VOLUME)
    wanted = replace(
        context(), settings=settings.load(["cloudtop_renew=true", "cloudtop_image=ami-2"])
    )

    def refuse(*_: Any) -> None:
        raise CloudtopError("The bid is below the price.")

    monkeypatch.setattr(bake, "images_of", lambda _context: [])
    monkeypatch.setattr("cloudtop.commands.bake.aws.client", lambda: None)
    monkeypatch.setattr("cloudtop.commands.bake.images.pinned", lambda *_: None)
    monkeypatch.setattr("cloudtop.commands.bake.bid_check.notes", refuse)
    monkeypatch.setattr(Context, "find", lambda _context: resources)
    with bake.renewing(wanted, resources) as more:
        assert more == {"cloudtop_renew": False}
    assert machine.steps == []
