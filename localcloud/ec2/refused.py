"""A call that is refused before anything looks at what it asks."""

from __future__ import annotations


class Refused(Exception):
    """``status`` is HTTP's; code and message are what the client is told."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
