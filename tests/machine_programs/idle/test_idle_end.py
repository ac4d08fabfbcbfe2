"""The end of an idle machine: work is saved, EC2 is asked, and what stays is made whole."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
from cloudtop_machine.idle import end

from tests.machine_programs.support import installed
from tests.machine_programs.support.idle import OK, REQUEST, STOPPED, Idle
from tests.machine_programs.support.reaped import Reaped
from tests.machine_programs.support.saved import Tree

CANCELLED = OK.format("CancelSpotInstanceRequests", REQUEST.format("cancelled"))
# In every call
ONLY = ["Version=2016-11-15"]


@pytest.fixture
def machine(tmp_path: Path) -> Idle:
    return Idle(tmp_path)


def requested(machine: Idle, state: str) -> None:
    """EC2 shows the machine's request in this state; the machine terminates when idle."""
    machine.settings["action"] = "terminate"
    item = REQUEST.format(state) if state else ""
    machine.answer("DescribeSpotInstanceRequests", OK.format("DescribeSpotInstanceRequests", item))


def kept(machine: Idle, *words: str, begun: bool = True) -> None:
    """It stays: made whole if an end has begun, everyone is warned, and the count begins anew."""
    status = machine.look()
    assert machine.steps[-1:] == (["reap whole"] if begun else [])
    assert (status["state"], status["idle_seconds"]) == ("failed", 0)
    motd = (machine.tree / "motd/cloudtop-idle").read_text()
    for word in words:
        assert word in status["message"]
        assert word in machine.sentences
        assert word in motd
    before = machine.steps
    status = machine.looks(3)
    assert (status["state"], machine.steps) == ("warned", before)
    assert "the last time it did not" in status["message"]


def test_says_so_saves_and_asks_for_its_own_stop(machine: Idle) -> None:
    machine.looks(2)
    assert machine.sentences == ""
    assert machine.look()["state"] == "warned"
    assert machine.sentences == (
        "Nobody has worked on this machine for 2 min: in 2 min it stops. Any key in a terminal"
        " keeps it, or: cloudtop-idle --stay\n"
    )
    machine.looks(2)
    assert machine.steps == ["reap end", "StopInstances"]
    assert machine.log[-1].split()[1:4] == ["StopInstances", *ONLY, "InstanceId.1=i-me"]
    notice = dict(line.split("=") for line in (machine.tree / "run/idle/spot-guard.notice").open())
    due = notice.pop("due")
    assert due.endswith("Z\n")
    assert notice == {"action": "stop\n", "instance": "i-me\n", "why": "idle\n"}


def test_its_request_is_cancelled_before_it_terminates(machine: Idle) -> None:
    requested(machine, "active")
    machine.answer("CancelSpotInstanceRequests", CANCELLED)
    machine.looks(5)
    assert machine.steps == [
        "reap end",
        *("DescribeSpotInstanceRequests", "CancelSpotInstanceRequests", "TerminateInstances"),
    ]
    assert [line.split()[2:4] for line in machine.log[-2:]] == [
        [*ONLY, "SpotInstanceRequestId.1=sir-1"],
        [*ONLY, "InstanceId.1=i-me"],
    ]


def test_a_request_that_is_cancelled_already_is_no_hindrance(machine: Idle) -> None:
    requested(machine, "cancelled")
    machine.looks(5)
    assert machine.steps[1:] == ["DescribeSpotInstanceRequests", "TerminateInstances"]


@pytest.mark.parametrize("state", ["", "active"])
def test_without_a_cancelled_request_nothing_is_terminated(machine: Idle, state: str) -> None:
    requested(machine, state)
    machine.error("CancelSpotInstanceRequests", "UnauthorizedOperation")
    machine.looks(4)
    kept(machine, "provision" if state else "no spot request of i-me")
    assert "TerminateInstances" not in machine.steps


def test_a_request_that_ec2_keeps_is_not_left_behind(machine: Idle) -> None:
    requested(machine, "active")
    still = OK.format("CancelSpotInstanceRequests", REQUEST.format("active"))
    machine.answer("CancelSpotInstanceRequests", still)
    machine.looks(4)
    kept(machine, "did not cancel the request sir-1")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("UnauthorizedOperation", "python runner.py provision"),
        ("UnsupportedOperation", "Set cloudtop_idle_action to terminate"),
        ("IncorrectInstanceState", "IncorrectInstanceState: as it happens"),
    ],
)
def test_a_refusal_of_ec2_is_shown_and_undone(machine: Idle, code: str, words: str) -> None:
    (machine.tree / "answers/StopInstances.1").unlink()
    machine.error("StopInstances", code)
    machine.looks(4)
    kept(machine, words)
    assert machine.calls == ["StopInstances"]


def test_a_trouble_that_may_pass_is_tried_again(machine: Idle) -> None:
    (machine.tree / "answers/StopInstances.1").unlink()
    machine.error("StopInstances", "RequestLimitExceeded")
    machine.error("StopInstances", "InternalError")
    machine.answer("StopInstances", OK.format("StopInstances", ""))
    machine.looks(5)
    assert machine.steps == ["reap end", *["StopInstances"] * 3]


def test_an_end_that_hangs_is_killed_with_what_it_started(
    machine: Idle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end, "SAVE", 1)
    monkeypatch.setattr(end, "MORE", 0)
    machine.reaps('[ "$1" != end ] || { sleep 99 & echo $! >$TREE/left; exec sleep 98; }')
    (machine.tree / "bin/sleep").unlink()
    machine.looks(4)
    kept(machine, "Work could not be saved")
    left = int((machine.tree / "left").read_text())
    state = Path(f"/proc/{left}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_machine_without_its_volume_stays(machine: Idle) -> None:
    (machine.tree / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n")
    machine.looks(4)
    kept(machine, "no work could be saved", begun=False)
    assert machine.calls == []


def test_an_end_that_does_not_come_to_its_end_keeps_it(machine: Idle) -> None:
    machine.reaps("exit 0")
    machine.looks(4)
    kept(machine, "Work could not be saved")
    assert machine.calls == []


def test_work_that_does_not_fit_keeps_it(machine: Idle) -> None:
    saved = {
        "complete": False,
        "not_saved": [{"path": "/mnt/ephemeral/big", "why": "7 files do not fit"}],
    }
    report = json.dumps({"saved": saved, "mounted": True, "hooks": []})
    machine.reaps(f"echo '{report}' >$TREE/run/idle/reap.report")
    machine.looks(4)
    kept(machine, "Not all of /mnt/ephemeral/big was saved: 7 files", "cloudtop_saved_tree_mib")
    assert machine.calls == []


@pytest.mark.parametrize(
    "report",
    [
        '{"saved": null, "mounted": true, "hooks": []}',
        '{"saved": {"complete": false}, "mounted": true, "hooks": []}',
        '{"saved": {}, "mounted": true, "hooks": ["x ended with 3."]}',
        "",
    ],
)
def test_a_report_that_is_not_whole_keeps_it(machine: Idle, report: str) -> None:
    machine.reaps(f"echo '{report}' >$TREE/run/idle/reap.report")
    machine.looks(4)
    kept(machine, "Not all work was saved")
    assert machine.calls == []


def test_somebody_who_comes_while_it_saves_keeps_it(machine: Idle) -> None:
    machine.terminal(0)
    machine.reaps('touch -a -d @777 "$TREE/dev/pts/0"')
    status = machine.looks(5)
    assert machine.steps == ["reap end", "reap whole"]
    assert (status["state"], status["idle_seconds"]) == ("active", 0)
    assert "This machine stays: there was input at pts/0" in machine.sentences
    assert not (machine.tree / "motd/cloudtop-idle").exists()


def test_an_end_that_was_interrupted_is_undone(machine: Idle) -> None:
    machine.looks(4)
    # As a run that was killed on its way leaves it
    (machine.tree / "run/idle").mkdir()
    (machine.tree / "run/idle/conf").touch()
    state = machine.tree / "run/idle.state"
    state.write_text(state.read_text().replace('"stage": "warned"', '"stage": "ending"'))
    kept(machine, "was interrupted")


def test_what_an_earlier_end_stopped_is_still_to_be_started(machine: Idle) -> None:
    """Its way back failed, as the volume could not be mounted."""
    machine.looks(3)
    stopped = machine.tree / "run/idle/reap.stopped"
    stopped.parent.mkdir()
    stopped.write_text("docker\nvolume\n")
    machine.looks(2)
    assert machine.steps == STOPPED
    assert stopped.read_text() == "docker\nvolume\n"


def test_it_waits_for_ec2_and_not_for_ever(machine: Idle) -> None:
    machine.looks(5)
    machine.terminal(0)
    machine.looks(10)
    assert machine.steps == ["reap end", "StopInstances"]
    machine.looks(5)
    kept(machine, "is still here")


def test_a_notice_of_ec2_comes_first(machine: Idle) -> None:
    begun, over = (machine.tree / f"run/spot-guard.{name}" for name in ("begun", "over"))
    begun.write_text("terminate 2026-01-01T00:00:00Z\n")
    machine.looks(6)
    assert machine.steps == []
    over.write_text(begun.read_text())
    machine.look()
    assert machine.steps == ["reap end", "StopInstances"]


def with_real_end(machine: Idle, guarded: Reaped) -> None:
    """The machine ends by the real cloudtop-reap, with the work and the volume of ``guarded``."""
    for name in ("getent", "umount"):
        (machine.tree / f"bin/{name}").symlink_to(guarded.tree / f"bin/{name}")
    mounts = guarded.tree / "proc/self/mountinfo"
    kept = shlex.quote(mounts.read_text())
    machine.stub("systemctl", f'[ "$1" = is-active ] || printf %s {kept} >{mounts}')
    guarded.settings["tmp"] = machine.tree / "tmp"
    machine.settings["guard"] = guarded.config()
    with (machine.tree / "proc/self/mountinfo").open("a") as file:
        file.write(f"3 1 8:3 / {guarded.volume} rw\n")
    words = installed.argv(installed.program("cloudtop-reap"))
    machine.stub("reap", f'exec {shlex.join(words)} "$@"')


@pytest.fixture
def guarded(tmp_path: Path) -> Reaped:
    (tmp_path / "guarded").mkdir()
    return Reaped(tmp_path / "guarded")


def test_the_real_end_saves_the_work_and_unmounts(machine: Idle, guarded: Reaped) -> None:
    tree = Tree(guarded.array / "project")
    tree.write("file", "changed\n")
    with_real_end(machine, guarded)
    machine.looks(5)
    assert machine.steps == ["StopInstances"]
    (line,) = guarded.journal
    assert (line["event"], line["action"], line["why"]) == ("notice", "stop", "idle")
    assert [each["path"] for each in line["saved"]["trees"]] == [str(tree.place)]
    assert "Nobody works here, so this machine goes (stop)" in machine.sentences
    assert f"{guarded.volume} is unmounted." in machine.sentences


def test_ends_that_fail_again_and_again_leave_one_save(machine: Idle, guarded: Reaped) -> None:
    """With more untracked data than may be saved of one tree."""
    boot = guarded.tree / "proc/sys/kernel/random/boot_id"
    boot.parent.mkdir(parents=True)
    boot.write_text("5b1a\n")
    tree = Tree(guarded.array / "project")
    tree.write("file", "changed\n")
    tree.write("large", os.urandom(3 << 20))
    guarded.settings["tree_cap_mib"] = 2
    with_real_end(machine, guarded)
    sizes = []
    for _ in range(3):
        status = machine.look()
        while status["state"] != "failed":
            status = machine.look()
        assert f"Not all of {tree.place}/large was saved: " in status["message"]
        saved = guarded.volume / ".cloudtop/saved"
        assert len([each for each in saved.iterdir() if each.is_dir()]) == 1
        sizes.append(sum(each.stat().st_size for each in saved.rglob("*") if each.is_file()))
    assert machine.calls == []
    # The report of a save says how long it took, and that it replaced another
    assert max(sizes) - min(sizes) < 4096
