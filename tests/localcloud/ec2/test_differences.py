"""docs/differences.md names all that the rehearsal cloud refuses because it cannot do it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from localcloud.ec2.responses.all import NOT_REHEARSED

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/differences.md"
# A shorter piece of a sentence says nothing
LEAST = 4


def text() -> str:
    return " ".join(PAGE.read_text().split())


def refusals() -> Iterator[tuple[str, list[str]]]:
    """Place and fixed pieces of the sentence of each call of not_rehearsed in the code."""
    for path in sorted((ROOT / "localcloud").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "not_rehearsed":
                yield f"{path.relative_to(ROOT)}:{node.lineno}", list(pieces(node.args[0]))


def pieces(sentence: ast.expr) -> Iterator[str]:
    """The parts of a text that are written in the code, without those that a run fills in."""
    values = sentence.values if isinstance(sentence, ast.JoinedStr) else [sentence]
    for value in values:
        if isinstance(value, ast.Constant):
            piece = str(value.value).strip(" ,;'=")
            if len(piece) >= LEAST:
                yield piece


def test_every_refusal_of_the_code_is_in_the_table() -> None:
    page = text()
    every = dict(refusals())
    assert len(every) >= 15
    missing = {
        place: [piece for piece in parts if piece not in page] for place, parts in every.items()
    }
    assert {place: parts for place, parts in missing.items() if parts} == {}


def test_the_refused_actions_are_those_of_the_code() -> None:
    section = re.search(r"^Actions of EC2 that(.*?)\n\n", PAGE.read_text(), re.S | re.M)
    assert section
    assert set(re.findall(r"`(\w+)`", section[1])) == NOT_REHEARSED
