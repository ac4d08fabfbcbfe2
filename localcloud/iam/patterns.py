"""Texts of a policy with wildcards and variables, compared with those of a call.

IAM User Guide, "IAM JSON policy elements: Resource" and "…: Variables and tags".
"""

from __future__ import annotations

import re
from functools import lru_cache

from localcloud.iam.context import MULTIVALUED, Context, UntoldError

VARIABLE = re.compile(r"\$\{([^}]*)\}")
DEFAULT = re.compile(r"([^,\s]+)\s*,\s*'([^']*)'")
# ${*} and the like stand for the character itself
PLAIN = ("*", "?", "$")
# Version of the policy language that has variables
WITH_VARIABLES = "2012-10-17"
Parts = tuple[tuple[str, bool], ...]


def parts(text: str, version: str, context: Context) -> Parts | None:
    """The text with its variables filled in: pieces, and whether a wildcard in them is one.

    None if a variable has no value, so that nothing is like the text. Raises UntoldError.
    """
    if version != WITH_VARIABLES:
        return ((text, True),)
    pieces: list[tuple[str, bool]] = []
    end = 0
    for variable in VARIABLE.finditer(text):
        value = _value(variable[1].strip(), context)
        if value is None:
            return None
        pieces += [(text[end : variable.start()], True), (value, False)]
        end = variable.end()
    return (*pieces, (text[end:], True))


def _value(name: str, context: Context) -> str | None:
    if name in PLAIN:
        return name
    given = DEFAULT.fullmatch(name)
    key = given[1] if given else name
    if key.lower() in MULTIVALUED:
        raise UntoldError(f"the variable {key} has more than one value")
    values = context.values(key)
    if values:
        return values[0]
    return given[2] if given else None


def plain(pieces: Parts) -> str:
    return "".join(text for text, _ in pieces)


def like(pieces: Parts, value: str) -> bool:
    """Whether the value is like the text: ``*`` and ``?`` are wildcards."""
    return bool(_glob(pieces).fullmatch(value))


def like_arn(pieces: Parts, value: str) -> bool:
    """As ``like``, each of the six parts of an ARN for itself; a last ``*`` takes all the rest."""
    wanted = _segments(pieces)
    given = value.split(":", len(wanted) - 1)
    return len(given) == len(wanted) and all(map(like, wanted, given))


def like_action(text: str, action: str) -> bool:
    return like(((text.lower(), True),), action.lower())


def _segments(pieces: Parts) -> list[Parts]:
    segments: list[list[tuple[str, bool]]] = [[]]
    for text, wild in pieces:
        first, *rest = text.split(":", 6 - len(segments))
        segments[-1].append((first, wild))
        segments += [[(each, wild)] for each in rest]
    return [tuple(each) for each in segments]


@lru_cache(maxsize=1024)
def _glob(pieces: Parts) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile(
        "".join(
            (wild.get(letter) if wildcards else None) or re.escape(letter)
            for text, wildcards in pieces
            for letter in text
        ),
        re.DOTALL,
    )
