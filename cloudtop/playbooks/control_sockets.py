"""A short place for the sockets of ssh connections that Ansible shares between tasks."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

# unix(7) and macOS's sys/un.h: the path of a socket has 104 bytes on macOS (108 on Linux), with
# the byte that ends it. Ansible's names have a slash and 10 letters; ssh adds a dot and 16 until
# it has bound the socket (mux.c).
LONGEST = 104 - 1 - 11 - 17
# macOS's TMPDIR is long
SHORT = Path("/tmp")
DIRECTORY = "ANSIBLE_SSH_CONTROL_PATH_DIR"


def environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The variable that leads Ansible there; nothing if Ansible's or the owner's place will do."""
    if DIRECTORY in environ or "ANSIBLE_SSH_CONTROL_PATH" in environ or fits(home / ".ansible/cp"):
        return {}
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or "/nowhere")
    place = (runtime if is_private(runtime) else SHORT) / f"cloudtop-{os.getuid()}"
    if not fits(place):
        place = SHORT / place.name
    try:
        place.mkdir(mode=0o700)
    except FileExistsError:
        if not is_private(place):
            # Anybody may make a directory of that name
            place = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=SHORT))
    return {DIRECTORY: str(place)}


def fits(place: Path) -> bool:
    """Whether sockets can lie there; ssh expands tokens in their paths (ssh_config(5))."""
    return len(os.fsencode(place)) <= LONGEST and "%" not in str(place)


def is_private(place: Path) -> bool:
    """Whether it is a directory, no link, that only this user may enter."""
    try:
        status = place.lstat()
    except OSError:
        return False
    mine = status.st_uid == os.getuid() and not status.st_mode & 0o077
    return stat.S_ISDIR(status.st_mode) and mine
