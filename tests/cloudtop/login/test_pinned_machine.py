"""The machine to log in to: its key comes from the volume, and without one it is never asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudtop.aws.find import Machine, Request, Resources, Volume
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import HOST_KEY_TAG, PinnedMachine, machine_of, need_machine
from cloudtop.settings import clouds, settings

RUNNING = Machine("i-1", state="running", public_ip_address="127.77.0.5")


@pytest.fixture
def machine(tmp_path: Path) -> PinnedMachine:
    return PinnedMachine("box", "127.77.0.5", 2222, tmp_path / "id", tmp_path)


def resources(**parts: Any) -> Resources:
    return Resources(**{"request": None, "instance": None, "volume": None, **parts})


def test_command_comes_after_the_options(machine: PinnedMachine) -> None:
    argv = machine.arguments(["ls", "-l"])
    assert argv[-4:] == ["cloudtop-box", "--", "ls", "-l"]
    assert "StrictHostKeyChecking=yes" in argv


def test_refuses_to_log_in_without_pinned_key(machine: PinnedMachine) -> None:
    with pytest.raises(CloudtopError, match="not pinned"):
        machine.log_in([])


def test_ssh_without_machine_says_what_ec2_says(tmp_path: Path) -> None:
    request = Request("sir-1", "open", "price-too-low", "Your price is too low.")
    with pytest.raises(CloudtopError, match=r"sir-1 is open \(price-too-low: Your price") as no:
        need_machine(settings.load(), clouds.load("rehearsal"), resources(request=request))
    assert no.value.hint == "Try: python runner.py provision"


def test_new_laptop_takes_the_pinned_key_from_the_volumes_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    machine = need_machine(
        settings.load(),
        clouds.load("rehearsal"),
        resources(
            instance=RUNNING,
            volume=Volume("vol-1", tags={HOST_KEY_TAG: "ssh-ed25519 AAAA"}),
        ),
    )
    assert machine.known_hosts.read_text() == "cloudtop-cloudtop ssh-ed25519 AAAA\n"


@pytest.mark.parametrize("tag", ["", "ssh-ed25519", "ssh-ed25519 AAAA\n* ssh-ed25519 BBBB", "# x"])
def test_a_tag_that_is_no_key_is_pinned_nowhere(
    tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    volume = Volume("vol-1", tags={HOST_KEY_TAG: tag})
    machine = machine_of(settings.load(), clouds.load("rehearsal"), RUNNING, volume)
    assert machine is not None
    assert not machine.is_pinned


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ``ssh`` that runs its command here, and writes its arguments down."""
    program = tmp_path / "ssh"
    program.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" >"${0%/*}/words"\nfor last; do :; done\neval "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def test_a_machine_without_a_pinned_key_is_never_asked(machine: PinnedMachine, ssh: Path) -> None:
    assert machine.ask("true") is None
    assert not machine.has_other_key()
    machine.known_hosts.touch()
    assert machine.ask("true") is not None


def test_nobody_is_asked_while_a_program_asks_the_machine(
    machine: PinnedMachine, ssh: Path
) -> None:
    machine.known_hosts.touch()
    assert machine.ask("echo here", 7) == "here\n"
    words = ssh.with_name("words").read_text().splitlines()
    assert {"BatchMode=yes", "ConnectTimeout=7", "StrictHostKeyChecking=yes"} <= set(words)
    assert words[-3:-1] == ["cloudtop-box", "--"]


def test_only_a_refused_key_is_another_key(machine: PinnedMachine, ssh: Path) -> None:
    machine.known_hosts.touch()
    ssh.write_text("#!/bin/sh\necho 'Connection refused' >&2\nexit 255\n")
    assert not machine.has_other_key()
    ssh.write_text("#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n")
    assert machine.has_other_key()
