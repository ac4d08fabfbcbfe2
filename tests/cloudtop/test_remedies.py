"""Remedies are whole command lines: for the cloudtop, the cloud and the credentials of this run."""

from __future__ import annotations

import ast
import io
import re
import shlex
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import runner
from cloudtop import foreign, remedies
from cloudtop.command import Command, Context, parser
from cloudtop.errors import CloudtopError
from cloudtop.settings import clouds, settings

ROOT = Path(__file__).resolve().parents[2]
GIVEN = Namespace(name="two", cloud="aws", profile="work", region="eu-west-1", json=False)
OPTIONS = "--name two --cloud aws --profile work --region eu-west-1"
NAMES = [row.name for rows in runner.COMMANDS.values() for row in rows]
# The word that stands for a value in a sentence
PLACEHOLDER = "X"
MENTION = re.compile(r"runner\.py")
NAMED = re.compile(rf"\brunner\.py (?:{'|'.join(NAMES)})(?![a-z-])")
# A second command behind one, which nobody could type as it stands; "bid more" is a verb
VERBS = [name for name in NAMES if name != "bid"]
BARE = re.compile(rf"runner\.py \S+ (?:then|and|or)(?: run)? (?:{'|'.join(VERBS)})\b")


def whole(text: str, options: Namespace = GIVEN) -> str:
    return remedies.completed(options)(text)


def test_a_command_gets_the_options_that_were_given() -> None:
    assert whole("run: python runner.py provision") == f"run: python runner.py provision {OPTIONS}"


def test_options_come_before_those_of_the_command() -> None:
    text = "python runner.py destroy --delete-volume two"
    assert whole(text) == f"python runner.py destroy {OPTIONS} --delete-volume two"
    options = parser(runner.COMMANDS, "").parse_args(shlex.split(whole(text))[2:])
    assert (options.name, options.delete_volume) == ("two", "two")


def test_two_commands_of_a_sentence_are_both_whole() -> None:
    text = "python runner.py destroy, then: python runner.py provision."
    assert whole(text).count("--name two") == 2
    assert whole(text).endswith("eu-west-1.")


def test_an_option_that_is_there_is_not_given_twice() -> None:
    text = whole("python runner.py rehearse --cloud rehearsal --name one")
    assert text.count("--name") == text.count("--cloud") == 1
    # A profile is of the other cloud
    assert "--profile" not in text


def test_without_options_a_remedy_is_as_it_was() -> None:
    none = Namespace(name=None, cloud=None, profile=None, region=None)
    assert whole("python runner.py bake", none) == "python runner.py bake"


def test_a_value_is_quoted_for_a_shell_and_in_json() -> None:
    odd = Namespace(name=None, cloud=None, profile='my "own" one', region=None, json=False)
    text = whole("python runner.py status", odd)
    assert shlex.split(text)[-1] == 'my "own" one'
    odd.json = True
    text = whole('{"hint": "python runner.py status"}', odd)
    assert shlex.split(yaml.safe_load(text)["hint"])[-1] == 'my "own" one'


def test_all_that_is_printed_is_completed() -> None:
    stream = io.StringIO()
    guarded = foreign.guarded(stream)
    foreign.complete(whole, guarded)
    print("To go on: python runner.py provision", file=guarded)
    assert stream.getvalue() == f"To go on: python runner.py provision {OPTIONS}\n"


def texts() -> Iterator[tuple[str, str]]:
    """All strings of the code and of the roles, with the place of each."""
    for folder in ("cloudtop", "library", "module_utils"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            documents = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
                and node.body
                and isinstance(node.body[0], ast.Expr)
            }
            inside = {
                id(part)
                for node in ast.walk(tree)
                if isinstance(node, ast.JoinedStr)
                for part in node.values
            }
            for node in ast.walk(tree):
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.JoinedStr):
                    yield (
                        place,
                        "".join(
                            str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER
                            for part in node.values
                        ),
                    )
                elif (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and not {id(node)} & (documents | inside)
                ):
                    yield place, node.value
    for path in sorted((ROOT / "roles").rglob("tasks/*.yml")):
        yield from of_tasks(str(path.relative_to(ROOT)), yaml.safe_load(path.read_text()))


def of_tasks(place: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from of_tasks(place, each)


# These are no remedies: the program's own name, and words of options and documentation
OTHERS = {
    "runner.py",
    "runner.py COMMAND [OPTION...]",
    "Options of a command: runner.py COMMAND --help",
}


def test_every_remedy_of_the_code_names_its_command_so_that_it_can_be_completed() -> None:
    mentions, wrong = 0, []
    for place, text in texts():
        if not MENTION.search(text) or text.startswith("\n---") or text in OTHERS:
            continue
        mentions += 1
        commands = len(NAMED.findall(text)) + text.count(f"runner.py {PLACEHOLDER}")
        if commands != len(MENTION.findall(text)) or BARE.search(text):
            wrong.append(f"{place}: {text}")
        elif whole(text).count("--name") < len(NAMED.findall(text)):
            wrong.append(f"{place}: {whole(text)}")
    assert mentions > 100
    assert wrong == []


def test_the_command_line_completes_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["destroy", "--name", "two", "--cloud", "rehearsal", "--delete-volume", "other"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "enter", refuse)
        assert runner.main(argv) == 1
    whole_line = "python runner.py provision --name two --cloud rehearsal"
    assert whole_line in capsys.readouterr().err


@pytest.mark.parametrize(("cloud", "named"), [("rehearsal", True), ("aws", False)])
def test_a_rehearsal_cloud_that_has_ended_is_named_with_the_command_that_starts_it(
    monkeypatch: pytest.MonkeyPatch, cloud: str, named: bool
) -> None:
    # Nobody listens at port 1
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    context = Context(GIVEN, settings.load(), clouds.load(cloud), ())
    with pytest.raises(CloudtopError) as failed:
        Command("status", refuse, "show").act(context)
    assert ("does not answer at http://127.0.0.1:1" in failed.value.message) == named
    assert ("python -m localcloud start" in failed.value.hint) == named


def refuse(*_arguments: object) -> None:
    raise CloudtopError("It is so.", "Try: python runner.py provision")
