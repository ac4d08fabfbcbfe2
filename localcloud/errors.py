"""The one error base class of the rehearsal cloud."""

from __future__ import annotations


class LocalCloudError(Exception):
    """What happened, and the next command to try.

    ``message`` is one plain sentence with the value seen and the rule;
    ``hint`` is the next command or step, or empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Refused(Exception):
    """``status`` is HTTP's; code and message are what the client is told."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
