"""machine_state's files and directories."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.library.conftest import Programs
from tests.machine_programs.support import installed, load

machine_files = load.module("ansible.module_utils.machine_files")
MachineError = machine_files.MachineError


def test_writes_a_file_once(converge: Callable[..., Any], root: Path) -> None:
    wanted = [{"path": "/etc/cloudtop/x.conf", "content": "a=1\n", "mode": "0640"}]
    assert converge(files=wanted).sentences == ["made /etc/cloudtop/x.conf"]
    assert (root / "etc/cloudtop/x.conf").read_text() == "a=1\n"
    assert (root / "etc/cloudtop/x.conf").stat().st_mode & 0o777 == 0o640
    assert converge(files=wanted).sentences == []


def test_sets_its_keys_beside_those_of_others(converge: Callable[..., Any], root: Path) -> None:
    """As a daemon.json of AWS's Deep Learning AMI, which names NVIDIA's runtime."""
    place = root / "etc/daemon.json"
    place.parent.mkdir(exist_ok=True)
    theirs = {"default-runtime": "nvidia", "runtimes": {"nvidia": {"args": []}}, "data-root": "/x"}
    place.write_text(json.dumps(theirs))
    wanted = [{"path": "/etc/daemon.json", "keys": {"data-root": "/y"}}]
    assert converge(files=wanted).sentences == ["changed /etc/daemon.json"]
    assert json.loads(place.read_text()) == {**theirs, "data-root": "/y"}
    assert converge(files=wanted).sentences == []
    # As it was, if nothing is to be changed
    text = json.dumps({"data-root": "/y", "a": 1}, indent=1)
    place.write_text(text)
    assert converge(files=wanted).sentences == []
    assert place.read_text() == text
    place.write_text("{")
    with pytest.raises(MachineError, match=r"/etc/daemon\.json is no JSON object"):
        converge(files=wanted)


def test_puts_a_mode_right_without_calling_the_content_changed(
    converge: Callable[..., Any], root: Path, programs: Programs
) -> None:
    programs.unit("x.service")
    wanted = [{"path": "/etc/x", "content": "a", "mode": "0644"}]
    converge(files=wanted)
    (root / "etc/x").chmod(0o600)
    programs.ran.clear()
    state = converge(files=wanted, units=[{"name": "x.service", "restart_on": ["/etc/x"]}])
    assert state.sentences == ["changed /etc/x"]
    assert programs.verbs() == []


def test_check_mode_shows_the_change_and_makes_none(
    converge: Callable[..., Any], root: Path, programs: Programs
) -> None:
    state = converge(
        check=True,
        packages=["tmux"],
        files=[{"path": "/etc/x", "content": "new\n"}],
        directories=[{"path": "/srv/y"}],
        groups={"ubuntu": ["docker"]},
        units=[{"name": "to-come.service", "enabled": True, "state": "started"}],
    )
    assert state.sentences == [
        "made /srv/y",
        "made /etc/x",
        "installed tmux",
        "put ubuntu in docker",
        "enabled to-come.service",
        "started to-come.service",
    ]
    assert not (root / "etc/x").exists() and not (root / "srv").exists()
    assert [argv[0] for argv in programs.ran] == ["dpkg-query", "systemctl"]
    assert state.diff[1]["after"].endswith("new\n")


def test_removes_a_file_and_never_a_directory(converge: Callable[..., Any], root: Path) -> None:
    (root / "etc/old").write_text("x")
    (root / "etc/kept").mkdir()
    gone = {"state": "absent"}
    assert converge(files=[{"path": "/etc/old", **gone}]).sentences == ["removed /etc/old"]
    assert converge(files=[{"path": "/etc/old", **gone}]).sentences == []
    with pytest.raises(MachineError, match="it is a directory: not removed"):
        converge(files=[{"path": "/etc/kept", **gone}])


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"path": "etc/x", "content": ""}, "has to be absolute"),
        ({"path": "/etc/../x", "content": ""}, "shortest form"),
        ({"path": "/etc/x", "content": "", "mode": "rwx"}, "is no octal number"),
        ({"path": "/etc/x"}, "given without content"),
        ({"path": "/etc/x", "content": "", "owner": "nobody-of-that-name"}, "no such user"),
        ({"path": "/etc/x", "content": "", "group": "no-such-group"}, "no such group"),
        ({"path": "/etc", "content": ""}, "something else is there"),
    ],
)
def test_refuses_a_file_that_cannot_be_meant(
    converge: Callable[..., Any], wanted: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(MachineError, match=sentence):
        converge(files=[wanted])


def modules(text: str) -> dict[str, Any]:
    files = [{"path": "/usr/local/lib/x/package/module.py", "content": text}]
    return {"files": files, "modules": ["/usr/local/lib/x/package"]}


def test_modules_are_compiled_when_one_changes(
    converge: Callable[..., Any], root: Path, programs: Programs
) -> None:
    converge(check=True, **modules("a = 1\n"))
    assert programs.ran == []
    converge(**modules("a = 1\n"))
    (words,) = programs.ran
    subprocess.run(words, check=True)
    assert len(list((root / "usr/local/lib/x/package/__pycache__").iterdir())) == 1
    converge(**modules("a = 1\n"))
    assert programs.ran == [words]


def test_a_module_that_does_not_compile_is_an_error(
    converge: Callable[..., Any], programs: Programs
) -> None:
    programs.fails["compileall"] = "SyntaxError"
    with pytest.raises(MachineError, match=r"package do not compile: SyntaxError"):
        converge(**modules("a ="))


def test_the_package_of_the_machine_is_compiled() -> None:
    (task,) = yaml.safe_load((load.ROOT / "roles/machine_programs/tasks/main.yml").read_text())
    assert task["machine_state"]["modules"] == [f"{installed.LIB}/cloudtop_machine"]
