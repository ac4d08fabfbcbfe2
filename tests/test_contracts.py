"""The promises of each part to the others, compared so that neither side drifts."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ansible_collections.amazon.aws
import jinja2
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.machine_programs.support import installed

ROOT = Path(__file__).resolve().parent.parent
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
# Folders of a role with what goes to a machine
KINDS = ("files", "templates", "tasks")
# Strings under these keys are expressions without braces
EXPRESSIONS = {"when", "that", "until", "changed_when", "failed_when", "var"}
SOURCES = (
    *("runner.py", "ansible.cfg", "cloudtop", "localcloud", "spotprices", "roles", "playbooks"),
    *("inventory", "library", "module_utils", "molecule"),
)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def spec_of(role: str) -> dict[str, dict[str, Any]]:
    """Entry points of a role: name to its specification."""
    specs: dict[str, dict[str, Any]] = load(ROOT / "roles" / role / "meta/argument_specs.yml")[
        "argument_specs"
    ]
    return specs


def options_of(role: str) -> dict[str, dict[str, Any]]:
    """All options of all entry points of a role."""
    return {
        name: option
        for entry in spec_of(role).values()
        for name, option in entry.get("options", {}).items()
    }


def test_a_checkout_needs_no_symbolic_links() -> None:
    """Some ways of copying a checkout make a plain file of a link, and Ansible then skips it."""
    listed = subprocess.run(
        ["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [line for line in listed.splitlines() if line.startswith("120000")] == []


def text_files(*places: str) -> Iterator[Path]:
    for place in places:
        for path in [ROOT / place, *(ROOT / place).rglob("*")]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


@pytest.mark.parametrize("role", ROLES)
def test_spec_and_defaults_of_a_role_agree(role: str) -> None:
    options = options_of(role)
    defaults = load(ROOT / "roles" / role / "defaults/main.yml") or {}
    optional = {name: spec for name, spec in options.items() if not spec.get("required")}
    assert {name for name, spec in optional.items() if "default" not in spec} == set()
    assert defaults == {name: spec["default"] for name, spec in optional.items()}


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_of_a_role_give_an_option_one_meaning(role: str) -> None:
    options = options_of(role)
    for entry, spec in spec_of(role).items():
        assert (ROOT / "roles" / role / "tasks" / f"{entry}.yml").exists()
        for name, option in spec.get("options", {}).items():
            assert name.startswith(f"{role}_"), name
            assert option.get("description"), name
            assert {**option, "description": ""} == {**options[name], "description": ""}, name


@pytest.mark.parametrize("role", ROLES)
def test_wiring_names_options_that_the_role_has(role: str) -> None:
    wired = load(ROOT / "inventory/group_vars/all/roles.yml")
    options = options_of(role)
    given = {name for name in wired if name.startswith(f"{role}_")}
    assert given - options.keys() == set()
    required = {name for name, option in options.items() if option.get("required")}
    assert required - given == set()


def test_collections_are_the_same_everywhere() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cloudtop"]["collections"]
    required = load(ROOT / "requirements.yml")["collections"]
    assert {each["name"]: each["version"] for each in required} == wanted
    manifest = Path(ansible_collections.amazon.aws.__path__[0]) / "MANIFEST.json"
    installed = json.loads(manifest.read_text())["collection_info"]["version"]
    assert wanted.keys() == {"amazon.aws"}
    assert installed in SpecifierSet(wanted["amazon.aws"])


def test_roles_use_only_collections_that_are_required() -> None:
    allowed = {
        "ansible.builtin",
        *(each["name"] for each in load(ROOT / "requirements.yml")["collections"]),
    }
    own = {path.stem for path in (ROOT / "library").rglob("*.py")}
    for path in text_files("roles"):
        for task in tasks_in(path):
            module = module_of(task)
            assert module in own or module.rpartition(".")[0] in allowed, f"{path}: {module}"


def test_dependencies_are_installed_in_their_ranges() -> None:
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate():
            assert importlib.metadata.version(wanted.name) in wanted.specifier, text


def without_blocks(tasks: list[Any]) -> Iterator[Any]:
    """The tasks, and those of blocks, which only say what happens if one of theirs fails."""
    for task in tasks:
        if "block" not in task:
            yield task
            continue
        assert task.keys() == {"name", "block", "always"}
        yield from without_blocks([*task["block"], *task["always"]])


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_playbook_is_a_contents_page(playbook: Path) -> None:
    for play in load(playbook):
        assert play.keys() <= {"name", "hosts", "roles", "tasks", "vars"}
        for role in play.get("roles", []):
            assert role in ROLES
        for task in without_blocks(play.get("tasks", [])):
            assert task.keys() == {"name", "ansible.builtin.import_role"}
            entry = task["ansible.builtin.import_role"]
            assert entry.get("tasks_from", "main") in spec_of(entry["name"])


def test_a_role_declares_the_roles_whose_programs_it_uses() -> None:
    owners = {
        path: source.parts[-source.parts[::-1].index("roles")]
        for path, source in installed.files().items()
    }
    for role in ROLES:
        declared = dependencies_of(role) | {role}
        for path in text_files(
            *(f"roles/{role}/{part}" for part in ("files", "tasks", "templates"))
        ):
            for program in programs_used(path.read_text(), owners):
                assert owners[program] in declared, f"{path} uses {program}"


def dependencies_of(role: str) -> set[str]:
    """The roles that a role declares in meta/main.yml, and theirs."""
    meta = load(ROOT / "roles" / role / "meta/main.yml") or {}
    own = {each["role"] for each in meta.get("dependencies", [])}
    return own.union(*map(dependencies_of, own))


def programs_used(text: str, installed_paths: Iterable[str]) -> set[str]:
    """The installed files that a program, unit or task file sources, imports or runs."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    lib = "/usr/local/lib/cloudtop"
    used = set()
    for path in installed_paths:
        name = re.escape(Path(path).name)
        ways = [rf"{re.escape(path)}(?![\w.-])"]
        if path.startswith(f"{lib}/cloudtop_machine/"):
            module = path.removeprefix(f"{lib}/").removesuffix(".py").replace("/", ".")
            ways.append(rf"\b(from|import) {re.escape(module)}\b")
        elif path.startswith(f"{lib}/"):
            ways.append(rf"(\$lib|\$\{{lib\}}|\[.lib.\]\}})/{name}(?![\w.-])")
        elif "/bin/" in path or "/sbin/" in path:
            before = r"^|[|;&(]|\b(?:timeout \d+|exec|sh|then|do|else|if)\b|!"
            python = "\nfrom __future__ import" in text
            ways.append(rf"[\"']{name}[\"']" if python else rf"(?:{before})\s*{name}(?=\s|$)")
        if any(re.search(way, lines, re.MULTILINE) for way in ways):
            used.add(path)
    return used


def test_every_program_file_of_a_role_is_installed() -> None:
    sources = set(installed.files().values())
    for role in {path.parts[len(ROOT.parts) + 1] for path in sources}:
        for path in text_files(f"roles/{role}/files"):
            assert path in sources, path


def test_a_program_in_python_only_imports_its_module() -> None:
    """So that the type checker and tests by import see all of it."""
    form = re.compile(
        r'#!/usr/bin/python3 -IS\n""".+: (cloudtop_machine/[\w/]+\.py)\."""\n\nimport sys\n\n'
        r'sys\.path\.append\("/usr/local/lib/cloudtop"\)\nfrom ([\w.]+) import main\n\n'
        r"sys\.exit\(main\(\)\)\n"
    )
    for path in text_files("roles/machine_programs/files/bin", "roles/machine_programs/files/sbin"):
        text = path.read_text()
        if not text.startswith("#!/bin/sh\n"):
            entry = form.fullmatch(text)
            assert entry, path
            assert entry[1] == f"{entry[2].replace('.', '/')}.py"
            assert (ROOT / "roles/machine_programs/files" / entry[1]).exists(), path


def test_xml_and_json_are_parsed_by_python_alone() -> None:
    """Tools for lines take a value for a tag, or half of one for the whole."""
    for path in text_files(*(f"roles/{role}/{kind}" for role in ROLES for kind in KINDS)):
        text = path.read_text()
        assert not re.search(r"(?:^|[|;&(\s])[gm]?awk\s", text), path
        assert not re.search(
            r"\b(?:sed|grep|cut)\b[^|\n]*(?:</?[a-z]|\\?\"[a-z_]+\\?\" *:)", text
        ), path


def test_all_python_is_checked() -> None:
    """A program without an ending is no more than an import, as mypy sees files by their ending."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    seen = {path for each in tools["ruff"]["extend-include"] for path in ROOT.glob(each)}
    typed = [ROOT / each for each in tools["mypy"]["files"]]
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for path in [ROOT / name for name in listed.split("\0") if name]:
        if path.suffix == ".py":
            assert any(path.is_relative_to(each) for each in typed), path
        elif path.is_file() and re.match(rb"#!.*python", path.read_bytes()):
            assert path in seen, path
            assert len(path.read_text().splitlines()) <= 10, path


def test_roles_know_no_settings_and_name_no_groups() -> None:
    for path in text_files("roles"):
        for name in variables_in(path):
            assert not name.startswith("cloudtop_"), f"{path}: {name} is a setting"
            assert name not in {"groups", "group_names", "hostvars"}, f"{path}: {name}"


def test_roles_hide_no_error() -> None:
    for path in text_files("roles", "playbooks", ".ansible-lint"):
        match = re.search(
            r"ignore_errors|ignore_unreachable|noqa|skip_list|warn_list", path.read_text()
        )
        assert match is None, f"{path}: {match}"


def test_host_keys_are_always_checked() -> None:
    off = re.compile(
        r"StrictHostKeyChecking[\s=\"']+(no|off|accept-new)"
        r"|host_key_checking\s*[=:]\s*(no|false|off)",
        re.IGNORECASE,
    )
    for path in text_files(*SOURCES):
        match = off.search(path.read_text(errors="replace"))
        assert match is None, f"{path}: {match}"


def test_nothing_that_ansible_runs_knows_the_rehearsal_cloud() -> None:
    for path in text_files("roles", "playbooks", "library", "module_utils"):
        assert "localcloud" not in path.read_text(), path
        assert "rehearsal" not in path.read_text(), path


def test_dependencies_run_one_way() -> None:
    for path in text_files("cloudtop"):
        assert not imports_of(path) & {"localcloud", "runner", "moto", "tests"}, path
    for path in text_files("localcloud"):
        assert not imports_of(path) & {"cloudtop", "runner", "ansible", "ansible_runner"}, path
    for path in text_files("spotprices"):
        assert imports_of(path) <= {*sys.stdlib_module_names, "spotprices"}, path


def imports_of(path: Path) -> set[str]:
    """Names of the top-level packages that a Python file imports."""
    if path.suffix != ".py":
        return set()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def tasks_in(path: Path) -> Iterator[dict[str, Any]]:
    """The tasks of a role's file of tasks or handlers, those in blocks too."""
    if path.suffix != ".yml" or path.parent.name not in {"tasks", "handlers"}:
        return
    waiting = list(load(path) or [])
    while waiting:
        task = waiting.pop(0)
        blocks = [task.get(part, []) for part in ("block", "rescue", "always")]
        if any(blocks):
            waiting = [each for block in blocks for each in block] + waiting
        else:
            yield task


def module_of(task: dict[str, Any]) -> str:
    """The module or action that a task calls."""
    own = {path.stem for path in (ROOT / "library").rglob("*.py")}
    (module,) = [key for key in task if "." in key or key in own]
    return module


def variables_in(path: Path) -> set[str]:
    """Names of variables that a role's YAML or template reads."""
    if path.suffix == ".j2":
        return names_in(path.read_text())
    return set(strings_in(load(path))) if path.suffix == ".yml" else set()


def strings_in(value: Any, expression: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from strings_in(each, key in EXPRESSIONS)
    elif isinstance(value, list):
        for each in value:
            yield from strings_in(each, expression)
    elif isinstance(value, str):
        yield from names_in(f"{{{{ {value} }}}}" if expression else value)


def names_in(template: str) -> set[str]:
    """Names that a Jinja template reads; words in its literals are none."""
    if "{{" not in template and "{%" not in template:
        return set()
    parsed = jinja2.Environment().parse(template)
    return {node.name for node in parsed.find_all(jinja2.nodes.Name) if node.ctx == "load"}


def test_ansible_does_not_wait_for_ever_for_a_machine_that_was_taken_away() -> None:
    """Its last word may be lost: power is cut, or its network is down before its sshd is."""
    config = configparser.ConfigParser()
    config.read(ROOT / "ansible.cfg")
    words = shlex.split(config["ssh_connection"]["ssh_args"])
    options = subprocess.run(
        ["ssh", "-F", "none", *words, "-G", "machine"], capture_output=True, text=True, check=True
    ).stdout
    option = dict(line.split(" ", 1) for line in options.splitlines())
    assert int(option["serveraliveinterval"]) * int(option["serveralivecountmax"]) == 120


# Its own steps, each of which another playbook starts with
MANY_TASK_FILES = {"spot_request": 8}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_few_task_files(role: str) -> None:
    """A decision that is spread over tasks belongs into a plan of ``module_utils/``."""
    files = sorted(path.name for path in (ROOT / "roles" / role / "tasks").iterdir())
    assert len(files) <= MANY_TASK_FILES.get(role, 6), files


@pytest.mark.parametrize("role", ROLES)
def test_a_task_has_a_condition_of_few_parts(role: str) -> None:
    """More than three comparisons are a decision, which a plan takes."""
    for path in (ROOT / "roles" / role / "tasks").iterdir():
        for task in every_task(load(path)):
            condition = task.get("when", [])
            texts = condition if isinstance(condition, list) else [condition]
            parts = sum(len(re.split(r"\b(?:and|or)\b", str(text))) for text in texts)
            assert parts <= 3, f"{path}: {task['name']}"


def every_task(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All tasks, and the blocks that hold some of them."""
    for task in tasks:
        yield task
        yield from every_task(task.get("block", []))
