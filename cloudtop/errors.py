"""The one error base class of the command line."""

from __future__ import annotations


class CloudtopError(Exception):
    """What happened, and the next command to try.

    ``message`` is one plain sentence with the value seen and the rule it breaks;
    ``hint`` is the next command, or empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
