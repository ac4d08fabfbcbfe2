"""Before docker starts: what its unit asks of a firewall that is made of files."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.machine_programs.support.load import ROOT

UNIT = ROOT / "roles/docker/files/docker.conf"
BEFORE = "ExecStartPre="
# -N fails for a chain that is there, -C for a rule that is not
TABLES = """#!/bin/sh
chain=$DIRECTORY/$(basename "$0")
[ "$1" = -w ] && shift
case "$1" in
    -N) [ ! -e "$chain" ] && : >"$chain" ;;
    -C) shift 2; grep -qxF -- "$*" "$chain" ;;
    -I) shift 2; { echo "$*"; cat "$chain"; } >"$chain.new"; mv "$chain.new" "$chain" ;;
esac
"""


@pytest.fixture
def firewall(tmp_path: Path) -> Path:
    for name in ("iptables", "ip6tables"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(TABLES)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run(firewall: Path) -> None:
    environ = {"PATH": f"{firewall}/bin:{os.environ['PATH']}", "DIRECTORY": str(firewall)}
    for line in UNIT.read_text().splitlines():
        if line.startswith(BEFORE):
            command = line.removeprefix(BEFORE)
            done = subprocess.run(shlex.split(command.removeprefix("-")), env=environ, check=False)
            # As systemd has it
            assert command.startswith("-") or done.returncode == 0


def test_s9_containers_do_not_reach_the_machines_credentials(firewall: Path) -> None:
    # dockerd has been here, and its owner has rules
    (firewall / "iptables").write_text("-j RETURN\n")
    for _ in range(2):
        run(firewall)
        rules = (firewall / "iptables").read_text()
        assert rules == "-d 169.254.169.254 -j REJECT\n-j RETURN\n"
        assert (firewall / "ip6tables").read_text() == "-d fd00:ec2::254 -j REJECT\n"


def test_a_kernel_without_ipv6_is_no_failure(firewall: Path) -> None:
    (firewall / "bin/ip6tables").write_text("#!/bin/sh\nexit 3\n")
    run(firewall)
    assert (firewall / "iptables").read_text()


def test_without_the_fence_docker_does_not_start(firewall: Path) -> None:
    (firewall / "bin/iptables").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(AssertionError):
        run(firewall)
