"""The places in the code that refuse: each call of the error class, by its file and function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("cloudtop", "tools")
ERRORS = {"CloudtopError", "NotSaved", "Unreachable"}
# The word that stands for a value in a sentence
VALUE = "…"


@dataclass(frozen=True)
class Site:
    """A call of the error class; ``key`` is its file, its function and its sentence."""

    path: str
    first: int
    last: int
    key: str
    has_remedy: bool

    def holds(self, path: str, line: int) -> bool:
        """Whether a line of a file belongs to it."""
        return path == self.path and self.first <= line <= self.last


def sites() -> Iterator[Site]:
    """All of the command line and its tools."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from of_file(path)


def of_file(path: Path) -> Iterator[Site]:
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    module = str(path.relative_to(ROOT)).removeprefix("cloudtop/").removesuffix(".py")
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id not in ERRORS:
            continue
        end = node.end_lineno or node.lineno
        name = ""
        for each in functions:
            if each.lineno <= node.lineno <= (each.end_lineno or 0):
                name = each.name
        remedies = node.args[1:] or node.keywords
        yield Site(str(path), node.lineno, end, f"{module}.{name}: {text(node.args[0])}",
                   bool(remedies))  # fmt: skip


def text(node: ast.expr) -> str:
    """A sentence with its values left out."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values
        )
    return VALUE
