"""Files and directories of a machine: how they are, how they should be, the change between."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any


class MachineError(Exception):
    """One plain sentence about what the machine could not be made into."""


@dataclass(frozen=True)
class Entry:
    """One wanted path below the root.

    ``kind`` is ``file``, ``directory`` or ``absent``; ``content`` is None for all but
    files; ``owner`` and ``group`` are names, None to leave them; ``mode`` is a number. With
    ``keys`` the file is a JSON object that has these keys beside those that others wrote.
    """

    path: str
    kind: str = "file"
    content: bytes | None = None
    owner: str | None = "root"
    group: str | None = "root"
    mode: int = 0o644
    keys: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Change:
    """The change that one path needs, with the texts that a diff shows."""

    entry: Entry
    sentence: str
    before: str
    after: str
    content_differs: bool


def entry_from(kind: str, options: dict[str, Any]) -> Entry:
    """The Entry of a module's dictionary. Raises MachineError for a mode that is no octal text."""
    mode = options.get("mode") or ("0755" if kind == "directory" else "0644")
    path = options["path"]
    if not path.startswith("/") or os.path.normpath(path) != path:
        raise MachineError(f"The path {path!r} has to be absolute and in its shortest form.")
    try:
        number = int(mode, 8)
    except ValueError as error:
        raise MachineError(f"The mode {mode!r} of {path} is no octal number.") from error
    if kind == "file" and options.get("state") == "absent":
        return Entry(path, "absent")
    content, keys = options.get("content"), options.get("keys")
    if kind == "file" and content is None and keys is None:
        raise MachineError(f"The file {path} is given without content.")
    return Entry(
        path=path,
        kind=kind,
        content=None if kind == "directory" or content is None else str(content).encode(),
        owner=options.get("owner"),
        group=options.get("group"),
        mode=number,
        keys=keys,
    )


def with_keys(entry: Entry, now: bytes | None) -> Entry:
    """The entry with its content: the object that is there now, and its own keys.

    Raises MachineError if what is there is no JSON object.
    """
    if entry.keys is None:
        return entry
    try:
        theirs = json.loads(now) if now and now.strip() else {}
    except ValueError:
        theirs = None
    if not isinstance(theirs, dict):
        raise MachineError(
            f"{entry.path} is no JSON object, so nothing can be added to it: mend or remove it."
        )
    whole = {**theirs, **entry.keys}
    text = json.dumps(whole, indent=4, sort_keys=True) + "\n"
    return replace(entry, content=now if now and whole == theirs else text.encode())


def inside(root: Path, path: str) -> Path:
    """The place of an absolute path below ``root``."""
    return root / path.lstrip("/")


def digest(root: Path, path: str) -> str:
    """A digest of the file's content; ``absent`` if there is no file."""
    place = inside(root, path)
    return hashlib.sha256(place.read_bytes()).hexdigest() if place.is_file() else "absent"


def _uid(entry: Entry) -> int:
    if entry.owner is None:
        return -1
    try:
        return pwd.getpwnam(entry.owner).pw_uid
    except KeyError as error:
        raise MachineError(
            f"{entry.path} should belong to {entry.owner}, and there is no such user."
        ) from error


def _gid(entry: Entry) -> int:
    if entry.group is None:
        return -1
    try:
        return grp.getgrnam(entry.group).gr_gid
    except KeyError as error:
        raise MachineError(
            f"{entry.path} should be of group {entry.group}, and there is no such group."
        ) from error


def _attributes(mode: int, uid: int, gid: int) -> str:
    return f"mode {mode:04o}, owner {uid}, group {gid}"


def _plan_absent(entry: Entry, status: os.stat_result | None) -> Change | None:
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise MachineError(f"{entry.path} should be absent, but it is a directory: not removed.")
    return Change(entry, f"removed {entry.path}", "present\n", "absent\n", True)


def plan(root: Path, entry: Entry) -> Change | None:
    """The change that makes ``entry`` true below ``root``, None when it is true already.

    Raises MachineError for an unknown owner, or if something of another kind is in the way.
    """
    place = inside(root, entry.path)
    try:
        status = place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        status = None
    if entry.kind == "absent":
        return _plan_absent(entry, status)
    wanted_kind = stat.S_IFDIR if entry.kind == "directory" else stat.S_IFREG
    if status is not None and stat.S_IFMT(status.st_mode) != wanted_kind:
        raise MachineError(f"{entry.path} should be a {entry.kind}, but something else is there.")
    uid, gid = _uid(entry), _gid(entry)
    if status is None:
        entry = with_keys(entry, None)
        after = _attributes(entry.mode, max(uid, 0), max(gid, 0))
        text = (entry.content or b"").decode(errors="replace")
        return Change(entry, f"made {entry.path}", "", f"{after}\n{text}", True)
    is_now = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    to_be = (
        entry.mode,
        status.st_uid if uid < 0 else uid,
        status.st_gid if gid < 0 else gid,
    )
    content = place.read_bytes() if entry.kind == "file" else None
    entry = with_keys(entry, content)
    if is_now == to_be and content == entry.content:
        return None
    texts = [(part or b"").decode(errors="replace") for part in (content, entry.content)]
    return Change(
        entry,
        f"changed {entry.path}",
        f"{_attributes(*is_now)}\n{texts[0]}",
        f"{_attributes(*to_be)}\n{texts[1]}",
        content != entry.content,
    )


def apply(root: Path, change: Change) -> None:
    """Make the change. A file is replaced whole: a power cut leaves the old one or the new one."""
    entry = change.entry
    place = inside(root, entry.path)
    if entry.kind == "absent":
        place.unlink()
        return
    uid, gid = _uid(entry), _gid(entry)
    if entry.kind == "directory":
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        os.chown(place, uid, gid)
        place.chmod(entry.mode)
        return
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = place.with_name(f".{place.name}.cloudtop")
    fresh.touch(mode=0o600)
    with fresh.open("wb") as stream:
        stream.write(entry.content or b"")
        stream.flush()
        os.fchown(stream.fileno(), uid, gid)
        os.fchmod(stream.fileno(), entry.mode)
        os.fsync(stream.fileno())
    fresh.replace(place)
