"""The end of a machine whatever hangs: work is saved first, and the end comes to its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cloudtop_machine.reap import programs

from tests.machine_programs.support import hostile_tmux
from tests.machine_programs.support.hostile_corpus import corpus
from tests.machine_programs.support.hostile_tmux import await_true
from tests.machine_programs.support.reaped import Reaped
from tests.machine_programs.support.saved import Tree

PRINTABLE = bytes([*range(0x20, 0x7F), 0x0A])
HANGS = "trap '' TERM\nexec tail -f /dev/null"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Reaped]:
    machine = Reaped(tmp_path)
    machine.settings |= {"tell_timeout": 10}
    yield machine
    # Processes that were left behind on purpose
    for line in (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []:
        with suppress(ProcessLookupError):
            os.kill(int(line), signal.SIGKILL)


@pytest.fixture
def tree(machine: Reaped) -> Tree:
    tree = Tree(machine.array / "project")
    tree.write("file", "changed\n")
    return tree


def left_behind(machine: Reaped, name: str, script: str = "") -> None:
    """A program that leaves one behind that holds whatever it was given, for ever."""
    pids = machine.tree / "pids"
    machine.stub(name, f"setsid sh -c 'echo $$ >>\"{pids}\"; exec tail -f /dev/null' &\n{script}")


def saved(machine: Reaped) -> list[str]:
    """Paths of the trees that are saved whole, by the last line of the journal."""
    trees = (machine.journal[-1].get("saved") or {"trees": []})["trees"]
    return [each["path"] for each in trees if each["complete"]]


def test_work_is_saved_while_nobody_answers_in_tmux(machine: Reaped, tree: Tree) -> None:
    with hostile_tmux.nobody_answers(machine.tree / "tmp"):
        machine.reap()
    assert saved(machine) == [str(tree.place)]
    assert machine.steps == machine.all_steps
    assert "Saved: 1 git work trees" in (machine.tree / "wall").read_text()


@pytest.mark.parametrize("mode", ["whole", "rebalance"])
def test_so_does_whatever_else_tells(machine: Reaped, mode: str) -> None:
    (machine.tree / "run/reap.stopped").write_text("docker\n")
    (machine.tree / "run/spot-guard.rebalance").write_text("since=2026-01-01T00:00:00Z\n")
    with hostile_tmux.nobody_answers(machine.tree / "tmp"):
        machine.reap(mode)
    assert machine.journal[-1]["event"] == mode


def test_telling_is_not_waited_for_before_work_is_saved(machine: Reaped, tree: Tree) -> None:
    """Python's start alone takes seconds on a slow machine."""
    # It goes on once the journal has its line
    machine.stub(
        "python3",
        f'until [ -s "{machine.volume}/.cloudtop/reaps.jsonl" ]; do :; done\n'
        'echo told >>"$TREE/log"',
    )
    machine.reap()
    assert saved(machine) == [str(tree.place)]
    assert machine.log[-1] == "told"


def test_telling_that_never_ends_is_ended(machine: Reaped, tree: Tree) -> None:
    machine.settings["tell_timeout"] = 1
    machine.stub("python3", HANGS)
    machine.reap()
    assert saved(machine) == [str(tree.place)]
    assert machine.steps == machine.all_steps


def test_a_wall_that_ignores_its_end_is_left(machine: Reaped, tree: Tree) -> None:
    machine.stub("wall", HANGS)
    machine.reap()
    assert saved(machine) == [str(tree.place)]


@pytest.mark.parametrize("name", ["wall", "sync", "umount", "systemctl"])
def test_what_a_program_leaves_behind_is_not_waited_for(
    machine: Reaped, tree: Tree, name: str
) -> None:
    left_behind(machine, name, "exit 0")
    machine.reap()
    assert saved(machine) == [str(tree.place)]


@pytest.mark.parametrize("name", ["sync", "umount", "mount", "systemctl"])
def test_a_step_that_hangs_ends_with_its_time(machine: Reaped, tree: Tree, name: str) -> None:
    machine.settings |= {"least": 6, "margin": 0, "docker_timeout": 1}
    machine.notice(seconds=12)
    if name == "mount":
        machine.stub("umount", "exit 32")
    machine.stub(name, f'echo $$ >>"$TREE/pids"; {HANGS}')
    machine.reap()
    assert saved(machine) == [str(tree.place)]
    assert (machine.tree / "run/reap.done").exists()


def test_a_hook_may_leave_a_service_behind(machine: Reaped, tree: Tree) -> None:
    pids = machine.tree / "pids"
    machine.hook("service", f"tail -f /dev/null & echo $! >>'{pids}'; echo started")
    assert "started" in machine.reap()
    os.kill(int(pids.read_text()), 0)


def test_f11_however_much_a_hook_prints_the_first_of_it_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "loud"
    place.write_text("yes | head -c 30000000")
    place.chmod(0o755)
    program = programs.hook(str(place), 60, dict(os.environ))
    assert program.wait() == 0
    sizes = [0]
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            sizes += [handle.stat().st_size] * ("memfd:" in str(handle.readlink()))
    assert sum(sizes) <= programs.MOST_BYTES
    assert len(program.text()) == programs.MOST_BYTES


def test_nothing_is_left_of_a_hook_whose_time_is_over(machine: Reaped) -> None:
    """The hook goes when it is asked to, what it runs does not."""
    machine.settings["hook_timeout"] = 1
    pid = machine.tree / "pids"
    machine.hook("late", f"sh -c 'trap \"\" TERM; echo $$ >{pid}; exec tail -f /dev/null'; :")
    assert "late ended with 1" in machine.reap()
    place = Path(f"/proc/{pid.read_text().strip()}/cmdline")
    # A zombie has none
    await_true(lambda: not place.exists() or not place.read_bytes(), 10)


def test_a_directory_service_that_hangs_costs_a_moment(machine: Reaped, tree: Tree) -> None:
    machine.stub(
        "getent",
        f'[ "$1" = -s ] && {{ echo "me:x:$4:0:Me:{machine.home}:/bin/sh"; exit; }}\n{HANGS}',
    )
    machine.reap()
    assert saved(machine) == [str(tree.place)]


def test_a_tree_that_hangs_costs_no_other(machine: Reaped, tree: Tree) -> None:
    stuck = Tree(machine.array / "stuck")
    stuck.write("file", "changed\n")
    machine.stub("git", f'case $PWD in */stuck)\n{HANGS}\n;; esac\nexec /usr/bin/git "$@"')
    machine.notice(seconds=25)
    output = machine.reap()
    assert saved(machine) == [str(tree.place)]
    assert f"Not all of {stuck.place} was saved: there was no time for all of it." in output
    assert machine.steps == machine.all_steps


def test_mount_points_in_the_folders_are_not_touched(machine: Reaped, tree: Tree) -> None:
    """Whoever looks at a dead one hangs; another file system was never searched."""
    names = ("one", "deep/beside", "deep/a b/dead fs", "deep/a b/x", "deep/.hidden", "excluded/x")
    for name in names:
        (machine.array / name).parent.mkdir(parents=True, exist_ok=True)
        Tree(machine.array / name)
    dead = str(machine.array / "deep/a b/dead fs").replace(" ", "\\040")
    with (machine.tree / "proc/self/mountinfo").open("a") as file:
        file.write(f"3 1 8:3 / {dead} rw\n4 1 8:3 / {machine.array / 'excluded/x'} rw\n")
    machine.settings["excluded"] = machine.array / "excluded"

    paths = {each["path"] for each in machine.save()["trees"]}
    expected = {"project", "one", "deep/beside", "deep/a b/x", "deep/.hidden"}
    assert paths == {str(machine.array / name) for name in expected}


def test_whoever_is_first_at_the_scratch_keeps_nothing_from_being_saved(
    machine: Reaped, tree: Tree
) -> None:
    (machine.array / ".cloudtop-save").symlink_to("/nowhere")
    machine.reap()
    assert saved(machine) == [str(tree.place)]
    assert [place.name for place in machine.array.iterdir()] == [".cloudtop-save", "project"]


def test_nothing_that_others_wrote_is_interpreted(machine: Reaped, tree: Tree) -> None:
    """Fields of the notice, names of processes, files and trees, and what hooks print."""
    marker = machine.tree / "marker"
    texts = [text for text in corpus(marker) if len(text) < 200]
    machine.stub("umount", "exit 32")
    for number, text in enumerate(texts):
        holder = machine.tree / f"proc/{100 + number}"
        (holder / "fd").mkdir(parents=True)
        (holder / "cwd").symlink_to(machine.volume)
        (holder / "comm").write_bytes(text.encode(errors="surrogateescape") + b"\n")
        name = text.replace("/", "_").replace("\0", "")
        (machine.array / f"t{name}" / ".git").mkdir(parents=True)
    hook = machine.tree / "output"
    hook.write_bytes("\n".join(texts).encode(errors="surrogateescape"))
    machine.hook("talks", f"cat '{hook}'")
    with (
        hostile_tmux.tmux(machine.tree / "tmp") as server,
        server.client(machine.tree / "screen"),
    ):
        with (machine.tree / "run/spot-guard.notice").open("a") as file:
            file.write("".join(f"{field}={texts[0]}\n" for field in ("action", "why", "since")))
        output = machine.reap()
        assert server.ran_nothing(marker)
        assert "This machine's owner ends it (unknown)" in server.ask("show-messages")
    assert output.encode(errors="surrogateescape").translate(None, PRINTABLE) == b""
    assert (machine.tree / "wall").read_bytes().translate(None, PRINTABLE) == b""


def test_a_tmux_client_gets_nothing_of_roots(machine: Reaped) -> None:
    """It sends its whole environment to its server."""
    with hostile_tmux.mute(machine.tree / "tmp"):
        machine.stub("tmux", f'env >"{machine.tree}/environment"; exit 1')
        machine.reap()
    names = {line.partition("=")[0] for line in (machine.tree / "environment").open()}
    assert not names & {"TREE", *(name for name in names if name.startswith("GIT_"))}


def test_two_servers_of_one_user_are_told(machine: Reaped) -> None:
    tmp = machine.tree / "tmp"
    with (
        hostile_tmux.tmux(tmp, "a") as one,
        hostile_tmux.tmux(tmp, "b") as other,
        one.client(tmp / "1"),
        other.client(tmp / "2"),
    ):
        machine.reap()
        for server in (one, other):
            assert "EC2 takes this machine away" in server.ask("show-messages")
