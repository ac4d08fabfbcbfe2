"""A machine from an image that an earlier version baked: a converge leaves nothing of it behind."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.library.conftest import Programs
from tests.machine_programs.support import installed
from tests.machine_programs.support.load import ROOT

ROLES = ROOT / "roles"
# All that version 0.1.0 and the ones before it installed below /usr/local and as units
EARLIER = [
    *("bin/cloudtop-busy", "bin/cloudtop-idle", "bin/cloudtop-reaps", "bin/cloudtop-restore"),
    *("lib/cloudtop/activity.py", "lib/cloudtop/attach.sh", "lib/cloudtop/busy.py"),
    *("lib/cloudtop/ec2.sh", "lib/cloudtop/host-keys.sh", "lib/cloudtop/idle-end"),
    *("lib/cloudtop/imds.py", "lib/cloudtop/journal.sh", "lib/cloudtop/reaps.jq"),
    *("lib/cloudtop/save-tree", "lib/cloudtop/save-work", "lib/cloudtop/tell.sh"),
    *("sbin/cloudtop-elastic-ip", "sbin/cloudtop-ephemeral-raid", "sbin/cloudtop-host-keys"),
    *("sbin/cloudtop-persistent-mount", "sbin/cloudtop-reap", "sbin/cloudtop-reap-journal"),
    "sbin/cloudtop-spot-guard",
]
# The same elsewhere, but for units
EARLIER_FILES = ["/etc/tmpfiles.d/cloudtop-idle.conf"]
EARLIER_UNITS = [
    *("cloudtop-alive.service", "cloudtop-alive.timer", "cloudtop-elastic-ip.service"),
    *("cloudtop-ephemeral-raid.service", "cloudtop-host-keys.service", "cloudtop-idle.service"),
    *("cloudtop-idle.timer", "cloudtop-persistent-mount.service"),
    *("cloudtop-persistent-mount.timer", "cloudtop-reap-journal.service"),
    *("cloudtop-reap@.service", "cloudtop-spot-guard.service"),
]


def removed() -> set[str]:
    """The paths that the roles' variables say are absent."""
    texts = [place.read_text() for place in ROLES.glob("*/vars/main.yml")]
    absent = re.compile(r"- path: (\S+)\n    state: absent$", re.MULTILINE)
    return {path for text in texts for path in absent.findall(text)}


def test_no_earlier_program_is_left(converge: Callable[..., Any], root: Path) -> None:
    for name in EARLIER:
        place = root / "usr/local" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("an earlier one")
    paths = {path for path in installed.files() if path.startswith("/usr/local/")}
    gone = {path for path in removed() if path.startswith("/usr/local/")}
    files: list[dict[str, str]] = [{"path": path, "content": "of today"} for path in paths]
    converge(files=[*files, *({"path": path, "state": "absent"} for path in gone)])
    left = {f"/{place.relative_to(root)}" for place in (root / "usr/local").rglob("*")}
    assert {path for path in left if (root / path[1:]).is_file()} == paths
    assert not gone & paths


@pytest.mark.parametrize("path", EARLIER_FILES)
def test_an_earlier_file_is_replaced_or_removed(path: str) -> None:
    assert (path in installed.files()) != (path in removed())


def test_each_role_removes_what_its_own_earlier_files_were() -> None:
    for role in {source.parts[len(ROOT.parts) + 1] for source in installed.files().values()}:
        text = "".join(
            (ROLES / role / place).read_text()
            for place in ("vars/main.yml", "tasks/main.yml")
            if (ROLES / role / place).exists()
        )
        for name in re.findall(r"^(__\w+_gone):", text, re.MULTILINE):
            # Listed, and given to the run that replaces those who used them
            assert f"+ {name}" in text


@pytest.mark.parametrize("unit", EARLIER_UNITS)
def test_an_earlier_unit_is_replaced_by_one_that_runs_a_program_of_today(unit: str) -> None:
    """It may be enabled, and running."""
    source = installed.files()[f"/etc/systemd/system/{unit}"]
    for line in re.findall(r"^Exec\w+=(\S+)", source.read_text(), re.MULTILINE):
        assert line in installed.files()


def test_the_guard_restarts_when_one_of_its_modules_changes() -> None:
    """It is the one program that stays in memory."""
    (task,) = yaml.safe_load((ROLES / "spot_guard/tasks/main.yml").read_text())
    (unit,) = task["machine_state"]["units"]
    assert "+ __spot_guard_modules" in unit["restart_on"]
    values = yaml.safe_load((ROLES / "spot_guard/vars/main.yml").read_text())
    restarted = values["__spot_guard_modules"]
    waiting, needed = [installed.program("cloudtop-spot-guard")], set[str]()
    while waiting:
        for path in modules_of(waiting.pop()) - needed:
            needed.add(path)
            waiting.append(installed.files()[path])
    assert f"{installed.LIB}/cloudtop_machine/reap/watch_notice.py" in needed
    assert needed == set(restarted)
    # Installed by the run that restarts it: an older machine has no note of what it runs with
    assert "/usr/local/sbin/cloudtop-spot-guard" in {
        each["path"] for each in values["__spot_guard_files"]
    }


def test_a_guard_of_an_older_image_is_restarted_though_nothing_notes_what_it_runs_with(
    converge: Callable[..., Any], programs: Programs, root: Path
) -> None:
    """The package is there by then: another role's run has put it there."""
    values = yaml.safe_load((ROLES / "spot_guard/vars/main.yml").read_text())
    own = [each["path"] for each in values["__spot_guard_files"]]
    for path in ["/usr/local/sbin/cloudtop-spot-guard", *values["__spot_guard_modules"]]:
        place = root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("of today" if path in values["__spot_guard_modules"] else "an earlier one")
    unit = "cloudtop-spot-guard.service"
    programs.unit(unit)
    restart_on = [path for path in own if "spot-guard" in path] + values["__spot_guard_modules"]
    files = [{"path": path, "content": "of today"} for path in own]
    wanted = {
        "files": files,
        "units": [{"name": unit, "state": "started", "restart_on": restart_on}],
    }
    converge(**wanted)
    assert f"restart {unit}" in programs.verbs()
    programs.ran.clear()
    converge(**wanted)
    assert programs.verbs() == []


def modules_of(source: Path) -> set[str]:
    """The paths of the modules that a program imports of ours, without packages."""
    modules = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cloudtop_machine"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            modules |= {f"{installed.LIB}/{str(name).replace('.', '/')}.py" for name in names}
    return modules & set(installed.files())
