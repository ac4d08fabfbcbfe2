"""Each program that the laptop starts is there on macOS and BSD, too, with its options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
# OpenSSH's portable release and git are the same programs everywhere (their own manuals; --quiet of
# git-bundle and --no-write-fetch-head are of 2.29, Apple's git is 2.39). The others are as in
# POSIX.1-2024, "Utilities", which BSD's userland follows; `command -v` and `id -u` are of it.
ALLOWED: Mapping[str, frozenset[str]] = {
    "ssh": frozenset({"-o"}),
    "ssh-keygen": frozenset({"-q", "-t", "-N", "-C", "-f", "-y", "-P"}),
    "ssh-keyscan": frozenset({"-T", "-t", "-p"}),
    "git": frozenset({
        "-C", "--git-dir", "--work-tree", "--quiet", "--bare", "--all", "--force", "-m",
        "--porcelain", "-e", "--no-write-fetch-head",
    }),
    "id": frozenset({"-u", "-n", "-un"}),
    "command": frozenset({"-v"}),
    "echo": frozenset(),
    "printf": frozenset(),
}  # fmt: skip
# Programs of the machine and of the system's package manager, which no laptop without them reaches
ELSEWHERE = ("cloudtop/machine/programs/",)
# Modules of Ansible that run on the laptop; the rest of library/ runs on the machine, or asks EC2
LOCAL_MODULES = ("library/machine/dotfiles_bundle.py", "library/machine/ec2_host_key_plan.py")
SHELL = re.compile(r"\b(command|id|echo|printf)((?: -[A-Za-z-]+)+)")
STARTERS = {"run", "Popen", "check_output", "check_call", "call", "execvp", "execv", "posix_spawn"}
Words = tuple[str, int, list[str]]


def sources() -> Iterator[Path]:
    for path in [ROOT / "runner.py", *sorted((ROOT / "cloudtop").rglob("*.py"))]:
        if not str(path.relative_to(ROOT)).startswith(ELSEWHERE):
            yield path
    yield from (ROOT / name for name in LOCAL_MODULES)


def literal(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def starts(path: Path) -> Iterator[Words]:
    """Lists of words that begin with a program's name, and the words that a helper ``git`` gets."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        words: list[ast.expr] = []
        if isinstance(node, ast.List | ast.Tuple):
            words = node.elts
            first = literal(words[0]) if words else None
            if first and first in ALLOWED:
                yield first, node.lineno, [text for one in words[1:] if (text := literal(one))]
            elif first and first.startswith("-") and path.name.startswith("dotfiles"):
                yield "git", node.lineno, [text for one in words if (text := literal(one))]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "git":
            yield "git", node.lineno, [text for one in node.args if (text := literal(one))]


def unknown_programs(path: Path) -> Iterator[str]:
    """Programs that a call starts by a name that is written there and not in the table."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or getattr(node.func, "attr", "") not in STARTERS:
            continue
        first: ast.AST | None = node.args[0] if node.args else None
        if isinstance(first, ast.List | ast.Tuple):
            first = first.elts[0] if first.elts else None
        name = literal(first) if first else None
        if name and name not in ALLOWED:
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {name}"


def options(words: list[str]) -> set[str]:
    # getopt(3) everywhere ends options at "--"
    return {word for word in words if word.startswith("-") and word not in ("-", "--")}


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: path.stem)
def test_programs_of_the_laptop_are_started_with_options_that_bsd_has(path: Path) -> None:
    foreign = [
        f"{path.relative_to(ROOT)}:{line}: {program} {' '.join(sorted(more))}"
        for program, line, words in starts(path)
        if (more := options(words) - ALLOWED[program])
    ]
    assert foreign == []
    assert list(unknown_programs(path)) == []


def test_tasks_of_the_laptop_start_programs_with_options_that_bsd_has() -> None:
    """The commands of the role access, the one that runs programs on the laptop, and of lookups."""
    tasks = yaml.safe_load((ROOT / "roles/access/tasks/make_key.yml").read_text())
    command = "ansible.builtin.command"
    argvs = [task[command]["argv"] for task in tasks if command in task]
    assert len(argvs) == 2
    for program, *words in argvs:
        assert options(words) <= ALLOWED[program], words
    wiring = (ROOT / "inventory/group_vars/all/roles.yml").read_text()
    for command in re.findall(r"builtin\.pipe', '([^']+)'", wiring):
        program, *words = command.split()
        assert options(words) <= ALLOWED[program], command


def test_only_named_roles_start_programs_on_the_laptop() -> None:
    """A second one that does is to be looked at here, too; that of image runs on the machine."""
    users = {
        path.parts[-3]
        for path in (ROOT / "roles").glob("*/tasks/*.yml")
        if re.search(r"builtin\.(command|shell|script|raw):", path.read_text())
    }
    assert users == {"access", "image"}


def test_the_installers_shell_script_is_plain() -> None:
    """It runs before anything is installed: on macOS it has to come to its own refusal."""
    text = (ROOT / "localcloud/system-packages.sh").read_text()
    before = text.partition("export DEBIAN_FRONTEND")[0]
    for line in before.splitlines():
        for program, more in SHELL.findall(line.partition("#")[0]):
            assert set(more.split()) <= ALLOWED[program], line
    assert before != text


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ('run(["ssh", "-o", "A=b", "--", "ls"])', set()),
        ('run(["id", "--user"])', {"--user"}),
        ('self.git("status", "--short", "-z")', {"--short", "-z"}),
    ],
)
def test_a_foreign_option_is_seen(code: str, wrong: set[str], tmp_path: Path) -> None:
    place = tmp_path / "dotfiles_x.py"
    place.write_text(code)
    assert {
        word for program, _, words in starts(place) for word in options(words) - ALLOWED[program]
    } == wrong
