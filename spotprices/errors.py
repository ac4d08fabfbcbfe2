"""The one error class of price files; each command line turns it into its own."""

from __future__ import annotations


class PriceFileError(Exception):
    """What is wrong with a file of prices, and what it has to be.

    ``message`` is one plain sentence with the value seen and the rule; ``hint`` is the form.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
