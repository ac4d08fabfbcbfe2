"""All that the roles want of a machine in one run of one module, and what a role says itself."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.machine.fake_machine import FakeMachine
from tests.roles.plays import ROOT

FACTS = {
    "spot_request_facts": {
        "id": "sir-1",
        "instance": "machine",
        "instance_type": "m5d.large",
        "disks": 1,
        "host_key": "",
        "profile": "p",
    },
    "persistent_volume_facts": {"id": "vol-1", "size": 10, "tags": {"cloudtop:formatted": "ext4"}},
}
KNOW = {
    "hosts": "localhost",
    "gather_facts": False,
    "tasks": [{"ansible.builtin.set_fact": FACTS}],
}
CONVERGE = yaml.safe_load((ROOT / "playbooks/machine.yml").read_text())[1]
WHOLE = [KNOW, {**CONVERGE, "hosts": "machine"}]
ROLES = CONVERGE["roles"]
EVERY = [*ROLES, "packages", "dotfiles"]


def only(*roles: str, **more: Any) -> list[Any]:
    """A playbook of these roles."""
    return [KNOW, {"hosts": "machine", "roles": list(roles), **more}]


def tagged() -> list[Any]:
    """The whole one, each role with its name for a tag."""
    play = copy.deepcopy(WHOLE[1])
    play["roles"] = [{"role": role, "tags": [role]} for role in ROLES]
    return [{**KNOW, "tags": ["always"]}, play]


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine")


@pytest.fixture
def converged(machine: FakeMachine) -> FakeMachine:
    """It has all, and the dotfiles."""
    machine.has_the_dotfiles()
    first = machine.play(WHOLE, cloudtop_packages=["ripgrep"])
    assert first.code == 0, first.text
    # Nothing happens on the machine between the roles, so one run is enough for what differs, too
    assert first.starts == 1
    assert first.of("changed") == [*ROLES, "packages"]
    return machine


def test_nothing_to_do_is_one_start_of_python_on_the_machine(converged: FakeMachine) -> None:
    again = converged.play(WHOLE, cloudtop_packages=["ripgrep"])
    assert again.code == 0, again.text
    assert (again.starts, again.channels) == (1, 1)
    assert again.of("changed") == []
    assert {*again.of("ok")} == {*EVERY}


def test_only_the_role_that_changes_something_says_so(converged: FakeMachine) -> None:
    converged.file("etc/tmux.conf").unlink()
    converged.file("etc/docker/daemon.json").unlink()
    again = converged.play(WHOLE, cloudtop_packages=["ripgrep"])
    assert again.of("changed") == ["docker", "tmux"]
    assert again.starts == 1


def test_check_mode_is_one_run_too_and_changes_nothing(machine: FakeMachine) -> None:
    machine.has_the_dotfiles()
    dry = machine.play(WHOLE, "--check", cloudtop_packages=["ripgrep"])
    assert dry.code == 0, dry.text
    assert dry.starts == 1
    assert dry.of("changed") == [*ROLES, "packages"]
    assert not machine.file("etc/tmux.conf").exists()


def test_a_failing_role_says_so_itself_and_what_always_runs_still_does(
    converged: FakeMachine,
) -> None:
    """As with a run for each role, those after it are left alone."""
    (converged.tree / "fails/docker.service").touch()
    (converged.tree / "units/docker.service").unlink()
    for path in ("etc/cloudtop/spot-guard.conf", "etc/tmux.conf"):
        converged.file(path).unlink()
    failed = converged.play(WHOLE)
    assert failed.code != 0
    assert "systemctl start docker.service failed" in failed.text
    assert failed.of("fatal") == ["docker"]
    assert "spot_guard" in failed.of("changed")
    assert not converged.file("etc/tmux.conf").exists()
    # Mended, the next run does the rest
    (converged.tree / "fails/docker.service").unlink()
    assert converged.play(WHOLE).of("changed") == ["docker", "tmux"]


def test_a_volume_that_takes_no_work_costs_what_the_owner_adds_nothing(
    machine: FakeMachine,
) -> None:
    machine.has_the_dotfiles()
    machine.look("full")
    played = machine.play(WHOLE, cloudtop_packages=["ripgrep"])
    assert played.of("fatal") == ["persistent_mount"]
    assert "The volume is full." in played.text
    assert "packages" in played.of("changed")
    assert "dotfiles" in played.of("ok")
    assert played.starts == 1


def test_a_role_is_run_alone_by_its_tag_or_a_playbook_of_its_own(machine: FakeMachine) -> None:
    # Tags of roles do not reach what the owner adds
    tag = machine.play(tagged(), "--tags", "docker")
    assert tag.of("changed") == ["docker"], tag.text
    assert tag.starts == 1
    assert not machine.file("etc/tmux.conf").exists()
    alone = machine.play(only("tmux"))
    assert alone.of("changed") == ["tmux"]
    assert alone.starts == 1


def test_what_is_skipped_is_not_done_ahead(machine: FakeMachine) -> None:
    machine.has_the_dotfiles()
    played = machine.play(tagged(), "--skip-tags", "docker,tmux")
    assert played.code == 0, played.text
    assert {"docker", "tmux"}.isdisjoint({*played.of("changed"), *played.of("ok")})
    assert not machine.file("etc/tmux.conf").exists()
    assert not machine.file("etc/docker/daemon.json").exists()


def test_a_run_that_is_killed_on_the_machine_is_gone_on_with(machine: FakeMachine) -> None:
    machine.has_the_dotfiles()
    (machine.tree / "kills/docker.service").touch()
    killed = machine.play(WHOLE)
    assert killed.code != 0
    assert not machine.file("etc/tmux.conf").exists()
    again = machine.play(WHOLE)
    assert again.code == 0, again.text
    assert again.of("changed") == ["docker", "tmux"]
    assert machine.play(WHOLE).of("changed") == []


def test_a_role_whose_arguments_are_refused_is_not_done_ahead(machine: FakeMachine) -> None:
    """Its specification says so before its task, as when it is run alone."""
    played = machine.play(only("tmux", "docker"), docker_packages={"no": "list"})
    assert played.of("fatal") == ["docker"]
    assert not machine.file("etc/docker/daemon.json").exists()
    assert machine.file("etc/tmux.conf").exists()


def state(path: str, content: str, **more: Any) -> dict[str, Any]:
    """A task that wants one file."""
    return {
        "name": path,
        "machine_state": {"files": [{"path": path, "content": content}]},
        "become": True,
        **more,
    }


def tasks(*wanted: dict[str, Any]) -> list[Any]:
    return [{"hosts": "machine", "gather_facts": False, "tasks": list(wanted)}]


def test_a_task_that_acts_on_the_machine_comes_between(machine: FakeMachine) -> None:
    """Another module: the run before it does nothing of what comes after it."""
    played = machine.play(
        tasks(state("/etc/a", "1"), {"ansible.builtin.stat": {"path": "/"}}, state("/etc/b", "2"))
    )
    assert played.code != 0
    assert machine.file("etc/a").exists()
    assert not machine.file("etc/b").exists()


def test_what_an_earlier_task_learns_is_waited_for(machine: FakeMachine) -> None:
    played = machine.play(
        tasks(
            state("/etc/a", "1", register="first"),
            state("/etc/b", "{{ first.done | join }}"),
            state("/etc/c", "{{ first.done | default(['too early']) | join }}"),
        )
    )
    assert played.code == 0, played.text
    assert machine.file("etc/b").read_text() == "made /etc/a"
    assert machine.file("etc/c").read_text() == "made /etc/a"
    # c was gathered with the second, when the first had run
    assert played.starts == 2


def test_arguments_that_are_others_by_then_are_applied(machine: FakeMachine) -> None:
    played = machine.play(
        tasks(
            state("/etc/a", "1", register="first"),
            state("/etc/c", "{{ first is defined | ternary('now', 'then') }}"),
        )
    )
    assert played.code == 0, played.text
    assert machine.file("etc/c").read_text() == "now"


def test_no_user_of_become_is_taken_along_by_another(machine: FakeMachine) -> None:
    played = machine.play(
        tasks(state("/etc/a", "1"), state("/etc/b", "2", become=False), state("/etc/c", "3"))
    )
    assert played.code == 0, played.text
    assert played.starts == 3


def test_an_assertion_that_holds_keeps_nothing_from_being_taken_along(
    machine: FakeMachine,
) -> None:
    yes = {"ansible.builtin.assert": {"that": "wanted == 1"}, "vars": {"wanted": 1}}
    not_asked = {"ansible.builtin.assert": {"that": "unknown"}, "when": "1 == 2"}
    played = machine.play(tasks(state("/etc/a", "1"), yes, not_asked, state("/etc/b", "2")))
    assert played.code == 0, played.text
    assert played.starts == 1


def test_a_failing_assertion_keeps_what_comes_after_it_from_the_machine(
    machine: FakeMachine,
) -> None:
    no = {"ansible.builtin.assert": {"that": "1 == 2"}}
    played = machine.play(tasks(state("/etc/a", "1"), no, state("/etc/b", "2")))
    assert played.code != 0
    assert not machine.file("etc/b").exists()
    block = {"block": [no, state("/etc/c", "3")], "always": [state("/etc/d", "4")]}
    played = machine.play(tasks(state("/etc/a", "1"), block))
    assert not machine.file("etc/c").exists()
    assert machine.file("etc/d").exists()
