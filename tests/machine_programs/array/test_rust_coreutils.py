"""Newer Ubuntu has coreutils and sudo written in Rust: what is asked of them, they have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.machine_programs.support.load import ROOT

# Options of both sudos (sudo-rs ignores -H, which is its default)
SUDO_OPTIONS = {"-H", "-S", "-n", "-u"}


def lines() -> Iterator[tuple[Path, str]]:
    """All lines that machines run, and those with which they are logged in to."""
    folders = [ROOT / "roles", ROOT / "cloudtop", ROOT / "playbooks", ROOT / "molecule"]
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.is_file() and path.suffix not in (".pyc", ".gz"):
            for line in path.read_text().splitlines():
                if not line.lstrip().startswith("#"):
                    yield path, line


def test_b14_no_sync_of_one_file_has_everything_written() -> None:
    # `sync FILE` of rust-coreutils writes all disks, at a notice the whole array;
    # with --data or --file-system it does as the other one does
    bad = [
        f"{path.name}: {line.strip()}"
        for path, line in lines()
        if re.search(r"""(^|[\s;&|"'])sync["']?,? +["']?[$/{]""", line)
    ]
    assert bad == []


def test_b14_sudo_gets_no_option_that_sudo_rs_lacks() -> None:
    bad = [
        f"{path.name}: {line.strip()}"
        for path, line in lines()
        for options in re.findall(r"\bsudo((?:[\"',]* +[\"']?-\w+)+)", line)
        if set(re.findall(r"-\w+", options)) - SUDO_OPTIONS
    ]
    assert bad == []
