"""Values have nouns for names, and sentences are plain English."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    *("cloudtop", "inventory", "library", "localcloud", "module_utils", "molecule", "playbooks"),
    *("roles", "runner.py", "spotprices", "tests", "tools"),
)
# Examples of what is refused, and work trees that an earlier program saved
EXEMPT = (
    *(
        "tests/test_language.py",
        "tests/test_docs.py",
        "tests/machine_programs/saved_work/saved_by_shell/",
    ),
)

# Participles that say how a value came, not what it is
PARTICIPLES = frozenset({"found", "told", "made", "said"})
PHRASES = re.compile(
    r"\b(?:(?:is|are) told|(?:is|be) known|what it comes to|as is wanted|nobody gets)\b",
    re.IGNORECASE,
)
BEGINNINGS = re.compile(r"(?:^|[.!?:][\"')\]]*\s+)(?:Of|That|Where|What)\s")

# Before the text of a line that is no Python: a list's dash, a YAML key, a quote, a heading
LEAD = re.compile(r"^(?:[-*]\s+)?(?:[\w.]+:\s+)?[\"'>|#\s]*")

Text = tuple[int, str]


def names(source: str) -> Iterator[tuple[int, str]]:
    """Every binding of a participle, as line and name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                bound = [name]
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound = [name]
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                bound = [name]
            case ast.keyword(arg=str(name)) | ast.ExceptHandler(name=str(name)):
                bound = [name]
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                bound = [name]
            case ast.alias():
                bound = [node.asname or node.name]
            case _:
                continue
        yield from ((getattr(node, "lineno", 0), name) for name in bound if name in PARTICIPLES)


def python_texts(source: str) -> Iterator[Text]:
    """Docstrings, messages and blocks of comments, each with its first line's number."""
    tree = ast.parse(source)
    joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    pieces = {id(part) for node in joined for part in node.values}
    for template in joined:
        yield template.lineno, "".join(_text(part) or "{}" for part in template.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in pieces and (text := _text(node)):
            yield node.lineno, text
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [(one.start[0], one.string) for one in tokens if one.type == tokenize.COMMENT]
    yield from blocks((line, text.lstrip("#")) for line, text in comments)


def _text(node: ast.expr) -> str:
    """A string's text; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def other_texts(source: str) -> Iterator[Text]:
    """The same of shell, YAML and Markdown: blocks of comments, and every other line."""
    comments = []
    for number, line in enumerate(source.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("#"):
            comments.append((number, stripped.lstrip("#")))
        else:
            yield number, LEAD.sub("", stripped)
    yield from blocks(comments)


def blocks(lines: Iterator[Text] | list[Text]) -> Iterator[Text]:
    """Neighbouring lines as one text, for a sentence may go over several."""
    block: list[str] = []
    first = last = 0
    for number, text in lines:
        if block and number != last + 1:
            yield first, " ".join(block)
            block = []
        first = first if block else number
        last = number
        block.append(text)
    if block:
        yield first, " ".join(block)


def sentences(texts: Iterator[Text]) -> Iterator[Text]:
    """Every phrase and beginning that is no plain English, as line and words."""
    for line, text in texts:
        plain = " ".join(text.split())
        for pattern in (PHRASES, BEGINNINGS):
            for match in pattern.finditer(plain):
                yield line, plain[match.start() : match.end() + 30]


def is_python(path: Path, source: str) -> bool:
    first = source.partition("\n")[0]
    return path.suffix == ".py" or (first.startswith("#!") and "python" in first)


def tracked(folder: str) -> Iterator[tuple[Path, str]]:
    """The folder's text files under version control, and their contents."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if name.startswith(EXEMPT) or not path.is_file():
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


@pytest.mark.parametrize("folder", FOLDERS)
def test_values_have_nouns_for_names(folder: str) -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{line}: name it by its noun, not '{name}'"
        for path, source in tracked(folder)
        if is_python(path, source)
        for line, name in names(source)
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("folder", FOLDERS)
def test_sentences_are_plain(folder: str) -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{line}: say it plainly: '{words.strip()}'"
        for path, source in tracked(folder)
        for line, words in sentences(
            python_texts(source) if is_python(path, source) else other_texts(source)
        )
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_has_files(folder: str) -> None:
    assert any(True for _ in tracked(folder))


@pytest.mark.parametrize(
    "source",
    [
        "found = 1",
        "found: int = 1",
        "for told in (): pass",
        "if made := 1: pass",
        "with open('x') as said: pass",
        "_ = [1 for found in ()]",
        "def f(said): pass",
        "def f(*, told=1): pass",
        "def made(): pass",
        "class C:\n    told: bool = False",
        "self.made = 1",
        "f(told=True)",
        "(a, (found, b)) = 1, (2, 3)",
        "import x as made",
        "from x import said",
        "try: pass\nexcept OSError as told: pass",
        "match 1:\n    case [*found]: pass",
        "_ = lambda said: 1",
    ],
)
def test_a_participle_is_seen_however_it_is_bound(source: str) -> None:
    assert len(list(names(source))) == 1


@pytest.mark.parametrize("source", ["result.volumes = unfound", "made_before()", "print('found')"])
def test_other_names_pass(source: str) -> None:
    assert list(names(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        '"""What it does."""',
        '"""Reads.\n\n    Where it is.\n    """',
        '"""The first. Of the second, nothing."""',
        "# That is so",
        "# The user is\n# told so",
        "x = 1  # As is wanted",
        'f"The price {x} is not right. What now {y}"',
        'f"{x} is told {y}"',
        'print("one that is"\n      " known")',
        "raise ValueError('it cannot be known')",
    ],
)
def test_a_sentence_is_seen_wherever_it_stands(source: str) -> None:
    assert len(list(sentences(python_texts(source)))) == 1


@pytest.mark.parametrize(
    "source",
    ["- name: What it does", "# Where it\n# is", "msg: >-\n  Nobody gets it", "## Of prices"],
)
def test_a_sentence_is_seen_in_other_files(source: str) -> None:
    assert len(list(sentences(other_texts(source)))) == 1


@pytest.mark.parametrize(
    "source",
    ['"""Asks what it is, and where."""', "# Offers; whatever: Whatever is", "x = 'Of'"],
)
def test_plain_sentences_pass(source: str) -> None:
    assert list(sentences(python_texts(source))) == []
