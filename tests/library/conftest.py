"""A machine without a machine: a directory in place of /, answers in place of programs."""

from __future__ import annotations

import getpass
import grp
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.machine_programs.support import load

machine_state = load.module("machine_state")

OWNER = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}


class Programs:
    """Answers to argvs by their first words, and what was run."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.installed: set[str] = set()
        # Versions of what is installed, and those that the archive has
        self.versions: dict[str, str] = {}
        self.candidates: dict[str, str] = {}
        self.units: dict[str, dict[str, str]] = {}
        self.fails: dict[str, str] = {}

    def unit(self, name: str, active: str = "active", file: str = "enabled") -> None:
        self.units[name] = {
            "Id": name,
            "LoadState": "loaded",
            "ActiveState": active,
            "UnitFileState": file,
            "NeedDaemonReload": "no",
        }

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        self.ran.append(argv)
        line = " ".join(argv)
        for words, complaint in self.fails.items():
            if words in line:
                return 1, "", complaint
        if argv[0] == "dpkg-query":
            lines = (f"{n}:amd64 ii {self.versions.get(n, '1')}\n" for n in self.installed)
            return 0, "".join(lines), ""
        if argv[:2] == ["apt-cache", "policy"]:
            lines = (f"{n}:\n  Candidate: {v}\n" for n, v in self.candidates.items())
            return 0, "".join(lines), ""
        if argv[0] == "apt-get" and "install" in argv:
            self.installed |= set(argv[argv.index("--no-install-recommends") + 1 :])
            self.versions |= self.candidates
        if argv[:2] == ["systemctl", "show"]:
            return 0, "\n\n".join(self._show(name) for name in argv[4:]), ""
        if argv[0] == "journalctl":
            return 0, "the disk said no\n", ""
        return 0, "", ""

    def _show(self, name: str) -> str:
        values = self.units.get(name, {"LoadState": "not-found", "ActiveState": "inactive"})
        return "\n".join(f"{key}={value}" for key, value in values.items())

    def verbs(self) -> list[str]:
        return [
            " ".join(argv[1:3]) for argv in self.ran if argv[0] == "systemctl" and argv[1] != "show"
        ]


@pytest.fixture
def programs() -> Programs:
    return Programs()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place in ("etc", "usr/sbin", "var/lib/apt/lists", "var/lib/cloudtop", "proc/self"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "etc/group").write_text("root:x:0:\ndocker:x:999:\n")
    (tmp_path / "proc/self/mountinfo").write_text("1 0 8:1 / / rw\n2 1 8:2 / /mnt rw\n")
    return tmp_path


@pytest.fixture
def converge(root: Path, programs: Programs) -> Callable[..., Any]:
    def run(check: bool = False, **params: Any) -> Any:
        files = [
            {"content": None, "state": "present", "mode": None, **OWNER, **one}
            for one in params.pop("files", [])
        ]
        directories = [{"mode": None, **OWNER, **one} for one in params.pop("directories", [])]
        units = [
            {"enabled": None, "state": None, "restart_on": [], "reload_on": [], "mount": "", **one}
            for one in params.pop("units", [])
        ]
        defaults: dict[str, Any] = {
            "packages": [],
            "wished_packages": [],
            "groups": {},
            "modules": [],
            "report": [],
            "ask": [],
            "seek": [],
        }
        wanted = {**defaults, "lock_timeout": 1, **params}
        wanted |= {"files": files, "directories": directories, "units": units}
        looks = machine_state.Looks(programs, [unit["name"] for unit in units])
        state = machine_state.MachineState(wanted, programs, root, check, looks)
        state.converge()
        return state

    return run
