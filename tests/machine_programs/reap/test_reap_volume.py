"""cloudtop-reap: docker and the volume before the end, and again when EC2 did not come."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support import installed
from tests.machine_programs.support.reaped import STOPPED, Reaped
from tests.machine_programs.support.saved import Tree


@pytest.fixture
def machine(tmp_path: Path) -> Reaped:
    return Reaped(tmp_path)


@pytest.fixture
def tree(machine: Reaped) -> Tree:
    tree = Tree(machine.array / "project")
    tree.write("file", "changed\n")
    return tree


def test_docker_that_does_not_stop_is_left(machine: Reaped) -> None:
    machine.settings["docker_timeout"] = 1
    machine.stub("systemctl", "case $1 in stop) exec tail -f /dev/null ;; esac")
    assert "docker did not stop within 1 s." in machine.reap()
    assert f"umount {machine.volume}" in machine.log


def test_docker_that_does_not_run_is_not_stopped(machine: Reaped) -> None:
    machine.stub("systemctl", 'echo "systemctl $*" >>"$TREE/log"; [ "$1" != is-active ]')
    machine.reap()
    assert STOPPED[1] not in machine.log


def test_a_volume_in_use_becomes_read_only_and_its_user_is_named(machine: Reaped) -> None:
    holder = machine.tree / "proc/99"
    (holder / "fd").mkdir(parents=True)
    (holder / "comm").write_text("vim\n")
    (holder / "cwd").symlink_to("/")
    (holder / "fd/4").symlink_to(machine.volume / "notes")
    machine.stub("umount", "exit 32")
    assert "it is held by vim (99) and could not be unmounted." in machine.reap()
    assert f"mount -o remount,ro {machine.volume}" in machine.log


def test_a_volume_that_cannot_be_read_only_is_synced(machine: Reaped) -> None:
    machine.stub("umount", "exit 32")
    machine.stub("mount", "exit 32")
    assert f"{machine.volume} is still mounted; it is held by a program." in machine.reap()
    assert machine.log[-1] == f"sync -f {machine.volume}"


@pytest.mark.parametrize(("action", "more"), [("terminate", ""), ("stop", " /")])
def test_the_array_is_not_written_at_its_end(machine: Reaped, action: str, more: str) -> None:
    """A sync of all disks takes as long as what is on the array, which nobody needs any more."""
    machine.notice(action)
    machine.settings["unmount"] = "no"
    machine.reap()
    own = [line for line in machine.log if line.startswith("sync") and "/saved/" not in line]
    assert own == [f"sync -f {machine.volume}{more}"] * 2


def test_unmounting_can_be_switched_off(machine: Reaped) -> None:
    machine.settings["unmount"] = "no"
    machine.reap()
    assert machine.steps == STOPPED


def test_without_the_volume_nothing_is_written_into_its_place(machine: Reaped, tree: Tree) -> None:
    machine.mounted("")
    assert f"{machine.volume} is not mounted: nothing can be saved." in machine.reap()
    assert list(machine.volume.iterdir()) == []
    assert machine.steps == STOPPED


@pytest.mark.parametrize("name", [".cloudtop", ".cloudtop/saved", ".cloudtop/reaps.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_pipe_on_the_volume_leads_nowhere(
    machine: Reaped, tree: Tree, name: str, kind: str
) -> None:
    elsewhere = machine.tree / "elsewhere"
    elsewhere.mkdir()
    (machine.volume / name).parent.mkdir(exist_ok=True)
    target = elsewhere / "file" if name.endswith("jsonl") else elsewhere
    if kind == "link":
        (machine.volume / name).symlink_to(target)
    else:
        os.mkfifo(machine.volume / name)
    machine.reap()
    assert list(elsewhere.iterdir()) == []
    assert machine.steps == machine.all_steps


def test_makes_whole_what_it_stopped(machine: Reaped) -> None:
    machine.reap()
    (machine.tree / "log").write_text("")
    machine.stub(
        "systemctl",
        'echo "systemctl $*" >>"$TREE/log"\n'
        f'echo "2 1 8:2 / {machine.volume} rw" >>"$TREE/proc/self/mountinfo"',
    )
    machine.reap("whole")
    assert machine.steps == [
        "systemctl reload-or-restart cloudtop-persistent-mount.service",
        "systemctl start docker.socket docker.service",
    ]
    assert [line["event"] for line in machine.journal] == ["notice", "whole"]
    assert "the machine is still here" in (machine.tree / "wall").read_text()
    assert "Nothing was stopped." in machine.reap("whole")


def test_mounts_of_others_with_strange_names_hide_no_volume(machine: Reaped) -> None:
    """The kernel escapes blanks, tabs and newlines in them, and nothing else."""
    mounts = machine.tree / "proc/self/mountinfo"
    mounts.write_bytes(b"3 1 8:3 / /mnt/\xff\rx\xc2\x85y rw\n" + mounts.read_bytes())
    machine.reap()
    assert machine.steps == machine.all_steps


@pytest.mark.parametrize("mode", ["end", "whole"])
def test_a_laptop_that_hung_up_hears_nothing_and_costs_no_step(machine: Reaped, mode: str) -> None:
    steps = machine.all_steps
    if mode == "whole":
        machine.reap()
        (machine.tree / "log").write_text("")
        steps = [
            "systemctl reload-or-restart cloudtop-persistent-mount.service",
            "systemctl start docker.socket docker.service",
        ]
    reader, writer = os.pipe()
    os.close(reader)
    subprocess.run(
        [*installed.argv(installed.program("cloudtop-reap")), mode, str(machine.config())],
        env={**installed.environ(machine.tree), "HOME": str(machine.home)},
        stdout=writer,
        stderr=writer,
        check=False,
    )
    os.close(writer)
    assert machine.steps == steps


def test_a_read_only_volume_is_made_writable_again(machine: Reaped) -> None:
    machine.stub("umount", "exit 32")
    machine.reap()
    machine.mounted("ro,noatime")
    machine.reap("whole")
    assert f"mount -o remount,rw {machine.volume}" in machine.log


def test_what_could_not_be_mounted_again_stays_to_be_done(machine: Reaped) -> None:
    machine.reap()
    works = (machine.tree / "bin/systemctl").read_text()
    machine.stub("systemctl", "exit 1")
    done = machine.run("cloudtop-reap", "whole", str(machine.config()))
    assert done.returncode == 1
    assert "could not be mounted again" in done.stdout
    # Docker does not run and the volume is not mounted, so the next end has nothing to stop
    machine.notice(seconds=150)
    machine.reap()
    assert (machine.tree / "run/reap.stopped").read_text().split() == ["docker", "volume"]
    (machine.tree / "bin/systemctl").write_text(works)
    machine.reap("whole")
    assert "systemctl start docker.socket docker.service" in machine.log
