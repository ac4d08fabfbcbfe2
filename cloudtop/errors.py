"""The one error base class of the command line."""

from __future__ import annotations

from cloudtop.foreign import plain


class CloudtopError(Exception):
    """A sentence about what happened, and the next command to try.

    ``message`` is one plain sentence with the value seen and the rule it breaks;
    ``hint`` is the next command, or empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        # Much of it is what EC2, Ansible or a machine said
        self.message = plain(message, lines=True)
        self.hint = plain(hint, lines=True)
        super().__init__(self.message)
