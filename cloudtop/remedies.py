"""Remedies as whole command lines for one cloudtop: a sentence names a command, this its options.

Sentences come from commands, modules, roles and machines, which need not know how the command line
was given. They all name commands as ``python runner.py provision`` (a test holds that), and are
completed where they are shown.
"""

from __future__ import annotations

import json
import re
import shlex
from argparse import Namespace
from collections.abc import Callable

# The options that say which cloudtop it is, and whose
PLACE = ("name", "cloud", "profile", "region")
# A command, and its options up to the end of the sentence, of the clause or of the line
_COMMAND = re.compile(
    r"\brunner\.py (?P<command>[a-z][a-z-]*[a-z])(?P<rest>(?:[^\n;,.]|\.(?=\S))*)"
)


def completed(options: Namespace) -> Callable[[str], str]:
    """A function that puts the given ones of these options into each command of a text."""
    given = {each: getattr(options, each, None) for each in PLACE}
    words = {
        f"--{each}": shlex.quote(value) for each, value in given.items() if isinstance(value, str)
    }
    if getattr(options, "json", False):
        words = {option: json.dumps(value)[1:-1] for option, value in words.items()}

    def complete(match: re.Match[str]) -> str:
        rest = f"{match['rest']} "
        own = {option for option in words if f" {option} " in rest}
        if "--cloud" in own:
            # Credentials are of the other cloud
            own.add("--profile")
        more = "".join(f" {option} {words[option]}" for option in words if option not in own)
        return f"runner.py {match['command']}{more}{match['rest']}"

    return lambda text: _COMMAND.sub(complete, text) if words else text
