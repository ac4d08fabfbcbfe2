"""The configuration files in /etc/cloudtop, which shell programs source and Python reads here."""

from __future__ import annotations

import shlex


def read(path: str, defaults: dict[str, str]) -> dict[str, str]:
    """The defaults with what the file sets of them, as a shell that sources it would.

    A line is KEY=VALUE with shell quotes, or ``. FILE`` for another file before what follows.
    Raises OSError if the file cannot be read.
    """
    with open(path, encoding="utf-8") as file:
        return _set(shlex.split(file.read(), comments=True), defaults)


def read_torn(path: str, defaults: dict[str, str]) -> tuple[dict[str, str], str]:
    """As ``read``, for what has to go on with a file that a power cut has left torn or empty.

    Its whole lines count up to the first that makes no sense. Returns why it is torn, too; empty if
    it is whole.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read().decode(errors="replace").splitlines(keepends=True)
        trouble = "" if lines else "it is empty"
        if lines and not lines[-1].endswith("\n"):
            trouble = "its last line is cut off"
            lines.pop()
        while True:
            try:
                return _set(shlex.split("".join(lines), comments=True), defaults), trouble
            except ValueError as error:
                trouble = str(error)
                lines.pop()
    except OSError as error:
        return dict(defaults), error.strerror or str(error)


def _set(words: list[str], defaults: dict[str, str]) -> dict[str, str]:
    settings = dict(defaults)
    for before, word in zip(["", *words], words, strict=False):
        if before == ".":
            settings = read(word, settings)
            continue
        key, _, value = word.partition("=")
        if key in settings:
            settings[key] = value
    return settings
