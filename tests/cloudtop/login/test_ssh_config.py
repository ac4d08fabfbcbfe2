"""OpenSSH's configuration: the key is pinned and checked, and other programs can use the block."""

from __future__ import annotations

import errno
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtop import paths
from cloudtop.commands import converge
from cloudtop.errors import CloudtopError
from cloudtop.login import ssh_config
from cloudtop.login.pinned_machine import PinnedMachine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinnedMachine:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    key, state = tmp_path / "my keys" / "id", tmp_path / "my state"
    return PinnedMachine("box", "127.77.0.5", 2222, key, state)


def test_openssh_reads_the_block_as_meant(machine: PinnedMachine, tmp_path: Path) -> None:
    block = tmp_path / "config"
    block.write_text(ssh_config.config_block(machine))
    options = subprocess.run(
        ["ssh", "-G", "-F", str(block), "cloudtop-box"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "hostname 127.77.0.5" in options
    assert "port 2222" in options
    assert "user ubuntu" in options
    assert "stricthostkeychecking true" in options
    assert "hostkeyalias cloudtop-box" in options
    assert f"identityfile {machine.key}" in options
    assert f"userknownhostsfile {machine.known_hosts}" in options


@pytest.mark.parametrize("home", ["Jane Doe", "O'Neil", 'the "boss"', "50 %h", "back\\slash"])
def test_f4_paths_of_any_home_are_one_word_for_openssh(home: str, tmp_path: Path) -> None:
    at_home = tmp_path / home
    machine = PinnedMachine("box", "127.77.0.5", 2222, at_home / ".ssh" / "id", at_home / "state")
    block = tmp_path / "config"
    block.write_text(ssh_config.config_block(machine))
    ways = (machine.arguments(), ["ssh", "-F", str(block), "cloudtop-box"])
    for argv in ways:
        done = subprocess.run(
            [argv[0], "-G", *argv[1:]], capture_output=True, text=True, check=True
        )
        options = dict(line.split(" ", 1) for line in done.stdout.splitlines())
        # OpenSSH expands the tokens of a key later, when it reads it
        assert options["identityfile"].replace("%%", "%") == str(machine.key)
        assert options["userknownhostsfile"] == str(machine.known_hosts)


def test_write_keeps_other_cloudtops_and_the_owners_config(
    machine: PinnedMachine, tmp_path: Path
) -> None:
    main = tmp_path / ".ssh" / "config"
    main.parent.mkdir()
    main.write_text("Host mine\n  User me\n")
    ssh_config.write_config(machine)
    ssh_config.write_config(PinnedMachine("other", "127.77.0.6", 2222, machine.key, machine.state))
    ssh_config.write_config(PinnedMachine("box", "127.77.0.9", 2222, machine.key, machine.state))
    written = paths.ssh_include_file().read_text()
    assert written.count("Host cloudtop-box") == 1
    assert "127.77.0.9" in written
    assert "127.77.0.5" not in written
    assert "Host cloudtop-other" in written
    assert main.read_text() == f"{ssh_config.INCLUDE}\n\nHost mine\n  User me\n"


def test_write_goes_through_a_link_into_dotfiles(machine: PinnedMachine, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles-config"
    real.write_text("")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").symlink_to(real)
    ssh_config.write_config(machine)
    assert (tmp_path / ".ssh" / "config").is_symlink()
    assert ssh_config.INCLUDE in real.read_text()


def test_a_block_that_was_written_is_renewed_with_a_new_address(machine: PinnedMachine) -> None:
    moved = PinnedMachine("box", "127.77.0.9", 2222, machine.key, machine.state)
    other = PinnedMachine("other", "127.77.0.6", 2222, machine.key, machine.state)
    assert ssh_config.renew_config(moved) is None
    assert not paths.ssh_include_file().exists()
    ssh_config.write_config(machine)
    ssh_config.write_config(other)
    assert ssh_config.renew_config(machine) is None
    assert ssh_config.renew_config(moved) == paths.ssh_include_file()
    written = paths.ssh_include_file().read_text()
    assert "127.77.0.5" not in written
    assert ssh_config.config_block(moved) in written
    assert ssh_config.config_block(other) in written


def moved(machine: PinnedMachine) -> PinnedMachine:
    return replace(machine, address="127.77.0.9")


def unwritable(path: Path) -> None:
    """Have the file lie where nobody may write, root neither: a link into a directory of /proc."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to("/proc/version")


def test_f16_a_read_only_config_is_a_sentence_and_the_block_to_paste(
    machine: PinnedMachine, tmp_path: Path
) -> None:
    main = tmp_path / ".ssh" / "config"
    unwritable(main)
    with pytest.raises(CloudtopError) as refused:
        ssh_config.write_config(machine)
    assert str(main) in refused.value.message
    assert ssh_config.INCLUDE in refused.value.hint
    assert ssh_config.config_block(machine) in refused.value.hint
    assert main.is_symlink()


def test_f16_a_provision_ends_well_though_the_block_cannot_be_renewed(
    machine: PinnedMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh_config.write_config(machine)
    before = paths.ssh_include_file().read_text()
    real = Path.open

    def full(path: Path, *words: Any, **named: Any) -> Any:
        if path.name.endswith(".cloudtop-new"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, *words, **named)

    monkeypatch.setattr(Path, "open", full)
    converge.renew(moved(machine))
    text = capsys.readouterr().out
    assert "Read-only file system" in text
    assert ssh_config.config_block(moved(machine)) in text
    assert paths.ssh_include_file().read_text() == before


@pytest.mark.parametrize(
    "line",
    ["Include config.d/*", "include ~/.ssh/config.d/cloudtop", 'Include "config.d/*" other',
     "Include=config.d/cloudtop"],
)  # fmt: skip
def test_f16_a_config_that_includes_the_block_in_other_words_stays(
    machine: PinnedMachine, tmp_path: Path, line: str
) -> None:
    main = tmp_path / ".ssh" / "config"
    main.parent.mkdir()
    main.write_text(f"# mine\n{line}\nHost *\n")
    ssh_config.write_config(machine)
    assert main.read_text() == f"# mine\n{line}\nHost *\n"


def test_f16_an_include_of_one_host_alone_does_not_count(
    machine: PinnedMachine, tmp_path: Path
) -> None:
    main = tmp_path / ".ssh" / "config"
    main.parent.mkdir()
    main.write_text("Host mine\n  Include config.d/*\n")
    ssh_config.write_config(machine)
    assert main.read_text().startswith(f"{ssh_config.INCLUDE}\n\nHost mine")


def test_f16_bytes_and_line_ends_of_somebody_elses_config_stay(
    machine: PinnedMachine, tmp_path: Path
) -> None:
    main = tmp_path / ".ssh" / "config"
    main.parent.mkdir()
    mine = b"Host \n# J\xfcrgen\r\nHost mine\r\n  User me\r\n"
    main.write_bytes(mine)
    paths.ssh_include_file().parent.mkdir()
    paths.ssh_include_file().write_bytes(mine)
    ssh_config.write_config(machine)
    assert main.read_bytes() == f"{ssh_config.INCLUDE}\n\n".encode() + mine
    assert ssh_config.config_block(machine) in paths.ssh_include_file().read_text(errors="replace")


def test_f16_links_in_a_circle_are_a_sentence(machine: PinnedMachine, tmp_path: Path) -> None:
    main = tmp_path / ".ssh" / "config"
    main.parent.mkdir()
    main.symlink_to(main)
    with pytest.raises(CloudtopError, match="could not be brought up to date"):
        ssh_config.write_config(machine)
