"""The cloudtop in OpenSSH's own configuration, for ssh, scp, rsync and VS Code."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudtop import paths
from cloudtop.errors import CloudtopError
from cloudtop.login.pinned_machine import PinnedMachine, option_word

INCLUDE = "Include config.d/cloudtop"


def config_block(machine: PinnedMachine) -> str:
    """A block that OpenSSH, VS Code Remote, scp and rsync read."""
    lines = [f"  {key} {value}" for key, value in machine.options().items()]
    return "\n".join([f"Host {machine.alias}", *lines]) + "\n"


def write_config(machine: PinnedMachine) -> Path:
    """Put the block in the include file, in place of the one of the same cloudtop.

    ~/.ssh/config gets one ``Include`` line at its top if it has none: OpenSSH takes
    the first value it finds. Raises CloudtopError with what to paste if a file cannot be
    read or written: either may be a link into a read-only store, or somebody else's.
    """
    include = paths.ssh_include_file()
    main = include.parent.parent / "config"
    block = config_block(machine)
    with _readable(include, f"Put this into your ssh configuration, at its top:\n\n{block}"):
        include.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = [each for each in _blocks(_read(include)) if _host(each) != machine.alias]
        _replace(include, "\n".join([*kept, block]))
    paste = f"Put this line at its top: {INCLUDE}\nOr put this into it, at its top:\n\n{block}"
    with _readable(main, paste):
        text = _read(main)
        if not _includes(text, include):
            _replace(main, f"{INCLUDE}\n\n{text}" if text else f"{INCLUDE}\n")
    return include


def renew_config(machine: PinnedMachine) -> Path | None:
    """Bring a block that was written before up to date; None if nothing had to change.

    Raises CloudtopError as ``write_config`` does.
    """
    include, block = paths.ssh_include_file(), config_block(machine)
    with _readable(include, f"Put this into your ssh configuration, at its top:\n\n{block}"):
        old = [each for each in _blocks(_read(include)) if _host(each) == machine.alias]
    # A cloudtop of the same name in another cloud or account keeps its block
    old = [each for each in old if option_word(machine.known_hosts) in each]
    return write_config(machine) if old and old != [block] else None


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
