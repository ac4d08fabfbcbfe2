"""scrub_image.py: links of the copy lead to the copy, never to the machine that runs it.

Beside the copy stands a tree ``live`` to which the copy's links lead for whoever follows them
from outside. In the copy's own root the same links lead to the copy's ``/live``, if to anything.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import stat
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine_programs.support.load import ROOT
from tests.machine_programs.support.root_copy import USED, VOLUME, Copy

CLEAN = f"The copy on {VOLUME} holds nothing of this one machine."
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
# Links of the copy as people make them, by what they stand for: to directories and to files
LINKED = {
    "etc/ssh": "ssh",
    "var/log": "log",
    "tmp": "tmp",
    "var/tmp": "var-tmp",
    "var/lib/cloud": "cloud",
    "var/lib/dbus": "dbus",
    "var/lib/dhcp": "dhcp",
    "var/cache/apt": "apt",
    "etc/netplan": "netplan",
    "home/ubuntu/.ssh": "keys",
    "home/second": "second",
    "root": "root",
    "etc/machine-id": "machine-id",
    "etc/fstab": "fstab",
    "etc/mdadm/mdadm.conf": "mdadm.conf",
    "etc/hostname": "hostname",
    "home/ubuntu/.bash_history": "history",
}
# The files at the ends of the links
TARGETS = {
    "ssh/ssh_host_rsa_key": "secret of this host\n",
    "log/auth.log": "who came\n",
    "log/deep/journal": "who came\n",
    "log/journal/0123/system.journal": "secrets\n",
    "tmp/left": "over\n",
    "tmp/.hidden": "over\n",
    "var-tmp/left": "over\n",
    "cloud/instance/boot-finished": "yes\n",
    "dbus/machine-id": "0123456789abcdef\n",
    "dhcp/lease": "10.0.0.10\n",
    "apt/archives/x.deb": "package\n",
    "netplan/50-cloud-init.yaml": "network: {}\n",
    "keys/authorized_keys": "ssh-ed25519 AAAA build\n",
    "second/.ssh/authorized_keys": "ssh-ed25519 AAAA build\n",
    "second/.bash_history": "export TOKEN=1\n",
    "second/.ansible/tmp/x": "left\n",
    "root/.ssh/authorized_keys": "ssh-ed25519 AAAA build\n",
    "machine-id": USED["etc/machine-id"],
    "fstab": USED["etc/fstab"],
    "mdadm.conf": USED["etc/mdadm/mdadm.conf"],
    "hostname": "ip-10-0-0-10\n",
    "history": "export TOKEN=1\n",
}
EMPTIED = ("log/auth.log", "log/deep/journal", "machine-id")
CHANGED = {"fstab": "PARTUUID=1 / ext4 rw 0 1\n", "mdadm.conf": "HOMEHOST any\n"}


class Linked(Copy):
    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.live = place / "live"
        # Its path by which no /tmp leads, as that is a link in the copy
        self.path = f"/proc/self/root{self.live}"
        for name, text in TARGETS.items():
            self.fill(self.live / name, text)

    def fill(self, place: Path, text: str) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, name: str, target: str) -> None:
        """A link in the copy, in the place of what a machine that was used has there."""
        place = self.copy / name
        if place.is_dir() and not place.is_symlink():
            place.rename(self.tree / name.replace("/", "-"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    def inside(self, target: str) -> Path:
        """To where a link leads in the copy's own root."""
        return self.copy / os.path.normpath("/" + target.lstrip("./")).lstrip("/")

    def seen(self) -> dict[str, object]:
        """Everything of the live tree that anybody could have changed."""
        seen: dict[str, object] = {}
        for path in [self.live, *sorted(self.live.rglob("*"))]:
            about = path.lstat()
            words = path.read_bytes() if path.is_file() else b""
            seen[str(path)] = (about.st_mode, about.st_ino, about.st_mtime_ns, words)
        return seen


def absolute(machine: Linked, name: str) -> str:
    return f"{machine.path}/{LINKED[name]}"


def beside(machine: Linked, name: str) -> str:
    """Upwards to the copy's root and one more, which a root does not have."""
    return "../" * (name.count("/") + 1) + f"live/{LINKED[name]}"


def far_up(machine: Linked, name: str) -> str:
    return "../" * 60 + f"{machine.path}/{LINKED[name]}".lstrip("/")


Way = Callable[[Linked, str], str]
WAYS = pytest.mark.parametrize("way", [absolute, beside, far_up])


@pytest.fixture
def machine(tmp_path: Path) -> Linked:
    return Linked(tmp_path)


@WAYS
def test_what_links_lead_to_is_scrubbed_in_the_copy_and_nowhere_else(
    machine: Linked, way: Way
) -> None:
    for name, where in LINKED.items():
        machine.link(name, way(machine, name))
        for target, text in TARGETS.items():
            if target == where or target.startswith(f"{where}/"):
                machine.fill(machine.inside(way(machine, name)).parent / target, text)
    root = machine.inside(way(machine, "etc/fstab")).parent
    before = machine.seen()
    assert machine.scrubbed() == CLEAN
    assert machine.seen() == before
    stays = {name: CHANGED.get(name, "") for name in (*EMPTIED, *CHANGED)}
    assert {name: (root / name).read_text() for name in stays} == stays
    assert [name for name in TARGETS if (root / name).exists() and name not in stays] == []


@WAYS
def test_links_to_nothing_in_the_copy_are_no_error(machine: Linked, way: Way) -> None:
    for name in LINKED:
        machine.link(name, way(machine, name))
    before = machine.seen()
    assert machine.scrubbed() == CLEAN
    assert machine.seen() == before
    # The owner's arrangement stays as it is; the machine's own files are made anew
    owners = [name for name in LINKED if name.startswith("home/")]
    assert {name: str((machine.copy / name).readlink()) for name in owners} == {
        name: way(machine, name) for name in owners
    }
    machine_id = machine.copy / "etc/machine-id"
    assert stat.S_ISREG(machine_id.lstat().st_mode) and machine_id.read_text() == ""


def test_a_chain_of_links_is_followed_in_the_copy(machine: Linked) -> None:
    machine.link("home/ubuntu/.ssh", "dotfiles/ssh")
    machine.link("home/ubuntu/dotfiles", f"{machine.live}/dots")
    machine.link(f"{machine.live}/dots/ssh".lstrip("/"), "../../../keys")
    (machine.live / "dots").mkdir()
    (machine.live / "dots/ssh").symlink_to("../keys")
    # Three steps up from /…/live/dots is the directory two above live
    inside = machine.copy / str(machine.live.parent.parent).lstrip("/") / "keys"
    machine.fill(inside / "authorized_keys", "ssh-ed25519 AAAA build\n")
    before = machine.seen()
    assert machine.scrubbed() == CLEAN
    assert machine.seen() == before
    assert not (inside / "authorized_keys").exists()


def test_a_linked_file_is_overwritten_in_the_copy(machine: Linked) -> None:
    machine.write("srv/history", "secret\n")
    (machine.tree / "second-name").hardlink_to(machine.copy / "srv/history")
    machine.link("home/ubuntu/.bash_history", "/srv/history")
    machine.scrubbed()
    assert b"secret" not in (machine.tree / "second-name").read_bytes()
    assert not machine.there("srv/history")


def test_a_home_that_is_a_link_is_a_home(machine: Linked) -> None:
    machine.write("srv/homes/third/.netrc", "machine x\n")
    machine.link("home/third", "/srv/homes/third")
    assert "The image would hold /srv/homes/third/.netrc (credentials)" in machine.refused()


@pytest.mark.parametrize("name", ["etc/machine-id", "etc/fstab", "tmp", "home/ubuntu/.ssh"])
def test_a_loop_of_links_ends(machine: Linked, name: str) -> None:
    machine.link(name, f"/{name}-1")
    machine.link(f"{name}-1", f"/{name}")
    assert machine.scrubbed() == CLEAN


@pytest.mark.parametrize("name", ["tmp", "var/log/journal", "var/lib/cloud"])
def test_a_link_to_the_root_does_not_empty_the_root(machine: Linked, name: str) -> None:
    machine.link(name, "../../../..")
    assert machine.scrubbed() == CLEAN
    assert machine.there("etc/ssh/sshd_config")


def test_links_in_what_is_emptied_are_not_followed(machine: Linked) -> None:
    for place in ("tmp", "var/tmp", "var/lib/cloud", "var/log/journal", "home/ubuntu/.ansible"):
        machine.write(f"{place}/x", "x\n")
        machine.link(f"{place}/link", "/home/ubuntu")
    machine.link("var/log/readme", "/home/ubuntu/.bashrc")
    machine.scrubbed()
    assert (machine.copy / "home/ubuntu/.bashrc").read_text() == USED["home/ubuntu/.bashrc"]


def test_what_is_no_file_is_not_opened(machine: Linked) -> None:
    """Whoever opens a FIFO waits for who writes to it."""
    for name in ("tmp/pipe", "var/log/pipe", "home/ubuntu/pipe", "home/ubuntu/.zsh_history"):
        os.mkfifo(machine.copy / name)
    for name in ("etc/machine-id", "etc/fstab", "home/ubuntu/.bash_history"):
        (machine.copy / name).unlink()
        os.mkfifo(machine.copy / name)
    os.mkfifo(machine.copy / "home/ubuntu/.npmrc")
    assert machine.scrubbed() == CLEAN
    assert (machine.copy / "etc/machine-id").read_text() == ""


# --- the second look ---------------------------------------------------------------------------

SECRETS = {
    "home/ubuntu/.aws": "credentials",
    "home/ubuntu/.config": "gh/hosts.yml",
    "home/ubuntu/.ssh": "id_ed25519",
    "home/ubuntu/.netrc": "",
    "home/ubuntu/work": "deep/key.pem",
}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("up", [False, True])
def test_the_live_machines_secrets_are_not_the_copys(machine: Linked, name: str, up: bool) -> None:
    machine.fill(machine.live / "it" / SECRETS[name], KEY)
    machine.link(name, "../../../live/it" if up else f"{machine.live}/it")
    assert machine.scrubbed() == CLEAN


@pytest.mark.parametrize("name", SECRETS)
def test_a_link_hides_no_secret_of_the_copy(machine: Linked, name: str) -> None:
    true = f"/srv/it/{SECRETS[name]}".rstrip("/")
    machine.write(true.lstrip("/"), KEY)
    machine.link(name, "/srv/it")
    assert f"hold {true} (" in machine.refused()
    machine.allowed = true
    machine.scrubbed()


def test_a_secret_is_allowed_by_the_name_that_links_to_it(machine: Linked) -> None:
    machine.write("srv/netrc", "machine x\n")
    machine.link("home/ubuntu/.netrc", "/srv/netrc")
    machine.allowed = "/home/ubuntu/.netrc"
    machine.scrubbed()


def test_a_home_that_links_to_all_of_the_disk_is_not_all_of_the_disk(machine: Linked) -> None:
    machine.write("usr/share/doc/example.pem", KEY)
    machine.link("home/ubuntu/z:", "/")
    machine.link("home/ubuntu/up", "..")
    machine.scrubbed()


# --- the way ------------------------------------------------------------------------------------


@functools.cache
def program() -> Any:
    path = str(ROOT / "roles/image/files/scrub_image.py")
    spec = importlib.util.spec_from_loader("scrub_image", _Uncached("scrub_image", path))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scrub_image"] = module
    spec.loader.exec_module(module)
    return module


class _Uncached(SourceFileLoader):
    """Leaves no compiled file beside the role's."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        pass


def test_a_users_link_does_not_have_another_users_file_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text("root:x\n")
    (tmp_path / "history").symlink_to("/etc/shadow")
    scrub = program()
    true_stat = os.stat

    def stat_of_a_users_link(*words: Any, **more: Any) -> os.stat_result:
        status = true_stat(*words, **more)
        if not stat.S_ISLNK(status.st_mode):
            return status
        return os.stat_result((*status[:4], status.st_uid + 1000, *status[5:]), {"st_dev": 0})

    copy = scrub.Copy(str(tmp_path))
    monkeypatch.setattr(scrub.os, "stat", stat_of_a_users_link)
    try:
        copy.remove("/history", keep_link=True)
    finally:
        copy.close()
    assert (tmp_path / "etc/shadow").read_text() == "root:x\n"


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def kernel(root: int, path: str) -> int | None:
    """The inode to which openat2(2) resolves a path with RESOLVE_IN_ROOT."""
    call, in_root = 437, 0x10
    libc = ctypes.CDLL(None, use_errno=True)
    how = _How(os.O_PATH | os.O_CLOEXEC, 0, in_root)
    descriptor = libc.syscall(call, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
    if descriptor < 0:
        return None
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


STEPS = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4)
PATHS = st.builds(lambda root, steps: root + "/".join(steps), st.sampled_from(["", "/"]), STEPS)
PLACES = [f"{one}{two}" for one in "abc" for two in ("", "/a", "/b", "/c")]


@given(
    kinds=st.lists(st.one_of(st.just("/"), st.just(""), PATHS), min_size=12, max_size=12),
    paths=st.lists(PATHS, min_size=3, max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_a_path_leads_as_the_kernel_would_in_that_root(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], paths: list[str]
) -> None:
    root = tmp_path_factory.mktemp("root")
    for place, kind in zip(PLACES, kinds, strict=True):
        if (root / place).parent.is_symlink() or not (root / place).parent.is_dir():
            continue
        if kind == "/":
            (root / place).mkdir()
        elif kind == "":
            (root / place).touch()
        else:
            (root / place).symlink_to(kind)
    copy = program().Copy(str(root))
    try:
        for path in paths:
            with copy.at(path) as place:
                assert (place and place.status.st_ino) == kernel(copy.root, path), path
    finally:
        copy.close()
