"""How host keys are read off a console, and what counts as an ssh server."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.machine_programs.support import load

console = load.module("ec2_host_key_plan")
ssh_answers = load.module("ssh_answers")
pinned_key = load.module("ansible.module_utils.looks.pinned_key")
ssh_banner = load.module("ansible.module_utils.looks.ssh_banner")


@pytest.fixture(scope="module")
def public_keys(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Real public keys, as cloud-init prints them."""
    directory = tmp_path_factory.mktemp("keys")
    for kind in ("ed25519", "ecdsa"):
        argv = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "root@ip-10-0-0-1"]
        subprocess.run([*argv, "-f", str(directory / kind)], check=True)
    return [path.read_text().strip() for path in sorted(directory.glob("*.pub"))]


def block(*lines: str) -> str:
    text = "\r\n".join(lines)
    return f"-----BEGIN SSH HOST KEY KEYS-----\r\n{text}\r\n-----END SSH HOST KEY KEYS-----\r\n"


def bare(keys: list[str]) -> list[str]:
    return [" ".join(key.split()[:2]) for key in keys]


def test_reads_host_keys_off_a_console(public_keys: list[str]) -> None:
    text = f"[   12.3] cloud-init[456]: ok\r\n{block(*public_keys)}[   20.0] login:"
    assert console.host_keys(text) == bare(public_keys)


def test_the_latest_boot_counts(public_keys: list[str]) -> None:
    assert console.host_keys(block(public_keys[0]) + block(public_keys[1])) == bare(public_keys[1:])


def test_half_a_block_is_none(public_keys: list[str]) -> None:
    text = block(*public_keys)
    assert console.host_keys(text[: text.index("-----END")]) == []


def test_a_key_that_a_kernel_message_cut_is_none(public_keys: list[str]) -> None:
    cut = public_keys[1][:40] + "[   13.37] random: crng init done" + public_keys[1][40:]
    assert console.host_keys(block(public_keys[0], cut)) == bare(public_keys[:1])


def test_a_key_that_was_cut_is_believed_by_its_fingerprint(
    public_keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.pub"
    file.write_text(public_keys[1])
    fingerprint = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(file)], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    cut = block(public_keys[1][:40] + "[   13.37] random: crng init done" + public_keys[1][40:])
    keyscan(tmp_path, f"[127.0.0.1]:2222 {bare(public_keys)[1]}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    shown = f"{cut}[   14.1] cloud-init[9]: {fingerprint} root@ip-10-0-0-1\r\n"
    assert console.known_keys(shown, "127.0.0.1", 2222) == [bare(public_keys)[1]]
    assert (tmp_path / "asked").read_text().split()[-3:] == ["-p", "2222", "127.0.0.1"]
    # Not without the fingerprint, nor by that of another key, nor where nobody is to be asked
    assert console.known_keys(cut, "127.0.0.1", 2222) == []
    other = shown.replace(fingerprint, f"SHA256:{'A' * 43}")
    assert console.known_keys(other, "127.0.0.1", 2222) == []
    assert console.known_keys(shown, "", 22) == []


def test_nobody_is_asked_for_a_key_that_the_console_shows(
    public_keys: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyscan(tmp_path, "")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    text = f"{block(*public_keys)}SHA256:{'A' * 43}"
    assert console.known_keys(text, "127.0.0.1", 2222) == bare(public_keys)
    assert not (tmp_path / "asked").exists()


def keyscan(place: Path, answer: str) -> None:
    """A network in which the server offers that key."""
    program = place / "ssh-keyscan"
    program.write_text(f'#!/bin/sh\necho "$*" >"{place}/asked"\necho "{answer}"\n')
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "banner"),
    [(b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0-OpenSSH_9.2"), (b"HTTP/1.1 400\r\n", ""), (b"", "")],
)
def test_only_ssh_is_ssh(says: bytes, banner: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(says)

        threading.Thread(target=answer, daemon=True).start()
        port = server.getsockname()[1]
        if banner:
            assert ssh_answers.banner_at("127.0.0.1", port) == banner
        else:
            with pytest.raises(OSError, match=r"and not SSH-2\.0"):
                ssh_answers.banner_at("127.0.0.1", port)


READ, KEY, OTHER = "# i-1 of sir-1", "ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 BBBB"
PINNED = f"{READ}\ncloudtop-box {KEY}\ncloudtop-box {OTHER}\n"


@pytest.mark.parametrize(
    ("text", "key", "pinned"),
    [
        ("", KEY, False),
        (PINNED, KEY, True),
        (PINNED, OTHER, True),
        # Nobody else has a key yet, so the volume has to get one
        (PINNED, "", False),
        # Another machine's console was read
        (PINNED.replace("i-1", "i-2"), KEY, False),
        (PINNED.replace("sir-1", "sir-2"), KEY, False),
        # Another key is pinned, another cloudtop's, or half of it
        (PINNED.replace("AAAA", "CCCC"), KEY, False),
        (PINNED.replace("cloudtop-box", "cloudtop-boxes"), KEY, False),
        (PINNED, f"{KEY}A", False),
        (PINNED, KEY[:-1], False),
    ],
)
def test_a_machine_whose_key_is_pinned_is_not_looked_at_again(
    text: str, key: str, pinned: bool
) -> None:
    assert console.is_pinned(text, "box", console.mark("i-1", "sir-1"), key) is pinned


@pytest.mark.parametrize(
    ("pinned", "keys", "key"),
    [
        ("", [], ""),
        ("", [OTHER], ""),
        ("", [OTHER, KEY], KEY),
        # The known one stays, whatever the machine says
        ("ssh-ed25519 CCCC", [OTHER, KEY], "ssh-ed25519 CCCC"),
        ("ssh-ed25519 CCCC", [], "ssh-ed25519 CCCC"),
    ],
)
def test_which_key_is_pinned(pinned: str, keys: list[str], key: str) -> None:
    assert console.key_to_pin(pinned, keys) == key


def test_the_file_has_the_key_first_and_each_once() -> None:
    assert console.content("box", READ, KEY, [OTHER, KEY]) == PINNED
    assert console.content("box", READ, KEY, []) == f"{READ}\ncloudtop-box {KEY}\n"


@pytest.mark.parametrize("changed", ["", "instance_id", "request", "name", "pinned", "known_hosts"])
def test_a_key_that_is_pinned_here_needs_no_module(
    public_keys: list[str], tmp_path: Path, changed: str
) -> None:
    file, key = tmp_path / "pins", bare(public_keys)[0]
    file.write_text(console.content("box", READ, key, []))
    options = {
        "name": "box",
        "instance_id": "i-1",
        "request": "sir-1",
        "pinned": key,
        "known_hosts": str(file),
    }
    answer = pinned_key.answer({**options, **({changed: "other"} if changed else {})})
    assert answer == (None if changed else {"step": "keep", "key": key})


def test_a_tag_that_is_no_key_is_for_the_module_to_refuse(tmp_path: Path) -> None:
    file, tag = tmp_path / "pins", "ssh-ed25519 AAAA\ncloudtop-other ssh-ed25519 BBBB"
    file.write_text(console.content("box", READ, tag, []))
    options = {"name": "box", "instance_id": "i-1", "request": "sir-1", "pinned": tag}
    assert pinned_key.answer({**options, "known_hosts": str(file)}) is None


def test_a_server_that_answers_at_once_needs_no_module_that_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        threading.Thread(target=greet, daemon=True).start()
        options = {"host": "127.0.0.1", "port": str(server.getsockname()[1])}
        assert ssh_banner.answer(options) == {"banner": "SSH-2.0-OpenSSH_9.2", "trouble": ""}
    assert ssh_banner.answer(options) is None
