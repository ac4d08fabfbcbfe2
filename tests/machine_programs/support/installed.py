"""The programs of the machine: where the roles have them, and where a machine gets them."""

from __future__ import annotations

import functools
import os
import re
import tempfile
from pathlib import Path

from tests.machine_programs.support.load import ROOT

LIB = "/usr/local/lib/cloudtop"
PACKAGE = ROOT / "roles/machine_programs/files"
# In variables and in tasks
_ENTRY = re.compile(
    r"- path: (\S+)\n\s+content: \"\{\{ lookup\('ansible\.builtin\.file', '([^']+)'"
)


@functools.cache
def files() -> dict[str, Path]:
    """The source of each file by its path on a machine, as the roles say."""
    return {
        path: ROOT / "roles" / place.parts[-3] / "files" / name
        for place in sorted((ROOT / "roles").glob("*/[tv]a*/main.yml"))
        for path, name in _ENTRY.findall(place.read_text())
    }


def program(name: str) -> Path:
    """The source of a program by its name on a machine."""
    (source,) = {source for path, source in files().items() if Path(path).name == name}
    return source


def lib(tree: Path) -> Path:
    """A directory with what a machine has in /usr/local/lib/cloudtop."""
    place = tree / "lib"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(_shared_lib().name)
    return place


@functools.cache
def _shared_lib() -> tempfile.TemporaryDirectory[str]:
    """One for all machines until the tests end: each would compile all modules for itself."""
    directory = tempfile.TemporaryDirectory(prefix="cloudtop-lib-")
    place = Path(directory.name)
    # Other users' processes read it, too
    place.chmod(0o755)
    for path, source in files().items():
        if path.startswith(f"{LIB}/"):
            link = place / path.removeprefix(f"{LIB}/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)
    return directory


def argv(source: Path) -> list[str]:
    """How a program is started, as its first line says; its modules are those of the roles."""
    python = source.read_text().startswith("#!/usr/bin/python3 -IS\n")
    # Isolated it would not see PYTHONPATH, which stands for /usr/local/lib/cloudtop
    return [*(("/usr/bin/python3", "-S") if python else ("sh",)), str(source)]


def argv_with_clock(source: Path) -> list[str]:
    """The same with the pauses of the tree's own ``sleep``."""
    *program, place = argv(source)
    clock = Path(__file__).with_name("with_the_trees_clock.py")
    return [*program, *([] if program == ["sh"] else [str(clock)]), place]


def environ(tree: Path) -> dict[str, str]:
    """The environment of a program: the tree's own programs come before the real ones."""
    return {
        "PATH": f"{tree / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
        "TREE": str(tree),
        "HOME": os.devnull,
        "PYTHONPATH": str(PACKAGE),
    }
