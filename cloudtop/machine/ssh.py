"""Logging in: the argument list, and the block for ~/.ssh/config. Keys are pinned."""

from __future__ import annotations

import fnmatch
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloudtop import paths
from cloudtop.errors import CloudtopError

USER = "ubuntu"
INCLUDE = "Include config.d/cloudtop"
# OpenSSH's words if strict checking refuses (sshconnect2.c)
KEY_REFUSED = "Host key verification failed."


@dataclass(frozen=True)
class Target:
    """A machine as ssh reaches it: the cloudtop's name, its address, port and key.

    ``state`` is the cloudtop's directory on this computer, with the pinned host keys.
    """

    name: str
    address: str
    port: int
    key: Path
    state: Path

    @property
    def alias(self) -> str:
        """The name that the host key is pinned under; addresses change, it does not."""
        return f"cloudtop-{self.name}"

    @property
    def known_hosts(self) -> Path:
        return self.state / "known_hosts"

    def options(self) -> dict[str, str]:
        """OpenSSH options, in the order in which ``ssh-config`` prints them."""
        return {
            "HostName": self.address,
            "Port": str(self.port),
            "User": USER,
            "IdentityFile": _word(self.key),
            "IdentitiesOnly": "yes",
            "HostKeyAlias": self.alias,
            "UserKnownHostsFile": _word(self.known_hosts),
            "StrictHostKeyChecking": "yes",
            "ServerAliveInterval": "15",
        }


def arguments(target: Target, command: Sequence[str] = ()) -> list[str]:
    """The argument list of ``ssh``; ``command`` is joined as ssh itself does."""
    options = [word for key, value in target.options().items() for word in ("-o", f"{key}={value}")]
    return ["ssh", *options, target.alias, *(["--", *command] if command else [])]


def config_block(target: Target) -> str:
    """A block that OpenSSH, VS Code Remote, scp and rsync read."""
    lines = [f"  {key} {value}" for key, value in target.options().items()]
    return "\n".join([f"Host {target.alias}", *lines]) + "\n"


def write_config(target: Target) -> Path:
    """Put the block in the include file, in place of the one of the same cloudtop.

    ~/.ssh/config gets one ``Include`` line at its top if it has none: OpenSSH takes
    the first value it finds. Raises CloudtopError with what to paste if a file cannot be
    read or written: either may be a link into a read-only store, or somebody else's.
    """
    include = paths.ssh_include_file()
    main = include.parent.parent / "config"
    block = config_block(target)
    with _readable(include, f"Put this into your ssh configuration, at its top:\n\n{block}"):
        include.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = [each for each in _blocks(_read(include)) if _host(each) != target.alias]
        _replace(include, "\n".join([*kept, block]))
    paste = f"Put this line at its top: {INCLUDE}\nOr put this into it, at its top:\n\n{block}"
    with _readable(main, paste):
        text = _read(main)
        if not _includes(text, include):
            _replace(main, f"{INCLUDE}\n\n{text}" if text else f"{INCLUDE}\n")
    return include


def renew_config(target: Target) -> Path | None:
    """Bring a block that was written before up to date; None if nothing had to change.

    Raises CloudtopError as ``write_config`` does.
    """
    include, block = paths.ssh_include_file(), config_block(target)
    with _readable(include, f"Put this into your ssh configuration, at its top:\n\n{block}"):
        old = [each for each in _blocks(_read(include)) if _host(each) == target.alias]
    # A cloudtop of the same name in another cloud or account keeps its block
    old = [each for each in old if _word(target.known_hosts) in each]
    return write_config(target) if old and old != [block] else None


def ask(target: Target, command: str, seconds: int = 60, connect: int | None = None) -> str | None:
    """The output of a command on the machine; None if it cannot be asked.

    It may take ``connect`` seconds (or ``seconds``) to answer, and twice ``seconds`` in all.
    """
    done = _run(target, command, seconds, connect or seconds)
    return done.stdout if done and done.returncode == 0 else None


def key_differs(target: Target) -> bool:
    """Whether what answers there has another host key than the pinned ones."""
    done = _run(target, "true", 10, 10)
    return done is not None and done.returncode == 255 and KEY_REFUSED in done.stderr


def _run(
    target: Target, command: str, seconds: int, connect: int
) -> subprocess.CompletedProcess[str] | None:
    """A command on the machine, with nobody asked; None if it does not end in time."""
    argv = arguments(target, [command])
    argv[1:1] = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={connect}"]
    try:
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=seconds * 2,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def log_in(target: Target, command: Sequence[str]) -> None:
    """Become ssh. Raises CloudtopError if the host key was never pinned here."""
    if not target.known_hosts.exists():
        raise CloudtopError(
            f"The host key of the cloudtop {target.name!r} is not pinned on this computer.",
            "Try: python runner.py converge",
        )
    os.execvp("ssh", arguments(target, command))


def _word(path: Path) -> str:
    """A path as one word of an OpenSSH option: ssh_config(5), and argv_split of its misc.c.

    OpenSSH takes several files after these options, and expands tokens such as ``%h``.
    """
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"'


def _blocks(text: str) -> list[str]:
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("Host "):
            blocks.append([])
        if line.strip() and blocks:
            blocks[-1].append(line)
    return ["\n".join(block) + "\n" for block in blocks]


def _host(block: str) -> str:
    return block.partition("\n")[0].removeprefix("Host ").strip()


def _includes(text: str, file: Path) -> bool:
    """Whether the configuration includes a file for every host, in whatever words."""
    place = file.parent.parent
    for line in text.splitlines():
        key, *words = line.replace("=", " ", 1).split() or [""]
        if key.lower() in ("host", "match"):
            return False
        for word in words if key.lower() == "include" else ():
            # Relative ones begin in ~/.ssh (ssh_config(5))
            pattern = word.strip('"').replace("~", str(place.parent), 1)
            if fnmatch.fnmatchcase(str(file), str(place / pattern)):
                return True
    return False


@contextmanager
def _readable(path: Path, paste: str) -> Iterator[None]:
    """Say which file could not be read or written, and what to paste."""
    try:
        yield
    # Path.resolve raises RuntimeError for links in a circle, before Python 3.13
    except (OSError, RuntimeError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        raise CloudtopError(
            f"{path} could not be brought up to date ({why}), so ssh, scp and VS Code may not know"
            " the cloudtop's address.",
            paste,
        ) from error


def _read(path: Path) -> str:
    """A file as it is, whatever its encoding and line ends; empty if there is none."""
    if not path.exists():
        return ""
    with path.open(errors="surrogateescape", encoding="utf-8", newline="") as file:
        return file.read()


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    # ~/.ssh/config may be a link into somebody's dotfiles: write what it points to
    real = path.resolve()
    new = real.with_name(real.name + ".cloudtop-new")
    try:
        with new.open("w", errors="surrogateescape", encoding="utf-8", newline="") as file:
            file.write(text)
        new.chmod(mode)
        new.replace(real)
    except OSError:
        new.unlink(missing_ok=True)
        raise
