"""machine_state's packages."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.library.conftest import Programs
from tests.machine_programs.support import load

machine_packages = load.module("ansible.module_utils.machine_packages")
machine_files = load.module("ansible.module_utils.machine_files")
MachineError = machine_files.MachineError


def lacking(*names: str) -> Any:
    return machine_packages.Missing(list(names), [])


def test_installs_what_is_missing_in_one_transaction(
    converge: Callable[..., Any], programs: Programs
) -> None:
    programs.installed = {"git"}
    assert converge(packages=["git", "tmux", "jq"]).sentences == ["installed tmux jq"]
    apt = [argv for argv in programs.ran if argv[0] == "apt-get"]
    assert [argv[-1] for argv in apt] == ["update", "jq"]
    assert apt[1][-4:] == ["--fix-broken", "--no-install-recommends", "tmux", "jq"]
    assert "DPkg::Lock::Timeout=1" in apt[1]
    programs.ran.clear()
    assert converge(packages=["git", "tmux", "jq"]).sentences == []
    assert [argv[0] for argv in programs.ran] == ["dpkg-query"]


def test_does_not_update_fresh_lists(
    converge: Callable[..., Any], programs: Programs, root: Path
) -> None:
    (root / "var/lib/apt/lists/deb_Packages").write_text("")
    converge(packages=["tmux"])
    assert not any("update" in argv for argv in programs.ran)


@pytest.mark.parametrize("place", ["sources.list", "sources.list.d/debian.sources"])
def test_b3_lists_that_are_older_than_the_sources_are_not_fresh(
    converge: Callable[..., Any], programs: Programs, root: Path, place: str
) -> None:
    lists, sources = root / "var/lib/apt/lists", root / "etc/apt" / place
    (lists / "deb_Packages").write_text("")
    sources.parent.mkdir(parents=True)
    sources.write_text("deb http://us-east-1.ec2.archive.ubuntu.com/ubuntu noble main\n")
    fetched = lists.stat().st_mtime
    os.utime(sources.parent, (fetched - 60, fetched - 60))
    os.utime(sources, (fetched + 1, fetched + 1))
    converge(packages=["tmux"])
    assert any("update" in argv for argv in programs.ran)
    programs.ran.clear()
    os.utime(sources, (fetched - 60, fetched - 60))
    converge(packages=["jq"])
    assert not any("update" in argv for argv in programs.ran)


def test_a_dangling_link_among_the_sources_is_no_hindrance(
    converge: Callable[..., Any], programs: Programs, root: Path
) -> None:
    sources = root / "etc/apt/sources.list.d"
    sources.mkdir(parents=True)
    (sources / "gone.list").symlink_to("nowhere")
    (root / "var/lib/apt/lists/deb_Packages").write_text("")
    converge(packages=["tmux"])
    assert programs.installed == {"tmux"}


def test_a_link_to_sources_that_changed_counts_as_they_do(
    converge: Callable[..., Any], programs: Programs, root: Path
) -> None:
    lists, sources = root / "var/lib/apt/lists", root / "etc/apt/sources.list.d"
    sources.mkdir(parents=True)
    (lists / "deb_Packages").write_text("")
    elsewhere = root / "mirror.list"
    elsewhere.write_text("deb http://a.example noble main\n")
    (sources / "mirror.list").symlink_to(elsewhere)
    fetched = lists.stat().st_mtime
    for place in (sources, sources.parent, sources / "mirror.list"):
        os.utime(place, (fetched - 60, fetched - 60), follow_symlinks=False)
    os.utime(elsewhere, (fetched + 1, fetched + 1))
    converge(packages=["tmux"])
    assert any("update" in argv for argv in programs.ran)


@pytest.fixture
def cloud_init(root: Path) -> Path:
    """A machine whose cloud-init is still at work; returns where its result will be."""
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/cloud-init").touch()
    (root / "run/cloud-init").mkdir(parents=True)
    return root / "run/cloud-init/result.json"


WAITS, WORKS = "Job=41\nActiveState=inactive\n", "Job=41\nActiveState=activating\n"
SHOW = ["systemctl", "show", "--property", "ActiveState,Job", "cloud-config.service"]


class Stage:
    """cloud-config.service, which is in these states, one a look, and all the other programs."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.ran: list[list[str]] = []

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        self.ran.append(argv)
        if argv != SHOW:
            return 0, "", ""
        return 0, self.states.pop(0) if len(self.states) > 1 else self.states[0], ""


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Time passes only while somebody sleeps; returns how long each sleep was."""
    naps: list[float] = []
    monkeypatch.setattr(machine_packages.time, "sleep", naps.append)
    monkeypatch.setattr(machine_packages.time, "monotonic", lambda: sum(naps))
    return naps


@pytest.mark.parametrize("end", ["active", "failed", "inactive"])
def test_b3_the_first_apt_waits_for_the_stage_that_writes_the_sources(
    cloud_init: Path, root: Path, naps: list[float], end: str
) -> None:
    run = Stage(WAITS, WORKS, WORKS, f"ActiveState={end}\n")
    machine_packages.install(run, root, lacking("tmux"))
    assert [argv[0] for argv in run.ran] == ["systemctl"] * 4 + ["apt-get"] * 2
    assert len(naps) == 3


def test_b3_the_last_stage_is_not_waited_for(
    cloud_init: Path, root: Path, naps: list[float]
) -> None:
    """It is after multi-user.target, and so after the volume and the array."""
    run = Stage("ActiveState=active\n")
    machine_packages.install(run, root, lacking("tmux"))
    assert not any("cloud-init" in argv for argv in run.ran)
    assert naps == []


def test_b3_nobody_waits_for_a_cloud_init_that_is_through(
    converge: Callable[..., Any], programs: Programs, cloud_init: Path
) -> None:
    cloud_init.write_text("{}")
    converge(packages=["tmux"])
    assert SHOW not in programs.ran


def test_b3_a_machine_without_systemd_has_nothing_to_wait_for(cloud_init: Path, root: Path) -> None:
    ran = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        ran.append(argv)
        return (1 if argv == SHOW else 0), "", ""

    machine_packages.install(run, root, lacking("tmux"))
    assert ran[-1][-1] == "tmux"


def test_b3_a_cloud_init_that_does_not_end_is_named(
    cloud_init: Path, root: Path, naps: list[float]
) -> None:
    run = Stage(WORKS)
    with pytest.raises(MachineError, match="cloud-init has been at work for 600 s"):
        machine_packages.install(run, root, lacking("tmux"))
    assert {argv[0] for argv in run.ran} == {"systemctl"}
    assert sum(naps) == 600


def test_waits_for_another_update_and_names_the_wait(
    converge: Callable[..., Any], root: Path
) -> None:
    lock = root / "var/lib/apt/lists/lock"
    lock.touch()
    child = os.fork()
    if child == 0:
        with lock.open("r+") as stream:
            fcntl.lockf(stream, fcntl.LOCK_EX)
            (root / "locked").touch()
            while (root / "locked").exists():
                os.sched_yield()
        os._exit(0)
    try:
        while not (root / "locked").exists():
            os.sched_yield()
        with pytest.raises(MachineError, match="has been updating apt's package lists"):
            converge(packages=["tmux"])
    finally:
        (root / "locked").unlink()
        os.waitpid(child, 0)


def test_no_service_starts_while_packages_install(root: Path) -> None:
    policies = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        policy = root / "usr/sbin/policy-rc.d"
        policies.append(os.spawnl(os.P_WAIT, "/bin/sh", "sh", str(policy)))
        return 0, "", ""

    (root / "var/lib/apt/lists/deb_Packages").write_text("")
    machine_packages.install(run, root, lacking("docker.io"))
    assert policies == [101]
    assert not (root / "usr/sbin/policy-rc.d").exists()


def test_a_policy_left_by_a_killed_run_refuses_nothing(root: Path) -> None:
    policy = root / "usr/sbin/policy-rc.d"
    child = os.spawnl(os.P_NOWAIT, "/bin/true", "true")
    os.waitpid(child, 0)
    policy.write_text(machine_packages._POLICY.format(pid=child))
    assert os.spawnl(os.P_WAIT, "/bin/sh", "sh", str(policy)) == 0


def test_another_programs_policy_is_kept(root: Path, programs: Programs) -> None:
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    machine_packages.install(programs, root, lacking("tmux"))
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_finishes_an_interrupted_dpkg(programs: Programs, root: Path) -> None:
    answers = iter([(100, "", "E: dpkg was interrupted, you must manually run …")])

    def run(argv: list[str]) -> tuple[int, str, str]:
        answer = programs(argv)
        return next(answers, answer) if "install" in argv else answer

    machine_packages.install(run, root, lacking("tmux"))
    assert [argv[0] for argv in programs.ran] == ["apt-get", "apt-get", "dpkg", "apt-get"]


def test_passes_on_what_apt_complains_of(converge: Callable[..., Any], programs: Programs) -> None:
    programs.fails["install --yes"] = "Reading…\nE: Unable to locate package tmuxx\n"
    with pytest.raises(MachineError, match=r"could not install tmuxx: E: Unable to locate"):
        converge(packages=["tmuxx"])


@pytest.mark.parametrize("name", ["Tmux", "a b", "-y", "tmux=1.0", "x/../y"])
def test_refuses_what_is_no_package_name(converge: Callable[..., Any], name: str) -> None:
    with pytest.raises(MachineError, match="is no name of a Debian package"):
        converge(packages=[name])


PLUGINS = ["docker-buildx", "docker-compose-v2 | docker-compose (>= 2)"]


@pytest.mark.parametrize(
    ("candidates", "plugins"),
    [
        # Ubuntu 24.04; its docker-compose is the old one
        (
            {
                "docker-buildx": "0.12.1-0ubuntu4",
                "docker-compose-v2": "2.24.6+ds1-0ubuntu2",
                "docker-compose": "1.29.2-6",
            },
            ["docker-buildx", "docker-compose-v2"],
        ),
        # Debian 13
        (
            {"docker-buildx": "0.13.1+ds1-3", "docker-compose": "2.26.1-4"},
            ["docker-buildx", "docker-compose"],
        ),
        # Debian 12 has the old one only
        ({"docker-compose": "1.29.2-3"}, []),
        ({}, []),
    ],
)
def test_dockers_plugins_are_installed_if_the_archive_has_them(
    converge: Callable[..., Any],
    programs: Programs,
    candidates: dict[str, str],
    plugins: list[str],
) -> None:
    programs.candidates = candidates
    sentences = converge(packages=["docker.io"], wished_packages=PLUGINS).sentences
    assert sentences == [" ".join(["installed docker.io", *plugins])]
    (install,) = [argv for argv in programs.ran if "install" in argv]
    assert install[install.index("docker.io") :] == ["docker.io", *plugins]
    programs.ran.clear()
    assert converge(packages=["docker.io"], wished_packages=PLUGINS).sentences == []
    assert not any(argv[0] == "apt-get" for argv in programs.ran)


def test_a_plugin_is_added_to_a_machine_that_has_the_rest(
    converge: Callable[..., Any], programs: Programs
) -> None:
    programs.installed = {"docker.io"}
    programs.candidates = {"docker-buildx": "0.13.1+ds1-3"}
    assert converge(packages=["docker.io"], wished_packages=PLUGINS[:1]).sentences == [
        "installed docker-buildx"
    ]


def test_an_old_package_of_that_name_is_not_enough(
    converge: Callable[..., Any], programs: Programs
) -> None:
    programs.installed = {"docker-compose"}
    programs.versions = {"docker-compose": "1.29.2-6"}
    programs.candidates = {"docker-compose-v2": "2.24.6"}
    assert converge(wished_packages=PLUGINS[1:]).sentences == ["installed docker-compose-v2"]


@pytest.mark.parametrize("text", ["a |", "a (= 2)", "A", "a (>= x)"])
def test_refuses_a_wish_that_cannot_be_read(converge: Callable[..., Any], text: str) -> None:
    with pytest.raises(MachineError, match="is neither the name of a Debian package"):
        converge(wished_packages=[text])
