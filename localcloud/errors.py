"""The rehearsal cloud's one error class, and the refusal of a call."""

from __future__ import annotations


class LocalCloudError(Exception):
    """An error, and the next command to try.

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
    """A call that is refused before anything looks at what it asks.

    ``status`` is HTTP's; ``code`` and ``message`` go to the client in its service's form.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
