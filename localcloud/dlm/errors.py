"""DLM's own errors, with what was given and what the rule is."""

from __future__ import annotations

from http import HTTPStatus


class Refused(Exception):
    """An error as DLM's service model has it. Moto would look for one of its own services."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message


def invalid(message: str) -> Refused:
    return Refused("InvalidRequestException", HTTPStatus.BAD_REQUEST, message)


def not_found(what: str) -> Refused:
    message = f"{what} was not found."
    return Refused("ResourceNotFoundException", HTTPStatus.NOT_FOUND, message)


def too_many(limit: int) -> Refused:
    return Refused(
        "LimitExceededException",
        HTTPStatus.TOO_MANY_REQUESTS,
        f"There can be {limit} lifecycle policies in a Region.",
    )


def not_rehearsed(what: str) -> Refused:
    """For what DLM can do and the rehearsal cloud cannot."""
    return invalid(f"The rehearsal cloud does not support {what}.")
