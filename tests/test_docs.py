"""Commands, settings, paths and links of the pages exist, and the pages are plain English."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import runner
from cloudtop import command
from tools import settings_page

ROOT = Path(__file__).resolve().parent.parent
README, ROLES = ROOT / "README.md", ROOT / "roles" / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROLES, *sorted((ROOT / "docs").glob("*.md"))]
LINES = 80

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
COMMAND = re.compile(r"(?P<program>\brunner\.py|-m localcloud|(?:^|\s)make)(?= \S)(?P<words>.*)")
# The end of a command within a line of shell
SHELL_END = re.compile(r"\s(?:\||&&|;|>)|\)\"|\s#")
# Stand for a value; those of numbers, where the parser wants one
PLACEHOLDERS = {"SECONDS": "1", "N": "1"}
SETTING = re.compile(r"(?<![\w/])cloudtop_[a-z_]+\b(?!/|\.py)")
# Names that begin as settings do
PACKAGES = {"cloudtop_machine", "cloudtop_resources", "cloudtop_rules"}
BANNED = re.compile(
    r"\b(?:is|are) told\b|\b(?:is|be) known\b|\bwhat it comes to\b|\bas is wanted\b"
    r"|\bnobody gets\b|(?:^|[.!?:|*]\s+)(?:Of|Where) "
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code_of(page: Path) -> Iterator[str]:
    """The lines of the page's code blocks, and its inline code."""
    text = page.read_text()
    for block in FENCE.findall(text):
        yield from block.splitlines()[1:-1]
    # A line that ends with a backslash goes on in the next
    for line in FENCE.sub("", text).replace("\\\n", "").splitlines():
        if line.startswith("    "):
            yield line.strip()
        else:
            yield from INLINE.findall(line)


def prose_of(page: Path) -> str:
    """The page's paragraphs, one a line, without code blocks."""
    text = "\n".join(
        "" if line.startswith("    ") else line
        for line in FENCE.sub("", page.read_text()).splitlines()
    )
    return "\n".join(" ".join(one.split()) for one in re.split(r"\n(?:\s*\n|(?=[|*#\d-]))", text))


def commands_of(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every command of the page: its program, and its words."""
    for code in code_of(page):
        for match in COMMAND.finditer(code):
            words = SHELL_END.split(match["words"], maxsplit=1)[0]
            yield match["program"].strip(), shlex.split(words, comments=True)


COMMANDS = [
    pytest.param(program, words, id=f"{name_of(page)}: {program} {' '.join(words)}")
    for page in PAGES
    for program, words in commands_of(page)
]


@cache
def command_line() -> argparse.ArgumentParser:
    return command.parser(runner.COMMANDS, "")


def rehearsal_parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = importlib.import_module("localcloud.cli.main").parser()
    return parser


def parse(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace | None:
    """The options that the words give, None for a page of help. Fails as the parser does."""
    try:
        return parser.parse_args([PLACEHOLDERS.get(word, word) for word in words])
    except SystemExit as ended:
        # --help and --version
        assert ended.code == 0, f"refused: {shlex.join(words)}"
        return None


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """By name, from a parser that has one set of them."""
    (choices,) = [
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    return dict(choices)


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


@pytest.mark.parametrize(("program", "words"), COMMANDS)
def test_a_command_of_a_page_exists(program: str, words: list[str]) -> None:
    if program == "make":
        targets = [word for word in words if "=" not in word]
        assert targets and set(targets) <= make_targets()
    elif program == "-m localcloud":
        parse(rehearsal_parser(), words)
    elif words[0] == "COMMAND":
        for name in subcommands(command_line()):
            parse(command_line(), [name, *words[1:]])
    else:
        parse(command_line(), words)


def test_pages_have_commands() -> None:
    """Else the test above tests nothing."""
    counts = {page: len(list(commands_of(page))) for page in PAGES}
    assert counts[README] >= 8
    assert counts[ROOT / "docs" / "using.md"] >= 30
    assert counts[ROOT / "docs" / "rehearsal-cloud.md"] >= 12


@pytest.mark.parametrize(
    ("program", "words"),
    [("runner.py", ["provisoin"]), ("runner.py", ["reap"]), ("runner.py", ["ssh", "--no-such"])],
)
def test_refuses_a_command_that_does_not_exist(program: str, words: list[str]) -> None:
    with pytest.raises(AssertionError, match="refused"):
        parse(command_line(), words)


def test_every_subcommand_is_in_the_manual() -> None:
    documented = {words[0] for _, words in commands_of(ROOT / "docs" / "using.md")}
    assert subcommands(command_line()).keys() - documented == set()


def test_every_control_of_the_rehearsal_cloud_is_in_its_page() -> None:
    page = ROOT / "docs" / "rehearsal-cloud.md"
    documented = {words[0] for program, words in commands_of(page) if program != "make"}
    assert subcommands(rehearsal_parser()).keys() - documented == set()


def known_settings() -> set[str]:
    return set(yaml.safe_load(settings_page.SETTINGS.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_of_a_page_exist(page: Path) -> None:
    assert set(SETTING.findall(page.read_text())) - known_settings() - PACKAGES == set()


def test_the_page_of_settings_is_made_from_the_settings_file() -> None:
    page = settings_page.page(settings_page.SETTINGS.read_text())
    assert settings_page.PAGE.read_text() == page, "Run: .venv/bin/python -m tools.settings_page"
    described = [each.name for each in settings_page.settings(settings_page.SETTINGS.read_text())]
    assert described == list(yaml.safe_load(settings_page.SETTINGS.read_text()))


def test_refuses_a_setting_with_no_comment() -> None:
    with pytest.raises(ValueError, match="cloudtop_bare has no comment"):
        settings_page.page("# --- A ---\n# One\ncloudtop_one: 1\ncloudtop_bare: 2\n")


@cache
def tracked() -> frozenset[str]:
    """Every file that git has or would take, and every folder of one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    files = {name for name in listed if name and (ROOT / name).exists()}
    folders = {str(parent) for name in files for parent in Path(name).parents}
    return frozenset(files | folders)


def paths_of(page: Path) -> Iterator[str]:
    """Paths of this repository that the page names in inline code or in a command."""
    places = {
        *{name.partition("/")[0] for name in tracked()},
        *("docs", "roles", "tools"),
    }
    for code in code_of(page):
        for word in re.split(r"[\s=@]+", code):
            name = word.removeprefix("./")
            first, slash, _ = name.partition("/")
            if (slash and first in places) or name in {"runner.py", "Makefile"}:
                yield name.rstrip("/.,:;")


# Yours, so git has none
OWN = {"inventory/group_vars/all/settings_local.yml"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_of_a_page_exist(page: Path) -> None:
    absent = sorted(set(paths_of(page)) - tracked() - OWN)
    assert not absent, f"{name_of(page)} names what is not there: {' '.join(absent)}"


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives the page's headings."""
    headings = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def links_of(page: Path) -> list[str]:
    return LINK.findall(FENCE.sub("", page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_resolve(page: Path) -> None:
    broken = []
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.is_file() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = {(README.parent / link.partition("#")[0]).resolve() for link in links_of(README)}
    assert set(PAGES) - {README} - linked == set()


def test_the_readme_is_one_screen() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= LINES
    assert "docs/reap.svg" in text


def test_the_readme_names_the_test_command_of_ci() -> None:
    (command,) = re.findall(r"^exec (.+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert f"`{command}`" in README.read_text()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_in_plain_english(page: Path) -> None:
    prose = prose_of(page)
    assert [prose[match.start() - 30 : match.end() + 30] for match in BANNED.finditer(prose)] == []


@pytest.mark.parametrize(
    "sentence",
    ["The guest is told.", "a. Where it is so, b.", "It is\nknown.", "* Of a machine, nothing."],
)
def test_refuses_what_is_no_plain_english(sentence: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{sentence}\n")
    assert BANNED.search(prose_of(page))


# --- the table of roles -------------------------------------------------------------------


def rows() -> dict[str, dict[str, str]]:
    """By role, its cells by the column's head."""
    table = [line.strip("|").split("|") for line in ROLES.read_text().splitlines() if "|" in line]
    heads = [cell.strip() for cell in table[0]]
    return {
        cells[0].strip(" `"): dict(zip(heads, map(str.strip, cells), strict=True))
        for cells in table[2:]
    }


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def test_the_table_of_roles_has_every_role_once() -> None:
    folders = [path.name for path in (ROOT / "roles").iterdir() if path.is_dir()]
    assert list(rows()) == sorted(folders)


@pytest.mark.parametrize("role", list(rows()))
def test_the_row_of_a_role_is_as_the_role_says(role: str) -> None:
    row, folder = rows()[role], ROOT / "roles" / role
    facts = set(re.findall(r"fact C\((\w+)\)", (folder / "meta/argument_specs.yml").read_text()))
    assert facts <= set(INLINE.findall(row["exports"]))
    packages = (load(folder / "defaults/main.yml") or {}).get(f"{role}_packages") or []
    assert [each for each in row["installs"].split(", ") if each] == packages
    declared = (load(folder / "meta/main.yml") or {}).get("dependencies") or []
    names = {each if isinstance(each, str) else each["role"] for each in declared}
    assert names <= set(INLINE.findall(row["needs"]))
