"""In which order a machine boots: our units beside those of Debian and Ubuntu, without a knot."""

from __future__ import annotations

import graphlib
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.machine_programs.support.load import ROOT

FILES = ROOT / "roles"
# The order of Debian 12's and Ubuntu 24.04's own units, both names of cloud-init's
# network stage taken together. No unit of theirs is after one that has no default dependencies.
STOCK = """
[Unit] cloud-init-local.service
DefaultDependencies=no
Before=network-pre.target sysinit.target
[Unit] systemd-networkd.service
DefaultDependencies=no
After=network-pre.target
Before=network.target
[Unit] systemd-resolved.service
DefaultDependencies=no
Before=network.target sysinit.target
[Unit] systemd-networkd-wait-online.service
DefaultDependencies=no
After=systemd-networkd.service
Before=network-online.target
[Unit] cloud-init.service
DefaultDependencies=no
After=cloud-init-local.service systemd-networkd-wait-online.service
Before=network-online.target ssh.service sysinit.target systemd-user-sessions.service
[Unit] cloud-init-network.service
DefaultDependencies=no
After=cloud-init-local.service systemd-networkd-wait-online.service
Before=network-online.target ssh.service sysinit.target systemd-user-sessions.service
[Unit] network-online.target
After=network.target
[Unit] ssh.socket
Before=sockets.target
[Unit] ssh.service
After=network.target
[Unit] docker.socket
Before=sockets.target
[Unit] docker.service
After=network-online.target docker.socket containerd.service
[Unit] containerd.service
After=network.target local-fs.target
[Unit] cloud-final.service
After=multi-user.target
"""

Order = dict[str, set[str]]


def read(text: str, name: str, order: dict[str, dict[str, list[str]]]) -> None:
    """Add what a unit file, or a drop-in of it, says of its order."""
    for line in text.splitlines():
        if line.startswith("[Unit] "):
            name = line.split()[1]
        key, _, value = line.partition("=")
        if key in ("After", "Before", "Requires", "Wants", "DefaultDependencies", "WantedBy"):
            order[name][key] += value.split()


def units() -> dict[str, dict[str, list[str]]]:
    order: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    read(STOCK, "", order)
    for path in FILES.glob("*/files/cloudtop-*.*"):
        read(path.read_text(), path.name, order)
    for drop_in, name in (
        ("persistent_mount/files/ssh.conf", "ssh.service"),
        ("docker/files/docker.conf", "docker.service"),
        ("docker/templates/containerd.conf.j2", "containerd.service"),
    ):
        read((FILES / drop_in).read_text(), name, order)
    return order


def after(described: dict[str, dict[str, list[str]]]) -> Order:
    """Which units each one comes after, with what systemd adds by itself (systemd.unit(5))."""
    order: Order = defaultdict(set)
    for name, keys in list(described.items()):
        order[name] |= set(keys["After"])
        for later in keys["Before"]:
            order[later].add(name)
        if "no" in keys["DefaultDependencies"]:
            continue
        if name.endswith(".service"):
            order[name] |= {"sysinit.target", "basic.target"}
        order[name] |= {"sysinit.target"}
        for target in keys["WantedBy"]:
            order[target].add(name)
    order["basic.target"] |= {"sysinit.target", "sockets.target"}
    order["multi-user.target"] |= {"basic.target", "ssh.service", "docker.service"}
    order["sockets.target"] |= {"sysinit.target", "ssh.socket", "docker.socket"}
    order["sysinit.target"] |= {"local-fs.target"}
    return order


def before(order: Order, name: str) -> set[str]:
    """All that has to be over before the unit starts."""
    names: set[str] = set()
    todo = [name]
    while todo:
        for one in order.get(todo.pop(), set()) - names:
            names.add(one)
            todo.append(one)
    return names


def test_there_is_no_knot() -> None:
    order = list(graphlib.TopologicalSorter(after(units())).static_order())
    assert order.index("cloudtop-host-keys.service") < order.index("ssh.service")


def test_the_attach_waits_for_the_network_and_not_for_cloud_init() -> None:
    first = before(after(units()), "cloudtop-persistent-mount.service")
    assert "systemd-networkd-wait-online.service" in first
    assert not first & {"cloud-init.service", "cloud-init-network.service", "sysinit.target"}


@pytest.mark.parametrize("stage", ["cloud-init.service", "cloud-init-network.service"])
def test_no_key_of_cloud_inits_overwrites_one_of_the_volume(stage: str) -> None:
    assert stage in before(after(units()), "cloudtop-host-keys.service")


def test_ssh_waits_for_keys_within_bounds_and_never_for_the_volume_itself() -> None:
    described = units()
    assert "cloudtop-host-keys.service" in described["ssh.service"]["Wants"]
    assert "cloudtop-host-keys.service" in before(after(described), "ssh.service")
    assert "cloudtop-persistent-mount.service" not in before(after(described), "ssh.service")
    assert described["ssh.service"]["Requires"] == []


def test_the_boot_does_not_wait_for_the_volume() -> None:
    assert "cloudtop-persistent-mount.service" not in before(after(units()), "multi-user.target")


@pytest.mark.parametrize("name", ["docker.service", "containerd.service"])
def test_docker_starts_on_the_array_or_not_at_all(name: str) -> None:
    described = units()
    assert described[name]["Requires"] == ["cloudtop-ephemeral-raid.service"]
    assert "cloudtop-ephemeral-raid.service" in before(after(described), name)


def test_containerd_is_ready_when_cloud_init_is() -> None:
    first = before(after(units()), "containerd.service")
    assert not first & {"cloud-init.service", "sysinit.target", "ssh.service"}


def weight(path: Path) -> int:
    """The share of the processors that a unit has while the machine boots: 100 unless it says."""
    (weight,) = re.findall(r"^StartupCPUWeight=(\w+)$", path.read_text(), re.M) or ["100"]
    return 0 if weight == "idle" else int(weight)


def test_the_processors_are_the_logins_first_while_the_machine_boots() -> None:
    own = FILES / "persistent_mount/files"
    login = [own / "cloud-init.conf", own / "cloudtop-host-keys.service", own / "ssh.conf"]
    others = {
        *FILES.glob("*/files/cloudtop-*.service"),
        FILES / "docker/files/docker.conf",
        FILES / "docker/templates/containerd.conf.j2",
    } - set(login)
    assert len(others) > 5
    assert min(map(weight, login)) > max(map(weight, others))


LIMITED = [
    path
    for path in FILES.glob("*/files/cloudtop-*.service")
    if re.search(r"^LogLevelMax=", path.read_text(), re.M)
]


@pytest.mark.parametrize("path", LIMITED, ids=lambda path: path.name)
def test_a_limit_on_systemds_lines_drops_none_of_the_programs(path: Path) -> None:
    """The lines of a program have SyslogLevel, by default info (systemd.exec(5))."""
    text = path.read_text()
    levels = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
    (limit,) = re.findall(r"^LogLevelMax=(\w+)$", text, re.M)
    (own,) = re.findall(r"^SyslogLevel=(\w+)$", text, re.M) or ["info"]
    assert levels.index(own) <= levels.index(limit) < levels.index("info")


def test_two_units_have_such_a_limit() -> None:
    assert sorted(path.name for path in LIMITED) == [
        "cloudtop-alive.service",
        "cloudtop-idle.service",
    ]
