"""Each folder uses only those below it, and none is too full to find a file in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Python's own packages, and what is not the project's
FOREIGN = ("__pycache__", "node_modules", "build")

Rows = tuple[tuple[str, ...], ...]

# Rooms of a package, modules and folders alike, from top to bottom. A room uses those of lower
# rows only: none above it, and none beside it. The key "" is the repository itself.
LAYERS: dict[str, Rows] = {
    "": (
        ("tests",),
        ("runner", "tools"),
        ("cloudtop", "localcloud", "library", "playbooks", "roles"),
        ("module_utils", "spotprices"),
    ),
    "cloudtop": (
        ("commands",),
        ("preflight",),
        ("money",),
        ("prices",),
        ("machine",),
        ("command",),
        ("login",),
        ("playbooks",),
        ("aws",),
        ("settings",),
        ("rates",),
        ("paths", "remedies"),
        ("errors",),
        ("foreign",),
    ),
    "localcloud": (
        ("__main__",),
        ("cli",),
        ("daemon",),
        ("api",),
        ("fis",),
        ("authorization",),
        ("reconcile",),
        ("dlm",),
        ("ec2",),
        ("machines",),
        ("iam",),
        ("shapes",),
        ("own_calls",),
        ("credentials",),
        ("config",),
        ("errors",),
    ),
    "cloudtop_machine": (
        ("idle", "look"),
        ("reap", "volume_room"),
        ("attach", "elastic_ip", "reap_journal"),
        ("ec2", "mapped_disks", "metadata", "saved_work"),
        ("imds", "status_file", "tell", "volume_directory"),
        ("blank", "config", "lock", "mounts", "proc", "times"),
    ),
    "module_utils": (
        ("looks",),
        ("access_plan", "image_plan", "orphans_plan", "request_plan", "volume_plan"),
        ("persistent_volume_plan", "request_refusals", "snapshot_plan", "snapshot_schedule_plan"),
        ("ec2_offers", "ec2_requests"),
        ("ec2_ours",),
        ("cloudtop_rules",),
        ("cloudtop_resources",),
        ("dotfiles", "machine_packages", "machine_units"),
        ("cloudtop_options", "machine_files"),
    ),
    "tools": (
        ("acceptance", "bench", "checks", "clients", "drill", "faults", "secret_rules"),
        ("settings_page", "trixie"),
        ("fresh_clone", "warm"),
    ),
    "localcloud.ec2": (
        ("instance_metadata", "responses"),
        ("backend",),
        ("cloud", "describe", "launch"),
        ("market",),
        ("records",),
        ("filters", "instance_types", "parameters", "query", "quotas"),
        ("errors",),
    ),
}
HELD = tuple(LAYERS)
# The folders of packages that do not lie in the repository's own
PLACES = {"cloudtop_machine": ROOT / "roles/machine_programs/files"}

# Files of code side by side in one folder
MOST = 18
CAPPED = (
    "cloudtop",
    "library",
    "localcloud",
    "module_utils",
    "playbooks",
    "roles",
    "spotprices",
    "tests",
    "tools",
)


def violations(root: Path, package: str, rows: Rows) -> list[str]:
    """The imports in ``package`` that break its layers, as "file:line: what is wrong".

    Imports count wherever they stand, in functions and under TYPE_CHECKING too.
    """
    depth = {room: number for number, row in enumerate(rows) for room in row}
    problems: list[str] = []
    for path in sources(root, package):
        module = module_of(root, path)
        room = room_of(package, module)
        shown = path.relative_to(root)
        if room not in depth and room:
            problems.append(f"{shown}:1: {room} has no layer; give it one in LAYERS")
            continue
        for line, target in imports(path, module):
            used = room_of(package, target)
            if not used or used == room or used not in depth:
                continue
            if not room or depth[used] <= depth[room]:
                problems.append(f"{shown}:{line}: {room or package} uses {used}, not below it")
    return problems


def layers_of(package: str) -> list[str]:
    """The violations of a package whose rows are in LAYERS."""
    return violations(PLACES.get(package, ROOT), package, LAYERS[package])


def sources(root: Path, package: str) -> Iterator[Path]:
    folder = root.joinpath(*package.split(".")) if package else root
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not any(part.startswith(".") or part in FOREIGN for part in parts):
            yield path


def module_of(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(package: str, module: str) -> str:
    """The room of the package that a module lies in; empty for one outside, and for itself."""
    if package and not module.startswith(f"{package}."):
        return ""
    inside = module[len(package) + 1 :] if package else module
    return inside.partition(".")[0]


def imports(path: Path, module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of what a file imports: for ``from a import b`` that is a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            # Ansible's name for the folder of what modules share
            base = (node.module or "").removeprefix("ansible.")
            if node.level:
                up = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
                up = up[: len(up) - node.level + 1]
                base = ".".join([*up, base] if base else up)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def full_folders(root: Path, place: str, most: int = MOST) -> list[str]:
    """Folders at or below ``place`` that hold more files of code than ``most``."""
    counts: dict[Path, int] = {}
    for path in sorted((root / place).rglob("*")):
        if "__pycache__" not in path.parts and path.is_file() and is_code(path):
            counts[path.parent] = counts.get(path.parent, 0) + 1
    return [
        f"{folder.relative_to(root)}: {count} files of code, {most} at most"
        for folder, count in counts.items()
        if count > most
    ]


def is_code(path: Path) -> bool:
    """Python and shell, also without a suffix; an __init__.py is its folder's name plate."""
    if path.suffix in (".py", ".sh"):
        return path.name != "__init__.py"
    return path.suffix == "" and path.read_bytes().startswith(b"#!")


@pytest.mark.parametrize("package", HELD)
def test_a_room_uses_only_those_below_it(package: str) -> None:
    assert layers_of(package) == []


@pytest.mark.parametrize("package", HELD)
def test_the_table_names_rooms_that_exist(package: str) -> None:
    root = PLACES.get(package, ROOT)
    rooms = {room_of(package, module_of(root, path)) for path in sources(root, package)}
    assert {room for row in LAYERS[package] for room in row} == rooms - {""}


@pytest.mark.parametrize("place", CAPPED)
def test_no_folder_is_too_full(place: str) -> None:
    assert full_folders(ROOT, place) == []


def test_a_machine_runs_little_shell() -> None:
    """The two programs that a boot waits for, and what they source: Python starts too slowly."""
    paths = [path for path in (ROOT / "roles").rglob("*") if path.is_file()]
    shell = [
        path
        for path in paths
        if "dotfiles" not in path.parts
        and (path.suffix == ".sh" or path.read_bytes().startswith(b"#!/bin/sh"))
    ]
    assert len(shell) == 5
    assert sum(len(path.read_text().splitlines()) for path in shell) < 1000


ROWS = (("top",), ("left", "right"), ("bottom",))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package whose rooms are folders and modules, with allowed imports only."""
    for name, text in {
        "made/__init__.py": "",
        "made/top/__init__.py": "",
        "made/top/one.py": "import made.left\nfrom made import bottom\n",
        "made/top/two.py": "from made.top.one import made\nfrom . import one\nimport json\n",
        "made/left.py": "from made.bottom import thing\n",
        "made/right/__init__.py": "",
        "made/right/one.py": "def late() -> None:\n    from made.bottom import thing\n",
        "made/bottom.py": "thing = 1\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_imports_that_run_down_are_fine(tree: Path) -> None:
    assert violations(tree, "made", ROWS) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("bottom.py", "\nfrom made.left import x\n", "bottom.py:2: bottom uses left"),
        ("bottom.py", "import made.top.one\n", "bottom.py:1: bottom uses top"),
        ("bottom.py", "def f():\n    from made import top\n", "bottom.py:2: bottom uses top"),
        ("left.py", "from made.right.one import x\n", "left.py:1: left uses right"),
        ("right/two.py", "from ..top import one\n", "right/two.py:1: right uses top"),
        ("right/__init__.py", "from ..left import x\n", "right/__init__.py:1: right uses left"),
        ("right/two.py", "from .. import top\n", "right/two.py:1: right uses top"),
        (
            "left.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made.top import one\n",
            "left.py:3: left uses top",
        ),
        ("__init__.py", "from made.bottom import x\n", "__init__.py:1: made uses bottom"),
    ],
)
def test_an_import_that_runs_up_is_named(tree: Path, name: str, text: str, problem: str) -> None:
    (tree / "made" / name).write_text(text)
    assert violations(tree, "made", ROWS) == [f"made/{problem}, not below it"]


def test_a_room_without_a_layer_is_named(tree: Path) -> None:
    (tree / "made/attic.py").write_text("")
    (problem,) = violations(tree, "made", ROWS)
    assert problem.startswith("made/attic.py:1: attic has no layer")


def test_the_repository_itself_has_layers(tree: Path) -> None:
    (tree / "runner.py").write_text("from made.top import one\n")
    rows = (("runner",), ("made",))
    assert violations(tree, "", rows) == []
    (tree / "made/bottom.py").write_text("import runner\n")
    assert violations(tree, "", rows) == ["made/bottom.py:1: made uses runner, not below it"]


def test_a_folder_that_is_too_full_is_named(tmp_path: Path) -> None:
    (tmp_path / "room/inner").mkdir(parents=True)
    (tmp_path / "room/inner/__init__.py").write_text("")
    (tmp_path / "room/inner/notes.txt").write_text("")
    for name in ("a.py", "b.sh"):
        (tmp_path / "room/inner" / name).write_text("")
    assert full_folders(tmp_path, "room", 2) == []
    (tmp_path / "room/inner/c").write_text("#!/bin/sh\n")
    assert full_folders(tmp_path, "room", 2) == ["room/inner: 3 files of code, 2 at most"]
