"""A command line in this process, and somebody who types what its refusals say.

The cloud is the rehearsal cloud's API with machines that are not real, which no command can log in
to. A run ends well at its first playbook, unless its playbooks shall be played: then their plays on
this computer are.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import runner
from cloudtop import paths, remedies
from cloudtop.command import parser
from cloudtop.errors import CloudtopError
from cloudtop.playbooks import run
from cloudtop.settings import clouds, settings
from tests import cloud
from tests.localcloud import lab as api
from tests.remedies.sites import Site

# Options of switch that are settings
SHORT = {"cloudtop_image=": "--image", "cloudtop_zone=": "--zone", "cloudtop_bid=": "--bid"}
# Refusals one after the other until a command does what it says
MOST = 5
# How a sentence joins its ways out, and the steps of one way
WAYS = re.compile(r"(?:[,;] or |\. Or |\nOr )")
STEPS = re.compile(r"(?:[;,] then:? |; )")
COMMAND = re.compile(r"\bpython runner\.py ((?:[^\n;,.()]|\.(?=\S))+)")
PROGRAM = re.compile(r"\b((?:aws|ssh-keygen|mkdir|unset) (?:[^\n;,()]|\.(?=\S))+)")
OPTION = re.compile(r"(?<![\w-])(-e \S+|--[a-z][a-z-]*(?: (?!-)[^\s,;()]+)?)")
VALUES = re.compile(
    r"(?:Did you mean|It is in:|Its zones are:|It has those of:|For example:) (\S+)"
)


class Reached(Exception):
    """A command came to its first playbook: nothing refused it."""


@dataclass(frozen=True)
class Case:
    """A command line that is refused, and how its remedies end.

    ``{tmp}`` in ``argv`` and in files is a directory of the case's own. ``state`` names a function
    of tests/remedies/states.py, which makes what the refusal is about. ``ways`` are those of the
    ways out that are tried, all by default. A value takes the place of the word ``wrong`` of
    ``argv``. A remedy that is another command, such as a list, may be wanted ``instead``; else the
    refused command has to succeed after it. With ``plays`` playbooks are played.
    """

    argv: str
    state: str = ""
    wrong: str = ""
    ways: tuple[int, ...] = ()
    instead: bool = False
    plays: bool = False


@dataclass
class Lab:
    """One cloud and one home; ``name`` is the cloudtop that every command line is about."""

    api: api.Lab
    tmp: Path
    name: str
    plays: bool = False
    # Programs that were run, for whoever reads a failure
    typed: list[str] = field(default_factory=list)
    refusals: list[tuple[str, int]] = field(default_factory=list)
    hint: str = ""

    def tags(self, kind: str, **more: str) -> dict[str, Any]:
        pairs = {"cloudtop:name": self.name, "cloudtop:owner": settings.login_name()}
        tags = [{"Key": key, "Value": value} for key, value in {**pairs, **more}.items()]
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]}

    def type(self, argv: list[str]) -> tuple[int, str]:
        """Run a command line; its exit code and its remedy as it was printed."""
        self.typed.append(shlex.join(["runner.py", *argv]))
        out, errors = io.StringIO(), io.StringIO()
        before, refused = dict(os.environ), len(self.refusals)
        remedy = ""
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                code = runner.main(argv)
            except Reached:
                code = 0
            except SystemExit as end:
                # The parser's own refusal
                code = int(end.code or 0)
            finally:
                os.environ.clear()
                os.environ.update(before)
        text = errors.getvalue()
        if code == 1 and len(self.refusals) > refused:
            options = parser(runner.COMMANDS, "").parse_args(argv)
            remedy = remedies.completed(options)(self.hint)
            assert remedy in text, f"{remedy!r} is not in {text!r}"
        self.typed.append(f"  {code}: {text.strip() or out.getvalue().strip()[-300:]}")
        return code, remedy

    @contextlib.contextmanager
    def entered(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """With this home, this cloud, and nothing of the environment's own."""
        for key in list(os.environ):
            if key.startswith("AWS_"):
                patch.delenv(key)
        home = self.tmp / "home"
        (home / ".ssh").mkdir(parents=True)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(home / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
        patch.setattr(paths, "OWN_SETTINGS", self.tmp / "settings_local.yml")
        patch.chdir(self.tmp)
        own = cloud.environment(self.api.endpoint, {})
        lines = "\n".join(f"export {key}={shlex.quote(value)}" for key, value in own.items())
        load, start = clouds.load, CloudtopError.__init__

        def loaded(name: str) -> clouds.Cloud:
            known = load(name)
            if name != "rehearsal":
                return known
            # It runs already, and says how to enter it
            return replace(known, start=(), environment=("-c", f"print({lines!r})"))

        def noted(error: CloudtopError, message: str, hint: str = "", *more: str) -> None:
            start(error, message, hint)
            frame = sys._getframe(1)
            self.refusals.append((frame.f_code.co_filename, frame.f_lineno))
            self.hint = error.hint

        patch.setattr(clouds, "load", loaded)
        patch.setattr(CloudtopError, "__init__", noted)
        prepare, play = run._prepare, run.run

        def here(wanted: run.Run, *rest: Any) -> Any:
            prepared = prepare(wanted, *rest)
            local = paths.INVENTORY.with_name("localhost.yml")
            prepared.config.command += ["-i", str(local), "--limit", "localhost"]
            return prepared

        def played(wanted: run.Run, *rest: Any) -> None:
            if self.plays:
                play(wanted, *rest)
            # Opening the port is a step on the way to others
            elif wanted.playbook.name != "reach.yml":
                raise Reached

        patch.setattr(run, "_prepare", here)
        patch.setattr(run, "run", played)
        yield

    def follow(self, case: Case, way: int, site: Site | None = None) -> int:
        """Type the command line, then what its remedy says, until nothing refuses.

        The first refusal has to be that of the site; returns how many ways its remedy names. Raises
        AssertionError for a remedy that names nothing to type, and for a circle.
        """
        self.typed.clear()
        self.refusals.clear()
        argv = shlex.split(case.argv.format(tmp=self.tmp))
        argv += [] if "--name" in argv else ["--name", self.name]
        code, remedy = self.type(argv)
        assert code == 1, self.story()
        if site:
            assert any(site.holds(*each) for each in self.refusals), self.story()
        self.end(argv, remedy, case, way, 1)
        return len(ways_of(remedy))

    def end(self, argv: list[str], remedy: str, case: Case, way: int, depth: int) -> None:
        assert depth <= MOST, self.story()
        ways = ways_of(remedy)
        assert ways, f"nothing to type in {remedy!r}\n{self.story()}"
        again = argv
        for step in steps_of(ways[min(way, len(ways) - 1)]):
            kind, text = step
            if kind == "command":
                words = shlex.split(text)
                same = words[0] == argv[0]
                if same:
                    again = words
                    continue
                code, further = self.type(words)
                if code:
                    self.end(words, further, replace(case, wrong=""), 0, depth + 1)
                if case.instead:
                    return
            elif kind == "program":
                self.program(text)
            elif kind == "option":
                again = with_option(again, shlex.split(text), case.wrong)
            else:
                value = text.rstrip("?.,")
                assert case.wrong, f"what {value!r} takes the place of is not said"
                again = [each.replace(case.wrong, value) for each in again]
        if depth == 1:
            # All that it needs is there; to come to its playbooks is enough
            self.plays = False
        code, further = self.type(again)
        if code:
            self.end(again, further, case, way, depth + 1)

    def program(self, text: str) -> None:
        """Run what is no command of ours; it has to succeed."""
        words = shlex.split(text)
        self.typed.append(text)
        if words[0] == "unset":
            for each in words[1:]:
                os.environ.pop(each, None)
            return
        environ = {**cloud.environment(self.api.endpoint), "HOME": str(self.tmp / "home")}
        environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
        # A shell, as it may send output to a file
        done = subprocess.run(
            ["/bin/sh", "-c", text], env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{done.stderr}\n{self.story()}"

    def story(self) -> str:
        return "\n".join(self.typed)


def ways_of(remedy: str) -> list[str]:
    """The ways out of a remedy that have something to type."""
    return [each for each in WAYS.split(remedy) if steps_of(each)]


def steps_of(way: str) -> list[tuple[str, str]]:
    """The lines that a person types, in order: commands, programs, options, or values."""
    steps: list[tuple[str, str]] = []
    for part in STEPS.split(way):
        if match := COMMAND.search(part):
            steps.append(("command", match[1]))
        elif match := PROGRAM.search(part):
            steps.append(("program", match[1].strip()))
        elif match := VALUES.search(part):
            steps.append(("value", match[1]))
        else:
            steps += [("option", each) for each in OPTION.findall(part)]
    # "For example: --days 30" is an option
    return [
        ("option", way[way.index(text) :].strip()) if kind == "value" and text[0] == "-" else
        (kind, text)
        for kind, text in steps
    ]  # fmt: skip


def with_option(argv: list[str], words: list[str], wrong: str) -> list[str]:
    """The command line with an option in the place of what it had of it, or of the wrong word."""
    key = words[1].partition("=")[0] + "=" if words[0] == "-e" else ""
    kept: list[str] = []
    skip = False
    for number, each in enumerate(argv):
        if skip:
            skip = False
            continue
        value = argv[number + 1] if number + 1 < len(argv) else ""
        of_setting = each == "-e" and (value.startswith(key) or value == wrong)
        if each == SHORT.get(key) or of_setting if key else each == words[0]:
            skip = len(words) > 1
            continue
        kept.append(each)
    # Before the command that ssh runs
    return [kept[0], *words, *kept[1:]]
