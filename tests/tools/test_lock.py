"""The locked versions: for every Python from 3.11 to 3.14, each package with its hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def locked(name: str) -> list[tuple[Requirement, list[str]]]:
    """The packages of a lock, each with its hashes."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    rows = [line.split("--hash", 1) for line in text.splitlines() if line.strip()]
    return [
        (Requirement(row[0].strip()), HASH.findall("--hash".join(["", *row[1:]]))) for row in rows
    ]


def version(name: str, package: str, python: str) -> str:
    """The one version that a Python on Linux gets."""
    here = {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "sys_platform": "linux",
    }
    (one,) = [
        wanted.specifier
        for wanted, _ in locked(name)
        if wanted.name == package and (wanted.marker is None or wanted.marker.evaluate(here))
    ]
    return str(one).removeprefix("==")


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_one_version_with_hashes(name: str) -> None:
    for wanted, hashes in locked(name):
        assert re.fullmatch(r"==[^,*]+", str(wanted.specifier)), wanted
        assert hashes, wanted


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("python", PYTHONS)
def test_each_python_gets_the_newest_ansible_that_it_takes(name: str, python: str) -> None:
    core = "2.19." if python == "3.11" else "2.21."
    assert version(name, "ansible-core", python).startswith(core)


@pytest.mark.parametrize("python", PYTHONS)
def test_each_python_gets_all_that_the_project_depends_on(python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in project["dependencies"]:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"python_version": python}):
            assert (
                version("requirements.lock", canonicalize_name(wanted.name), python)
                in wanted.specifier
            )


def test_only_what_has_its_hash_is_installed() -> None:
    installs = [line for line in (ROOT / "Makefile").read_text().splitlines() if "-r requi" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)
