"""The configuration files in /etc/cloudtop, which shell programs source and Python reads here."""

from __future__ import annotations

import shlex


def read(path: str, defaults: dict[str, str]) -> dict[str, str]:
    """The defaults with what the file sets of them, as a shell that sources it would.

    A line is KEY=VALUE with shell quotes, or ``. FILE`` for another file before what follows.
    Raises OSError if the file cannot be read.
    """
    settings = dict(defaults)
    with open(path, encoding="utf-8") as file:
        words = shlex.split(file.read(), comments=True)
    for before, word in zip(["", *words], words, strict=False):
        if before == ".":
            settings = read(word, settings)
            continue
        key, _, value = word.partition("=")
        if key in settings:
            settings[key] = value
    return settings
